/**
 * A certificate, read once and strictly (X.509 v3, RFC 5280 section 4), its
 * received bytes kept: signatures and digests are over them.
 *
 * Reading says nothing about trust; that is for `path`.
 *
 * @module
 */
import { type DerError, decodeDer, type Reader, tags } from "../codec/der.ts";
import { readGeneralizedTime, readUtcTime } from "../codec/time.ts";
import { err, ok, type Result } from "../core/result.ts";
import { type DistinguishedName, parseName } from "./distinguished_name.ts";
import {
  type Extension,
  type ExtensionError,
  type Extensions,
  interpretExtensions,
  readExtension,
} from "./extensions.ts";
import { type PublicKey, parsePublicKey } from "./public_key.ts";
import { parseAlgorithm, type Signed, sha256 } from "./signature.ts";

export interface Certificate extends Signed {
  /** The certificate whole. All other bytes but the fingerprint are views into it. */
  readonly raw: Uint8Array;
  /** SHA-256 of `raw`. */
  readonly fingerprint: Uint8Array;
  /** The content of the INTEGER: positive, 1 to 20 bytes. */
  readonly serial: Uint8Array;
  readonly issuer: DistinguishedName;
  readonly subject: DistinguishedName;
  /** Milliseconds since the Unix epoch, whole seconds; still valid in that second. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly publicKey: PublicKey;
  readonly extensions: Extensions;
}

export type CertificateError =
  | DerError
  | ExtensionError
  /** Only version 3 has extensions, and without them no authority can be told from a leaf. */
  | { readonly kind: "version"; readonly version: number }
  | { readonly kind: "serial-not-positive" }
  | { readonly kind: "serial-too-long"; readonly length: number; readonly limit: number }
  | { readonly kind: "issuer-empty" }
  /** The algorithm named beside the signature is not the one under it (RFC 5280 section 4.1.1.2). */
  | { readonly kind: "algorithms-differ" };

/** @param der - one certificate and nothing after it; kept, so it must not change any more */
export function parseCertificate(der: Uint8Array): Result<Certificate, CertificateError> {
  const outer = decodeDer(der, (reader) =>
    reader.sequence((inside) => ({ tbs: inside.raw(), algorithm: inside.raw(), signature: inside.bitString() })),
  );
  if (!outer.ok) return outer;
  const fields = decodeDer(outer.value.tbs, (reader) => reader.sequence(readFields), maxValues);
  if (!fields.ok) return fields;
  const problem = checkFields(fields.value, outer.value.algorithm);
  if (problem !== undefined) return err(problem);
  return assemble(der, outer.value, fields.value);
}

interface Outer {
  readonly tbs: Uint8Array;
  readonly algorithm: Uint8Array;
  readonly signature: Uint8Array;
}

interface Fields {
  readonly version: number;
  readonly serial: Uint8Array;
  readonly algorithm: Uint8Array;
  readonly issuer: Uint8Array;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly subject: Uint8Array;
  readonly spki: Uint8Array;
  readonly extensions: readonly Extension[];
}

/** TBSCertificate without the unique identifiers, which RFC 5280 section 4.1.2.8 forbids. */
function readFields(tbs: Reader): Fields {
  const version = (tbs.optionalExplicit(0, (inside) => inside.integer()) ?? 0) + 1;
  const serial = tbs.integerBytes();
  const algorithm = tbs.raw();
  const issuer = tbs.raw();
  const validity = tbs.sequence((inside) => ({ notBefore: readTime(inside), notAfter: readTime(inside) }));
  const subject = tbs.raw();
  const spki = tbs.raw();
  const extensions = tbs.optionalExplicit(3, (inside) => inside.sequenceOf(readExtension)) ?? [];
  return { version, serial, algorithm, issuer, ...validity, subject, spki, extensions };
}

/** UTCTime through 2049, GeneralizedTime without fraction from 2050 on (RFC 5280 sections 4.1.2.5 and 5.1.2.4). */
export function readTime(reader: Reader): number {
  if (reader.peek() === tags.utcTime) return readUtcTime(reader);
  const time = readGeneralizedTime(reader);
  return time >= year2050 && time % 1000 === 0 ? time : reader.fail("time-out-of-range");
}

function checkFields(fields: Fields, outerAlgorithm: Uint8Array): CertificateError | undefined {
  const { version, serial, algorithm } = fields;
  if (version !== 3) return { kind: "version", version };
  if ((serial[0] ?? 0) >= 0x80 || serial.every((byte) => byte === 0)) return { kind: "serial-not-positive" };
  if (serial.length > maxSerial) return { kind: "serial-too-long", length: serial.length, limit: maxSerial };
  if (!sameBytes(algorithm, outerAlgorithm)) return { kind: "algorithms-differ" };
  return fields.issuer.length === emptyName ? { kind: "issuer-empty" } : undefined;
}

function assemble(raw: Uint8Array, outer: Outer, fields: Fields): Result<Certificate, CertificateError> {
  const issuer = parseName(fields.issuer);
  if (!issuer.ok) return issuer;
  const subject = parseName(fields.subject);
  if (!subject.ok) return subject;
  const publicKey = parsePublicKey(fields.spki);
  if (!publicKey.ok) return publicKey;
  const extensions = interpretExtensions(fields.extensions, fields.subject.length === emptyName);
  if (!extensions.ok) return extensions;
  const algorithm = parseAlgorithm(fields.algorithm);
  return ok({
    raw,
    tbs: outer.tbs,
    signature: outer.signature,
    ...(algorithm === undefined ? {} : { algorithm }),
    fingerprint: sha256(raw),
    serial: fields.serial,
    issuer: issuer.value,
    subject: subject.value,
    notBefore: fields.notBefore,
    notAfter: fields.notAfter,
    publicKey: publicKey.value,
    extensions: extensions.value,
  });
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

/** DER values of the certificate proper, counting an extension's content as one: some hundred extensions. */
const maxValues = 500;

/** Bytes of a serial number (RFC 5280 section 4.1.2.2). */
const maxSerial = 20;

/** Bytes of a Name without attributes: `30 00`. */
const emptyName = 2;

const year2050 = Date.UTC(2050, 0);
