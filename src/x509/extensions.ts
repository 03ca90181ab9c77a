/**
 * The extensions of a certificate: those that path validation understands, read;
 * those that it must not pass over, listed.
 *
 * @module
 */
import { type DerError, decodeDer, type Reader, tags } from "../codec/der.ts";
import { readPermissions } from "../codec/permission.ts";
import type { Permission } from "../core/permission.ts";
import { err, ok, type Result } from "../core/result.ts";
import { type GeneralName, readNames } from "./general_name.ts";
import { type NameConstraints, readNameConstraints } from "./name_constraints.ts";
import { type Oid, oids, printOid, readOid } from "./oid.ts";

/** One extension as it stands in the certificate. */
export interface Extension {
  readonly oid: Oid;
  readonly critical: boolean;
  /** The content of the OCTET STRING, a view into what was received. */
  readonly value: Uint8Array;
}

interface BasicConstraints {
  readonly critical: boolean;
  readonly ca: boolean;
  /** Intermediates that may follow, self-issued ones not counted. */
  readonly pathLength?: number;
}

interface KeyUsage {
  readonly digitalSignature: boolean;
  readonly keyCertSign: boolean;
  readonly crlSign: boolean;
}

export interface Extensions {
  readonly basicConstraints?: BasicConstraints;
  readonly keyUsage?: KeyUsage;
  readonly extendedKeyUsage?: readonly Oid[];
  readonly subjectKeyId?: Uint8Array;
  readonly authorityKeyId?: Uint8Array;
  readonly alternativeNames?: readonly GeneralName[];
  /** For an authority, and critical: elsewhere it is unhandled, too. */
  readonly nameConstraints?: NameConstraints;
  /** Ours: an encoded CertExtension. Set when critical, too; then it is also unhandled. */
  readonly command?: Uint8Array;
  /** Ours: what is permitted; absent: everything. As with `command`, critical is unhandled. */
  readonly permissions?: readonly Permission[];
  /** Dotted. A path that has one is refused: critical and unknown, or nothing that we can honour. */
  readonly unhandled: readonly string[];
}

export type ExtensionError =
  /** Twice the same (RFC 5280 section 4.2). */
  | { readonly kind: "extension-repeated"; readonly oid: string }
  | { readonly kind: "extension-malformed"; readonly oid: string; readonly error: DerError };

/** Extension (RFC 5280 section 4.1): critical is DEFAULT FALSE, and DER leaves a default out. */
export function readExtension(reader: Reader): Extension {
  return reader.sequence((inside) => {
    const oid = readOid(inside);
    const critical = inside.optional(tags.boolean, readTrue) ?? false;
    return { oid, critical, value: inside.octets() };
  });
}

/** @param emptySubject - a subject of no attributes makes subjectAltName critical (RFC 5280 section 4.2.1.6) */
export function interpretExtensions(
  list: readonly Extension[],
  emptySubject: boolean,
): Result<Extensions, ExtensionError> {
  const seen = new Map<Oid, Extension>();
  for (const extension of list) {
    if (seen.has(extension.oid)) return err({ kind: "extension-repeated", oid: printOid(extension.oid) });
    seen.set(extension.oid, extension);
  }
  let result: Extensions = {
    unhandled: list.filter((it) => isUnhandled(it, emptySubject)).map((it) => printOid(it.oid)),
  };
  for (const { oid, critical, value } of list) {
    const read = readers[oid];
    if (read === undefined) continue;
    const part = decodeDer(value, (reader) => read(reader, critical), maxValues);
    if (!part.ok) return err({ kind: "extension-malformed", oid: printOid(oid), error: part.error });
    result = { ...result, ...part.value };
  }
  const command = seen.get(oids.command);
  return ok(command === undefined ? result : { ...result, command: command.value });
}

/**
 * Policy constraints are a promise to limit what follows: we do not compute it, so we refuse it, critical or not. Name
 * constraints are always critical (RFC 5280 section 4.2.1.10), key identifiers and information access never (sections
 * 4.2.1.1, 4.2.1.2, 4.2.2.1).
 */
function isUnhandled({ oid, critical }: Extension, emptySubject: boolean): boolean {
  switch (oid) {
    case oids.policyConstraints:
      return true;
    case oids.nameConstraints:
      return !critical;
    case oids.basicConstraints:
    case oids.keyUsage:
    case oids.extendedKeyUsage:
      return false;
    case oids.subjectAltName:
      return critical !== emptySubject;
    default:
      return critical;
  }
}

const readers: Readonly<Record<Oid, (reader: Reader, critical: boolean) => Partial<Extensions>>> = {
  [oids.basicConstraints]: (reader, critical) => ({ basicConstraints: readBasicConstraints(reader, critical) }),
  [oids.keyUsage]: (reader) => ({ keyUsage: readKeyUsage(reader) }),
  [oids.extendedKeyUsage]: (reader) => {
    const purposes = reader.sequenceOf(readOid);
    return purposes.length > 0 ? { extendedKeyUsage: purposes } : reader.fail("value-refused");
  },
  [oids.subjectKeyId]: (reader) => ({ subjectKeyId: reader.octets() }),
  [oids.authorityKeyId]: (reader) => ({ authorityKeyId: readAuthorityKeyId(reader) }),
  [oids.subjectAltName]: (reader) => ({ alternativeNames: readNames(reader) }),
  [oids.nameConstraints]: (reader) => ({ nameConstraints: readNameConstraints(reader) }),
  [oids.permissions]: (reader) => ({ permissions: readPermissions(reader) }),
  [oids.authorityInfoAccess]: (reader) => {
    const count = reader.sequenceOf((access) => access.sequence((it) => [readOid(it), it.raw()])).length;
    return count > 0 ? {} : reader.fail("value-refused");
  },
};

/** A BOOLEAN DEFAULT FALSE that is there. */
function readTrue(reader: Reader): boolean {
  return reader.boolean() || reader.fail("boolean-not-canonical");
}

/** RFC 5280 section 4.2.1.9: only a CA has a path length. */
function readBasicConstraints(reader: Reader, critical: boolean): BasicConstraints {
  return reader.sequence((inside) => {
    const ca = inside.optional(tags.boolean, readTrue) ?? false;
    const pathLength = inside.optional(tags.integer, (found) => found.integer());
    if (pathLength === undefined) return { critical, ca };
    if (!ca || pathLength < 0) inside.fail("value-refused");
    return { critical, ca, pathLength };
  });
}

/** RFC 5280 section 4.2.1.3. albatross keeps trailing zero bits, which DER has not; padding bits must be zero. */
function readKeyUsage(reader: Reader): KeyUsage {
  const content = reader.content(tags.bitString);
  const [unused = 8, first = 0, last = first] = content;
  if (unused > 7 || (last & ((1 << unused) - 1)) !== 0 || content.length > 3) reader.fail("bit-string-padding");
  return {
    digitalSignature: (first & 0x80) !== 0,
    keyCertSign: (first & 0x04) !== 0,
    crlSign: (first & 0x02) !== 0,
  };
}

/** By key identifier alone: an issuer named by certificate and serial (RFC 5280 section 4.2.1.1) we do not look for. */
function readAuthorityKeyId(reader: Reader): Uint8Array {
  return reader.sequence((inside) => inside.content(keyIdentifierTag));
}

/** `[0] IMPLICIT OCTET STRING`. */
const keyIdentifierTag = 0x80;

/** DER values of one extension that we read; 128 general names, the most of any of them, are fewer. */
const maxValues = 2000;
