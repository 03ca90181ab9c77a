/**
 * Private keys of the six types: read, written, signed with. They are made elsewhere, by `keyOptions`.
 *
 * @module
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import { err, ok, type Result } from "../core/result.ts";
import { encodePem, parsePem } from "./pem.ts";
import type { SignatureAlgorithm } from "./signature.ts";

export type KeyType = "ed25519" | "p256" | "p384" | "p521" | "rsa2048" | "rsa4096";

export const keyTypes: readonly KeyType[] = ["ed25519", "p256", "p384", "p521", "rsa2048", "rsa4096"];

/** What `crypto.generateKeyPair` takes for the type. */
export type KeyOptions =
  | { readonly algorithm: "ed25519" }
  | { readonly algorithm: "ec"; readonly namedCurve: string }
  | { readonly algorithm: "rsa"; readonly modulusLength: number };

export type KeyError =
  | { readonly kind: "key-missing" }
  | { readonly kind: "key-encrypted" }
  /** Or the encryption is not known. */
  | { readonly kind: "key-passphrase-wrong" }
  | { readonly kind: "key-malformed" }
  /** Neither Ed25519, nor ECDSA on P-256, P-384, P-521, nor RSA of 2048 bits or more. */
  | { readonly kind: "key-unsupported"; readonly type: string };

export function keyOptions(type: KeyType): KeyOptions {
  switch (type) {
    case "ed25519":
      return { algorithm: "ed25519" };
    case "p256":
    case "p384":
    case "p521":
      return { algorithm: "ec", namedCurve: curves[type] };
    case "rsa2048":
      return { algorithm: "rsa", modulusLength: 2048 };
    case "rsa4096":
      return { algorithm: "rsa", modulusLength: 4096 };
  }
}

/**
 * Reads the first private key of a PEM file: PKCS #8, as albatross and we write it, or OpenSSL's older forms.
 *
 * @param passphrase - of an encrypted PKCS #8
 */
export function parseKey(pem: string, passphrase?: string): Result<KeyObject, KeyError> {
  const blocks = parsePem(pem);
  if (!blocks.ok) return err({ kind: "key-malformed" });
  const block = blocks.value.find(({ label }) => label.endsWith("PRIVATE KEY"));
  if (block === undefined) return err({ kind: "key-missing" });
  const encrypted = block.label.startsWith("ENCRYPTED");
  if (encrypted && passphrase === undefined) return err({ kind: "key-encrypted" });
  try {
    const text = encodePem(block.label, block.der);
    const key = createPrivateKey(passphrase === undefined ? text : { key: text, passphrase });
    return isSupported(key) ? ok(key) : err({ kind: "key-unsupported", type: key.asymmetricKeyType ?? "unknown" });
  } catch {
    return err({ kind: encrypted ? "key-passphrase-wrong" : "key-malformed" });
  }
}

/** PKCS #8, PEM. The file belongs in mode 0400. */
export function encodeKey(key: KeyObject): string {
  return encodePem("PRIVATE KEY", key.export({ format: "der", type: "pkcs8" }));
}

/** The Ed25519 key of a seed of 32 bytes (RFC 8032 section 5.1.5). */
export function keyFromSeed(seed: Uint8Array): KeyObject {
  const head = Buffer.from(ed25519Head, "hex");
  return createPrivateKey({ key: Buffer.concat([head, seed]), format: "der", type: "pkcs8" });
}

/** The SubjectPublicKeyInfo of a private or public key. */
export function encodePublicKey(key: KeyObject): Uint8Array {
  const publicKey = key.type === "public" ? key : createPublicKey(key);
  return publicKey.export({ format: "der", type: "spki" });
}

/** The algorithm that signatures by the key have: as albatross, SHA-256 with RSA, and with ECDSA the curve's size. */
export function algorithmOf(key: KeyObject): SignatureAlgorithm {
  if (key.asymmetricKeyType === "ed25519") return { scheme: "ed25519" };
  if (key.asymmetricKeyType === "rsa") return { scheme: "rsa-pkcs1", hash: "sha256" };
  const curve = key.asymmetricKeyDetails?.namedCurve;
  return { scheme: "ecdsa", hash: curve === curves.p384 ? "sha384" : curve === curves.p521 ? "sha512" : "sha256" };
}

/** Signs by `algorithmOf(key)`. The key must be one that `parseKey` or `keyOptions` gives. */
export function signBytes(key: KeyObject, bytes: Uint8Array): Uint8Array {
  const algorithm = algorithmOf(key);
  return sign(algorithm.scheme === "ed25519" ? undefined : algorithm.hash, bytes, key);
}

function isSupported(key: KeyObject): boolean {
  const { namedCurve = "", modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case "ed25519":
      return true;
    case "ec":
      return Object.values(curves).includes(namedCurve);
    case "rsa":
      return modulusLength >= 2048;
    default:
      return false;
  }
}

/** PKCS #8 of an Ed25519 key (RFC 8410 section 7) up to the seed, hexadecimal. */
const ed25519Head = "302e020100300506032b657004220420";

/** OpenSSL's names. */
const curves: Readonly<Record<"p256" | "p384" | "p521", string>> = {
  p256: "prime256v1",
  p384: "secp384r1",
  p521: "secp521r1",
};
