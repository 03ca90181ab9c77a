/**
 * Between our bytes and the schema objects of pkijs, with which certificates and requests are made.
 *
 * pkijs signs through WebCrypto, which knows neither all our keys nor fixed
 * seeds: we sign what it lays out.
 *
 * @module
 */
import type { KeyObject } from "node:crypto";
import { type AsnType, BitString, fromBER, type Sequence } from "asn1js";
import { AlgorithmIdentifier, PublicKeyInfo, RelativeDistinguishedNames } from "pkijs";
import { algorithmOf, signBytes } from "./keys.ts";
import { encodeAlgorithm } from "./signature.ts";

/** What a Certificate and a CertificationRequest of pkijs have in common. */
interface Signable {
  signatureAlgorithm: AlgorithmIdentifier;
  signatureValue: BitString;
  toSchema(encodeFlag: boolean): Sequence;
}

/** Signs by the key and returns the whole, encoded. */
export function signSchema(value: Signable, key: KeyObject): Uint8Array {
  value.signatureAlgorithm = algorithmSchema(key);
  const [tbs] = value.toSchema(true).valueBlock.value;
  if (tbs === undefined) throw new Error("a schema without a first member");
  const signature = signBytes(key, new Uint8Array(tbs.toBER()));
  value.signatureValue = new BitString({ valueHex: arrayBuffer(signature) });
  return new Uint8Array(value.toSchema(true).toBER());
}

export function algorithmSchema(key: KeyObject): AlgorithmIdentifier {
  return new AlgorithmIdentifier({ schema: schemaOf(encodeAlgorithm(algorithmOf(key))) });
}

/** A Name, its bytes unchanged. */
export function nameSchema(bytes: Uint8Array): RelativeDistinguishedNames {
  return new RelativeDistinguishedNames({ schema: schemaOf(bytes) });
}

export function publicKeySchema(spki: Uint8Array): PublicKeyInfo {
  return new PublicKeyInfo({ schema: schemaOf(spki) });
}

export function arrayBuffer(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}

/** Our own encodings, so it throws only for a bug. */
function schemaOf(bytes: Uint8Array): AsnType {
  const { result, offset } = fromBER(bytes);
  if (offset !== bytes.length) throw new Error("not one encoded value");
  return result;
}
