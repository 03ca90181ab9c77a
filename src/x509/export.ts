/**
 * Keys and certificates for people and browsers: a key behind a passphrase
 * (encrypted PKCS #8), and a key with its certificates in one file (PKCS #12).
 *
 * Both use PBES2: PBKDF2 with HMAC-SHA-256, then AES-256-CBC. What is RSA
 * throughout is made by node-forge, the rest, which it does not know, by pkijs.
 *
 * @module
 */
import type { KeyObject } from "node:crypto";
import type { Certificate } from "./certificate.ts";
import { forgeBundle, forgeEncrypted } from "./export_forge.ts";
import { pkijsBundle, pkijsEncrypted } from "./export_pkijs.ts";
import { encodePem } from "./pem.ts";

/** A key, its certificate first, and what a browser lists them as. */
export interface Bundle {
  readonly key: KeyObject;
  readonly chain: readonly [Certificate, ...Certificate[]];
  /** Characters of the Basic Multilingual Plane. */
  readonly title: string;
}

/** PEM, `ENCRYPTED PRIVATE KEY`. */
export async function encryptKey(key: KeyObject, passphrase: string): Promise<string> {
  const pkcs8 = key.export({ format: "der", type: "pkcs8" });
  const isRsa = key.asymmetricKeyType === "rsa";
  const der = isRsa ? forgeEncrypted(pkcs8, passphrase) : await pkijsEncrypted(pkcs8, passphrase);
  return encodePem("ENCRYPTED PRIVATE KEY", der);
}

/**
 * PKCS #12, DER. The certificates are readable without the passphrase, the key is not.
 *
 * @param passphrase - as `isBundlePassphrase` allows
 */
export async function encodeBundle(bundle: Bundle, passphrase: string): Promise<Uint8Array> {
  const isRsa = bundle.chain.every(({ publicKey }) => publicKey.shape.kind === "rsa");
  const made = isRsa ? forgeBundle(bundle, passphrase) : undefined;
  return made ?? pkijsBundle(bundle, passphrase);
}

/** Programs agree about ASCII alone: PKCS #12 derives one of its keys from UTF-16, the other from whatever was typed. */
export function isBundlePassphrase(passphrase: string): boolean {
  return /^[\x20-\x7e]+$/.test(passphrase);
}
