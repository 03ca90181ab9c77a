/**
 * Certificate revocation lists, read strictly (X.509 v2, RFC 5280 section 5),
 * their bytes kept: the signature is over them, and entries are looked up where
 * they lie.
 *
 * Invariant: a `Crl` is whole and about its own issuer's certificates, all of
 * them. A part of a list (a delta, a distribution point's) and a list of other
 * issuers' certificates are refused, as is whatever is critical and not known:
 * a certificate that such a list leaves out would pass.
 *
 * @module
 */
import { type DerError, decodeDer, type Reader, tags } from "../codec/der.ts";
import { err, ok, type Result } from "../core/result.ts";
import { type Certificate, readTime, sameBytes } from "./certificate.ts";
import { type DistinguishedName, parseName } from "./distinguished_name.ts";
import { type Extension, readExtension } from "./extensions.ts";
import { oids, printOid } from "./oid.ts";
import { parseAlgorithm, type Signed, verifySignature } from "./signature.ts";

/** What stands in a PEM file of a list (RFC 7468 section 7). */
export const crlLabel = "X509 CRL";

export interface Crl extends Signed {
  /** The list whole. All other bytes are views into it. */
  readonly raw: Uint8Array;
  readonly issuer: DistinguishedName;
  readonly number: bigint;
  /** Milliseconds since the Unix epoch. */
  readonly thisUpdate: number;
  /** When the next one is there at the latest. */
  readonly nextUpdate: number;
  /** Where in `raw` each entry's serial number begins, in the order of `compareSerials`; the byte before is its length. */
  readonly entries: Uint32Array;
}

export type CrlError =
  | DerError
  | { readonly kind: "crl-too-large"; readonly length: number; readonly limit: number }
  | { readonly kind: "crl-too-many-entries"; readonly count: number; readonly limit: number }
  /** Only version 2 has extensions, and with them a number. */
  | { readonly kind: "version"; readonly version: number }
  | { readonly kind: "algorithms-differ" }
  /** RFC 5280 section 5.1.2.5: without it nobody can tell a list that is kept from us. */
  | { readonly kind: "next-update-missing" }
  | { readonly kind: "next-update-early"; readonly thisUpdate: number; readonly nextUpdate: number }
  /** RFC 5280 section 5.2.3: without it nobody can tell an older list from a newer one. */
  | { readonly kind: "crl-number-missing" }
  /** Not a whole list of its issuer's certificates. */
  | { readonly kind: "crl-partial"; readonly oid: string }
  | { readonly kind: "extension-repeated"; readonly oid: string }
  | { readonly kind: "extension-unhandled"; readonly oid: string }
  /** Hexadecimal. */
  | { readonly kind: "serial-repeated"; readonly serial: string };

/** Why a list is not one of the authority's. */
export type CrlOriginError =
  | { readonly kind: "crl-issuer-differs" }
  /** Its key usage does not let it sign lists (RFC 5280 section 6.3.3 f). */
  | { readonly kind: "crl-not-for-issuer" }
  | { readonly kind: "algorithm-unsupported" }
  | { readonly kind: "signature-wrong" };

/** @param der - one list and nothing after it; kept, so it must not change any more */
export function parseCrl(der: Uint8Array): Result<Crl, CrlError> {
  if (der.length > maxCrl) return err({ kind: "crl-too-large", length: der.length, limit: maxCrl });
  const outer = decodeDer(der, (reader) =>
    reader.sequence((inside) => ({ tbs: inside.raw(), algorithm: inside.raw(), signature: inside.bitString() })),
  );
  if (!outer.ok) return outer;
  const { tbs, algorithm, signature } = outer.value;
  const fields = decodeDer(tbs, (reader) => reader.sequence((inside) => readFields(inside, der.byteOffset)), maxValues);
  if (!fields.ok) return fields;
  const problem = checkFields(fields.value, algorithm) ?? checkExtensions(fields.value);
  if (problem !== undefined) return err(problem);
  const number = readNumber(fields.value.extensions);
  if (!number.ok) return number;
  const entries = sortEntries(der, fields.value.serials);
  if (!entries.ok) return entries;
  const issuer = parseName(fields.value.issuer);
  if (!issuer.ok) return issuer;
  const { thisUpdate, nextUpdate = thisUpdate } = fields.value;
  const known = parseAlgorithm(algorithm);
  const signed = known === undefined ? { tbs, signature } : { tbs, signature, algorithm: known };
  return ok({
    ...signed,
    raw: der,
    issuer: issuer.value,
    number: number.value,
    thisUpdate,
    nextUpdate,
    entries: entries.value,
  });
}

