/**
 * What is exported of RSA keys, by node-forge.
 *
 * @module
 */
import forge from "node-forge";
import type { Bundle } from "./export.ts";
import { iterations } from "./export_limits.ts";

/** EncryptedPrivateKeyInfo (RFC 5958), DER. */
export function forgeEncrypted(pkcs8: Uint8Array, passphrase: string): Uint8Array {
  const key = forge.asn1.fromDer(binary(pkcs8));
  const encrypted = forge.pki.encryptPrivateKeyInfo(key, forge.util.encodeUtf8(passphrase), options);
  return bytes(forge.asn1.toDer(encrypted).getBytes());
}

/** PFX (RFC 7292), DER; undefined where forge cannot write one of the certificates as it is. */
export function forgeBundle({ key, chain, title }: Bundle, passphrase: string): Uint8Array | undefined {
  const certificates = chain.map(({ raw }) => readCertificate(raw)).filter((certificate) => certificate !== undefined);
  if (certificates.length < chain.length) return undefined;
  const pkcs8 = forge.asn1.fromDer(binary(key.export({ format: "der", type: "pkcs8" })));
  const privateKey = forge.pki.privateKeyFromAsn1(pkcs8);
  const pfx = forge.pkcs12.toPkcs12Asn1(privateKey, certificates, passphrase, { ...options, friendlyName: title });
  return bytes(forge.asn1.toDer(pfx).getBytes());
}

/** forge encodes certificates anew, and some otherwise than they were, such as those that Ed25519 signed. */
function readCertificate(raw: Uint8Array): forge.pki.Certificate | undefined {
  try {
    const certificate = forge.pki.certificateFromAsn1(forge.asn1.fromDer(binary(raw)));
    const again = forge.asn1.toDer(forge.pki.certificateToAsn1(certificate)).getBytes();
    return again === binary(raw) ? certificate : undefined;
  } catch {
    return undefined;
  }
}

/** forge's strings are bytes. */
function binary(content: Uint8Array): string {
  return Buffer.from(content).toString("latin1");
}

function bytes(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}

const options = { algorithm: "aes256", prfAlgorithm: "sha256", count: iterations, saltSize: 16 } as const;
