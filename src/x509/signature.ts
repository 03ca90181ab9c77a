/**
 * Signature algorithms that a certificate may name, and the check itself.
 *
 * An algorithm is recognised by the bytes of its whole AlgorithmIdentifier:
 * there is one spelling of each.
 *
 * @module
 */
import { constants, createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import { type Der, encodeDer, explicit, integer, nul, sequence } from "../codec/der_writer.ts";
import { type Oid, writeOid } from "./oid.ts";
import { isStrong, maxIdentifier, type PublicKey } from "./public_key.ts";

type Hash = "sha256" | "sha384" | "sha512";

export type SignatureAlgorithm =
  | { readonly scheme: "ed25519" }
  | { readonly scheme: "ecdsa" | "rsa-pkcs1" | "rsa-pss"; readonly hash: Hash };

/** What is signed, by which algorithm, and the signature. */
export interface Signed {
  /** The bytes under the signature, as received. */
  readonly tbs: Uint8Array;
  /** Absent: none of those allowed. */
  readonly algorithm?: SignatureAlgorithm;
  readonly signature: Uint8Array;
}

/** @param identifier - an AlgorithmIdentifier whole */
export function parseAlgorithm(identifier: Uint8Array): SignatureAlgorithm | undefined {
  return identifier.length > maxIdentifier ? undefined : algorithms.get(Buffer.from(identifier).toString("hex"));
}

/** The AlgorithmIdentifier whole. */
export function encodeAlgorithm(algorithm: SignatureAlgorithm): Uint8Array {
  return encodeDer(identifier(algorithm));
}

/** Whether `signer` made the signature. False, too, for a weak or foreign key and for an algorithm that is not its own. */
export function verifySignature(signer: PublicKey, signed: Signed): boolean {
  const { algorithm } = signed;
  if (algorithm === undefined || !isStrong(signer.shape) || !fits(signer, algorithm)) return false;
  try {
    const key = keyObject(signer);
    if (algorithm.scheme === "ed25519") return verify(undefined, signed.tbs, key, signed.signature);
    const options = algorithm.scheme === "rsa-pss" ? { key, ...pss(algorithm.hash) } : { key };
    return verify(algorithm.hash, signed.tbs, options, signed.signature);
  } catch {
    return false;
  }
}

/**
 * Signatures of intermediates already found good, so that a tenant's thousandth handshake costs one check.
 *
 * It holds digests alone; the oldest unused one goes when it is full.
 */
export class SignatureCache {
  readonly #limit: number;
  readonly #good: Set<string> = new Set();

  /** @param limit - entries, of about 150 bytes each */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether `issuer` signed `subject` (SHA-256 of both certificates whole), asking `check` where that is not known. */
  verify(issuer: Uint8Array, subject: Uint8Array, check: () => boolean): boolean {
    const pair = Buffer.concat([issuer, subject]).toString("base64");
    if (!this.#good.delete(pair) && !check()) return false;
    this.#good.add(pair);
    if (this.#good.size > this.#limit) {
      const [oldest] = this.#good;
      if (oldest !== undefined) this.#good.delete(oldest);
    }
    return true;
  }
}

export function sha256(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}

function fits(signer: PublicKey, algorithm: SignatureAlgorithm): boolean {
  switch (algorithm.scheme) {
    case "ed25519":
      return signer.shape.kind === "ed25519";
    case "ecdsa":
      return signer.shape.kind === "p256" || signer.shape.kind === "p384" || signer.shape.kind === "p521";
    default:
      return signer.shape.kind === "rsa";
  }
}

/** OpenSSL's form of a key, made once. */
function keyObject(key: PublicKey): KeyObject {
  const known = keyObjects.get(key);
  if (known !== undefined) return known;
  const made = createPublicKey({ key: Buffer.from(key.spki), format: "der", type: "spki" });
  keyObjects.set(key, made);
  return made;
}

const keyObjects: WeakMap<PublicKey, KeyObject> = new WeakMap();

function pss(hash: Hash): { readonly padding: number; readonly saltLength: number } {
  return { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: hashes[hash].length };
}

function identifier(algorithm: SignatureAlgorithm): Der {
  switch (algorithm.scheme) {
    case "ed25519":
      return withOid("2b6570");
    case "ecdsa":
      return withOid(hashes[algorithm.hash].ecdsa);
    case "rsa-pkcs1":
      return withOid(hashes[algorithm.hash].rsa, nul);
    case "rsa-pss": {
      const { oid, length } = hashes[algorithm.hash];
      const hash = withOid(oid, nul);
      const mgf1 = withOid("2a864886f70d010108", hash);
      const parameters = sequence(explicit(0, hash), explicit(1, mgf1), explicit(2, integer(length)));
      return withOid("2a864886f70d01010a", parameters);
    }
  }
}

function withOid(oid: Oid, parameters?: Der): Der {
  return sequence(writeOid(oid), parameters);
}

/** Identifiers of RFC 5754 and RFC 5758; `length` is the digest's, bytes, and the salt's under PSS. */
const hashes = {
  sha256: { ecdsa: "2a8648ce3d040302", rsa: "2a864886f70d01010b", oid: "608648016503040201", length: 32 },
  sha384: { ecdsa: "2a8648ce3d040303", rsa: "2a864886f70d01010c", oid: "608648016503040202", length: 48 },
  sha512: { ecdsa: "2a8648ce3d040304", rsa: "2a864886f70d01010d", oid: "608648016503040203", length: 64 },
} as const;

const algorithms: ReadonlyMap<string, SignatureAlgorithm> = new Map(
  [
    { scheme: "ed25519" } as const,
    ...(["ecdsa", "rsa-pkcs1", "rsa-pss"] as const).flatMap((scheme) =>
      (["sha256", "sha384", "sha512"] as const).map((hash) => ({ scheme, hash })),
    ),
  ].map((algorithm) => [Buffer.from(encodeAlgorithm(algorithm)).toString("hex"), algorithm]),
);