/** Whether the list is the authority's: its name, a key usage that allows it, its signature over the bytes received. */
export function verifyCrl(crl: Crl, authority: Certificate): Result<void, CrlOriginError> {
  if (!sameBytes(crl.issuer.bytes, authority.subject.bytes)) return err({ kind: "crl-issuer-differs" });
  if (authority.extensions.keyUsage?.crlSign !== true) return err({ kind: "crl-not-for-issuer" });
  if (crl.algorithm === undefined) return err({ kind: "algorithm-unsupported" });
  return verifySignature(authority.publicKey, crl) ? ok(undefined) : err({ kind: "signature-wrong" });
}

/**
 * When the list revoked the certificate of its issuer with that serial number, ms since the Unix epoch; undefined where
 * it did not. Costs O(log entries).
 *
 * @param serial - the content of the INTEGER
 */
export function findRevoked({ raw, entries }: Crl, serial: Uint8Array): number | undefined {
  let [from, to] = [0, entries.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    const order = compareSerials(serialAt(raw, entries[middle] ?? 0), serial);
    if (order === 0) return dateAt(raw, entries[middle] ?? 0);
    if (order < 0) from = middle + 1;
    else to = middle;
  }
  return undefined;
}

/** What a list says about one certificate. */
export interface RevokedEntry {
  /** The content of the INTEGER, a view into the list. */
  readonly serial: Uint8Array;
  /** Milliseconds since the Unix epoch. */
  readonly time: number;
}

/** All entries, by serial number. */
export function listRevoked({ raw, entries }: Crl): readonly RevokedEntry[] {
  return Array.from(entries, (at) => ({ serial: serialAt(raw, at), time: dateAt(raw, at) }));
}

interface Fields {
  readonly version: number;
  readonly algorithm: Uint8Array;
  readonly issuer: Uint8Array;
  readonly thisUpdate: number;
  readonly nextUpdate?: number;
  /** Offsets into the list. */
  readonly serials: readonly number[];
  /** Of entries: those that were met, each once. */
  readonly entryExtensions: ReadonlySet<string>;
  readonly extensions: readonly Extension[];
}

/** TBSCertList (RFC 5280 section 5.1). @param base - where the list begins in its buffer */
function readFields(tbs: Reader, base: number): Fields {
  const version = (tbs.optional(tags.integer, (found) => found.integer()) ?? 0) + 1;
  const algorithm = tbs.raw();
  const issuer = tbs.raw();
  const thisUpdate = readTime(tbs);
  const dated = tbs.peek() === tags.utcTime || tbs.peek() === tags.generalizedTime;
  const next = dated ? { nextUpdate: readTime(tbs) } : {};
  const entryExtensions = new Set<string>();
  const read = (entry: Reader): number => readEntry(entry, base, entryExtensions);
  const serials =
    tbs.optional(tags.sequence, (list) => {
      const found = list.sequenceOf((item) => item.sequence(read));
      return found.length > 0 ? found : list.fail("value-refused");
    }) ?? [];
  const extensions = tbs.optionalExplicit(0, (inside) => inside.sequenceOf(readExtension)) ?? [];
  return { version, algorithm, issuer, thisUpdate, ...next, serials, entryExtensions, extensions };
}

/** @returns where the serial number begins */
function readEntry(entry: Reader, base: number, met: Set<string>): number {
  const serial = entry.integerBytes();
  if (serial.length > maxSerial || (serial[0] ?? 0) >= 0x80) entry.fail("value-refused");
  readTime(entry);
  const extensions = entry.done ? [] : entry.sequenceOf(readExtension);
  for (const { oid, critical, value } of extensions) {
    if (oid === oids.reasonCode && isRemoval(value)) entry.fail("value-refused");
    // The issuer of an indirect list's entry is critical; one that is not would be no less another's.
    if ((critical && oid !== oids.reasonCode) || oid === oids.certificateIssuer) met.add(oid);
  }
  return serial.byteOffset - base;
}

