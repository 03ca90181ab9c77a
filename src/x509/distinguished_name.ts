/**
 * Distinguished names: compared as bytes, read for their common name alone.
 *
 * @module
 */
import { type DerError, decodeDer, type Reader, tags } from "../codec/der.ts";
import { constructed, encodeDer, sequence, text } from "../codec/der_writer.ts";
import type { Result } from "../core/result.ts";
import { oids, readOid, writeOid } from "./oid.ts";

export interface DistinguishedName {
  /** The Name whole, as received. */
  readonly bytes: Uint8Array;
  /** The common name of the last RDN that has one, as albatross takes it. */
  readonly commonName?: string;
}

export function parseName(bytes: Uint8Array): Result<DistinguishedName, DerError> {
  return decodeDer(bytes, (reader) => {
    const names = reader.sequenceOf((rdn) => rdn.setOf(readAttribute));
    const commonName = names.flat().findLast((value) => value !== undefined);
    return commonName === undefined ? { bytes } : { bytes, commonName };
  });
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

/** DirectoryString (X.520) in its living forms, and IA5String. */
function readString(reader: Reader): string {
  const tag = reader.peek();
  if (tag === tags.utf8String) return reader.utf8();
  if (tag !== printableString && tag !== ia5String) return reader.fail("tag-unexpected");
  const content = reader.content(tag);
  if (content.some((byte) => byte >= 0x80)) reader.fail("value-refused");
  return Buffer.from(content).toString("latin1");
}

const printableString = 0x13;
const ia5String = 0x16;
