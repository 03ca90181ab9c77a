/** Revocation lists of any shape, also those that nobody should make. */
import type { KeyObject } from "node:crypto";
import { tags } from "../../src/codec/der.ts";
import {
  bitString,
  boolean,
  type Der,
  encodeDer,
  encoded,
  explicit,
  integer,
  octets,
  primitive,
  sequence,
} from "../../src/codec/der_writer.ts";
import { writeUtcTime } from "../../src/codec/time.ts";
import { algorithmOf, signBytes } from "../../src/x509/keys.ts";
import { type Oid, oids, writeOid } from "../../src/x509/oid.ts";
import { encodeAlgorithm } from "../../src/x509/signature.ts";
import { day, type Holder, now } from "./forge.ts";

export interface CrlShape {
  readonly issuer: Holder;
  readonly signer?: KeyObject;
  readonly version?: number;
  /** Absent: 1; undefined cannot be said, `false` leaves it out. */
  readonly number?: bigint | false;
  readonly thisUpdate?: number;
  /** `false`: left out. */
  readonly nextUpdate?: number | false;
  readonly entries?: readonly Der[];
  /** Whether an empty list of entries stands there. */
  readonly emptyEntries?: boolean;
  readonly extra?: readonly Der[];
}

export function forgeCrl(shape: CrlShape): Uint8Array {
  const { issuer, version = 2, number = 1n, thisUpdate = now - day, nextUpdate = now + day, entries = [] } = shape;
  const signer = shape.signer ?? issuer.key;
  const algorithm = encoded(encodeAlgorithm(algorithmOf(signer)));
  const numbered = number === false ? [] : [crlExtension(oids.crlNumber, false, encodeDer(integer(number)))];
  const extensions = [...numbered, ...(shape.extra ?? [])];
  const tbs = encodeDer(
    sequence(
      version === 1 ? undefined : integer(version - 1),
      algorithm,
      encoded(issuer.certificate.subject.bytes),
      writeUtcTime(thisUpdate),
      nextUpdate === false ? undefined : writeUtcTime(nextUpdate),
      entries.length > 0 || shape.emptyEntries === true ? sequence(...entries) : undefined,
      extensions.length > 0 ? explicit(0, sequence(...extensions)) : undefined,
    ),
  );
  return encodeDer(sequence(encoded(tbs), algorithm, bitString(signBytes(signer, tbs))));
}

export function entry(serial: bigint, ...extensions: readonly Der[]): Der {
  const more = extensions.length > 0 ? sequence(...extensions) : undefined;
  return sequence(integer(serial), writeUtcTime(now - day), more);
}

export function reason(code: number): Der {
  return crlExtension(oids.reasonCode, false, encodeDer(primitive(0x0a, Uint8Array.of(code))));
}

export function crlExtension(oid: Oid, critical: boolean, value: Uint8Array): Der {
  return sequence(writeOid(oid), critical ? boolean(true) : undefined, octets(value));
}

export const nothing: Uint8Array = encodeDer(primitive(tags.null, new Uint8Array(0)));