/** Whether a reason takes an entry back, which only a delta can say (RFC 5280 section 5.3.1). */
function isRemoval(reason: Uint8Array): boolean {
  const [tag, length, code = 0] = reason;
  return reason.length !== 3 || tag !== enumerated || length !== 1 || code === 7 || code === 8 || code > 10;
}

function checkFields(fields: Fields, outerAlgorithm: Uint8Array): CrlError | undefined {
  const { version, algorithm, thisUpdate, nextUpdate, serials } = fields;
  if (version !== 2) return { kind: "version", version };
  if (!sameBytes(algorithm, outerAlgorithm)) return { kind: "algorithms-differ" };
  if (nextUpdate === undefined) return { kind: "next-update-missing" };
  if (nextUpdate <= thisUpdate) return { kind: "next-update-early", thisUpdate, nextUpdate };
  if (serials.length > maxEntries) return { kind: "crl-too-many-entries", count: serials.length, limit: maxEntries };
  return undefined;
}

function checkExtensions({ extensions, entryExtensions }: Fields): CrlError | undefined {
  const seen = new Set<string>();
  for (const { oid, critical } of extensions) {
    if (seen.has(oid)) return { kind: "extension-repeated", oid: printOid(oid) };
    seen.add(oid);
    if (oid === oids.deltaCrlIndicator || oid === oids.issuingDistributionPoint) {
      return { kind: "crl-partial", oid: printOid(oid) };
    }
    if (critical) return { kind: "extension-unhandled", oid: printOid(oid) };
  }
  const [oid] = entryExtensions;
  if (oid === undefined) return undefined;
  const kind = oid === oids.certificateIssuer ? "crl-partial" : "extension-unhandled";
  return { kind, oid: printOid(oid) };
}

function readNumber(extensions: readonly Extension[]): Result<bigint, CrlError> {
  const found = extensions.find(({ oid }) => oid === oids.crlNumber);
  if (found === undefined) return err({ kind: "crl-number-missing" });
  return decodeDer(found.value, (reader) => {
    const content = reader.integerBytes();
    if (content.length > maxSerial || (content[0] ?? 0) >= 0x80) reader.fail("value-refused");
    return BigInt(`0x${Buffer.from(content).toString("hex")}`);
  });
}

function sortEntries(raw: Uint8Array, serials: readonly number[]): Result<Uint32Array, CrlError> {
  const entries = Uint32Array.from(serials).sort((a, b) => compareSerials(serialAt(raw, a), serialAt(raw, b)));
  for (const [index, at] of entries.entries()) {
    const serial = serialAt(raw, at);
    const before = entries[index - 1];
    if (before !== undefined && compareSerials(serialAt(raw, before), serial) === 0) {
      return err({ kind: "serial-repeated", serial: Buffer.from(serial).toString("hex") });
    }
  }
  return ok(entries);
}

function serialAt(raw: Uint8Array, at: number): Uint8Array {
  return raw.subarray(at, at + (raw[at - 1] ?? 0));
}

/** The entry's date stands behind its serial number, and was read before. */
function dateAt(raw: Uint8Array, at: number): number {
  const date = at + (raw[at - 1] ?? 0);
  const read = decodeDer(raw.subarray(date, date + 2 + (raw[date + 1] ?? 0)), readTime);
  return read.ok ? read.value : 0;
}

/** Any order does: the bytes are minimal, so that equal numbers are equal bytes. */
function compareSerials(a: Uint8Array, b: Uint8Array): number {
  return a.length - b.length || Buffer.compare(a, b);
}

const enumerated = 0x0a;

/** Bytes of a serial number and of a list's number (RFC 5280 sections 4.1.2.2 and 5.2.3). */
const maxSerial = 20;

/** Bytes of a list: some 12,000 entries of a certificate's usual 10 bytes of serial number. It fits a frame. */
export const maxCrl: number = 512 * 1024;

/** An entry with a reason has seven values. */
const maxValues: number = 8 * 16_384;

/** Entries of a list: as many as so many bytes hold with the shortest serial numbers that anybody draws at random. */
const maxEntries = 16_384;
