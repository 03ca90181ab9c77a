/**
 * What is exported of keys that are not RSA, by pkijs, whose cryptography is WebCrypto's.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { BmpString, OctetString } from "asn1js";
import {
  Attribute,
  AuthenticatedSafe,
  CertBag,
  EncryptedData,
  PFX,
  PKCS8ShroudedKeyBag,
  SafeBag,
  SafeContents,
} from "pkijs";
import type { Bundle } from "./export.ts";
import { iterations } from "./export_limits.ts";
import { arrayBuffer } from "./pkijs_schema.ts";

/** EncryptedPrivateKeyInfo (RFC 5958), DER. */
export async function pkijsEncrypted(pkcs8: Uint8Array, passphrase: string): Promise<Uint8Array> {
  return new Uint8Array((await shroud(pkcs8, passphrase)).toSchema().toBER());
}

/** PFX (RFC 7292), DER. */
export async function pkijsBundle({ key, chain, title }: Bundle, passphrase: string): Promise<Uint8Array> {
  const [leaf, ...above] = chain;
  const attributes = bagAttributes(leaf.raw, title);
  const certificates = [certificateBag(leaf.raw, attributes), ...above.map(({ raw }) => certificateBag(raw, []))];
  const shrouded = await shroud(key.export({ format: "der", type: "pkcs8" }), passphrase);
  const keyBag = new SafeBag({ bagId: bagIds.shroudedKey, bagValue: shrouded, bagAttributes: attributes });
  const safeContents = [certificates, [keyBag]].map((safeBags) => {
    return { privacyMode: plain, value: new SafeContents({ safeBags }) };
  });
  const safe = new AuthenticatedSafe({ parsedValue: { safeContents } });
  await safe.makeInternalValues({ safeContents: safeContents.map(() => ({})) });
  const pfx = new PFX({ parsedValue: { integrityMode: byPassword, authenticatedSafe: safe } });
  await pfx.makeInternalValues({
    password: encode(passphrase),
    iterations,
    pbkdf2HashAlgorithm: { name: hash },
    hmacHashAlgorithm: hash,
  });
  return new Uint8Array(pfx.toSchema().toBER());
}

async function shroud(pkcs8: Uint8Array, passphrase: string): Promise<PKCS8ShroudedKeyBag> {
  const data = new EncryptedData();
  await data.encrypt({
    password: encode(passphrase),
    contentEncryptionAlgorithm: { name: "AES-CBC", length: 256 },
    hmacHashAlgorithm: hash,
    iterationCount: iterations,
    contentToEncrypt: arrayBuffer(pkcs8),
  });
  const { contentEncryptionAlgorithm, encryptedContent } = data.encryptedContentInfo;
  if (encryptedContent === undefined) throw new Error("pkijs encrypted nothing");
  const encrypted = new OctetString({ valueHex: encryptedContent.getValue() });
  return new PKCS8ShroudedKeyBag({ encryptionAlgorithm: contentEncryptionAlgorithm, encryptedData: encrypted });
}

/** The certificate's bytes as they are: a certificate that is encoded anew may lose its signature. */
function certificateBag(der: Uint8Array, bagAttributes: Attribute[]): SafeBag {
  const certValue = new OctetString({ valueHex: arrayBuffer(der) });
  const bagValue = new CertBag({ certId: bagIds.x509, certValue });
  return new SafeBag({ bagId: bagIds.certificate, bagValue, ...(bagAttributes.length > 0 && { bagAttributes }) });
}

/** What ties a key to its certificate, and the title. */
function bagAttributes(der: Uint8Array, title: string): Attribute[] {
  const digest = createHash("sha1").update(der).digest();
  return [
    new Attribute({ type: localKeyId, values: [new OctetString({ valueHex: arrayBuffer(digest) })] }),
    new Attribute({ type: friendlyName, values: [new BmpString({ value: title })] }),
  ];
}

function encode(passphrase: string): ArrayBuffer {
  return arrayBuffer(new TextEncoder().encode(passphrase));
}

/** RFC 7292 section 4.2, and of PKCS #9 the type of a certificate. */
const bagIds = {
  shroudedKey: "1.2.840.113549.1.12.10.1.2",
  certificate: "1.2.840.113549.1.12.10.1.3",
  x509: "1.2.840.113549.1.9.22.1",
} as const;

/** PKCS #9. */
const localKeyId = "1.2.840.113549.1.9.21";
const friendlyName = "1.2.840.113549.1.9.20";

const hash = "SHA-256";

/** pkijs's numbers. */
const plain = 0;
const byPassword = 0;
