/**
 * Distinguished names: a signed and its signer are compared as bytes, and the
 * common name is read; the rest matters to name constraints alone, which compare
 * what is written, not how.
 *
 * @module
 */
import { type DerError, decodeDer, type Reader, tags } from "../codec/der.ts";
import { constructed, encodeDer, sequence, text } from "../codec/der_writer.ts";
import { decodeUtf8 } from "../codec/text.ts";
import type { Result } from "../core/result.ts";
import { type Oid, oids, readOid, writeOid } from "./oid.ts";

export interface DistinguishedName {
  /** The Name whole, as received. */
  readonly bytes: Uint8Array;
  /** The common name of the last RDN that has one, as albatross takes it. */
  readonly commonName?: string;
}

export function parseName(bytes: Uint8Array): Result<DistinguishedName, DerError> {
  return decodeDer(
    bytes,
    (reader) => {
      const names = reader.sequenceOf((rdn) => rdn.setOf(readAttribute));
      const commonName = names.flat().findLast((value) => value !== undefined);
      return commonName === undefined ? { bytes } : { bytes, commonName };
    },
    maxValues,
  );
}

/**
 * The names of a Name from the root on, each with a line end, without the differences of spelling that RFC 5280
 * section 7.1 says are none: string types, case, spaces. Undefined where a value is not of plain text: what of Unicode
 * is the same to whom is not decided here.
 */
export function foldName(bytes: Uint8Array): string | undefined {
  const rdns = readAttributes(bytes);
  if (rdns === undefined || rdns.flat().some(({ value }) => value === undefined)) return undefined;
  const folded = rdns.map((rdn) => rdn.map(({ oid, value = "" }) => `${oid}=${foldText(value)}`).sort(byUnits));
  return folded.map((texts) => `${texts.join("\t")}\n`).join("");
}

/** The mail addresses of a Name (RFC 5280 section 4.1.2.6); `""` for one that cannot be read. */
export function emailsOf(bytes: Uint8Array): readonly string[] {
  const attributes = readAttributes(bytes)?.flat() ?? [];
  return attributes.filter(({ oid }) => oid === oids.emailAddress).map(({ value = "" }) => value);
}

/** A Name of one common name, or of nothing. */
export function encodeName(commonName: string | undefined): Uint8Array {
  if (commonName === undefined) return encodeDer(sequence());
  const attribute = sequence(writeOid(oids.commonName), text(commonName));
  return encodeDer(sequence(constructed(tags.set, [attribute])));
}

/** The common name, if the attribute is one. A string type that we cannot read makes the certificate unreadable. */
function readAttribute(reader: Reader): string | undefined {
  return reader.sequence((attribute) => {
    if (readOid(attribute) === oids.commonName) return readString(attribute);
    attribute.raw();
    return undefined;
  });
}

interface Plain {
  readonly oid: Oid;
  /** Absent: another type, or characters that are not printable ASCII. */
  readonly value?: string;
}

function readAttributes(bytes: Uint8Array): readonly (readonly Plain[])[] | undefined {
  const rdns = decodeDer(bytes, (reader) => reader.sequenceOf((rdn) => rdn.setOf(readPlain)), maxValues);
  return rdns.ok ? rdns.value : undefined;
}

function readPlain(reader: Reader): Plain {
  return reader.sequence((attribute) => {
    const oid = readOid(attribute);
    const tag = attribute.peek();
    if (tag !== tags.utf8String && tag !== printableString && tag !== ia5String) {
      attribute.raw();
      return { oid };
    }
    const content = attribute.content(tag);
    if (content.length > maxText || content.some((byte) => byte < 0x20 || byte >= 0x7f)) return { oid };
    return { oid, value: Buffer.from(content).toString("latin1") };
  });
}

function byUnits(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function foldText(text: string): string {
  return text.trim().replace(/ +/g, " ").toLowerCase();
}

/** DirectoryString (X.520) in its living forms, and IA5String. */
function readString(reader: Reader): string {
  const tag = reader.peek();
  if (tag !== tags.utf8String && tag !== printableString && tag !== ia5String) return reader.fail("tag-unexpected");
  const content = reader.content(tag);
  if (content.length > maxText) reader.fail("value-refused");
  if (tag === tags.utf8String) return decodeUtf8(content) ?? reader.fail("text-not-utf8");
  if (content.some((byte) => byte >= 0x80)) reader.fail("value-refused");
  return Buffer.from(content).toString("latin1");
}

const printableString = 0x13;
const ia5String = 0x16;

/** Bytes of one value. A path of eight labels, which is a leaf's name at the most, has 511. */
const maxText = 1024;

/** DER values of one Name, four an attribute: some hundred attributes. */
const maxValues = 500;
