/**
 * Making certificates in the profiles that albatross writes.
 *
 * @module
 */
import { createHash, type KeyObject } from "node:crypto";
import { BitString, Integer, OctetString } from "asn1js";
import {
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate as CertificateSchema,
  Extension,
  ExtKeyUsage,
  Time,
  TimeType,
} from "pkijs";
import { encodePermissions } from "../codec/permission.ts";
import type { Permission } from "../core/permission.ts";
import type { Certificate } from "./certificate.ts";
import { encodeName } from "./distinguished_name.ts";
import { type Oid, oids, printOid } from "./oid.ts";
import { algorithmSchema, arrayBuffer, nameSchema, publicKeySchema, signSchema } from "./pkijs_schema.ts";
import { parsePublicKey } from "./public_key.ts";

/** An authority (the root or a delegate), a client's leaf, or the endpoint's certificate. */
export type Profile = "authority" | "client" | "server";

export interface Issuance {
  readonly profile: Profile;
  /** Absent: an empty subject. */
  readonly commonName?: string;
  /** The subject's SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
  /** Ours, encoded: the policy of a delegate, the command of a client. */
  readonly extension?: Uint8Array;
  /** Ours, too. Absent: everything is permitted. */
  readonly permissions?: readonly Permission[];
  /** Absent: the subject signs itself, which is for the root. */
  readonly issuer?: Certificate;
  /** The issuer's, or the subject's own. */
  readonly issuerKey: KeyObject;
  /** Milliseconds since the Unix epoch; parts of a second are cut off. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** 1 to 19 bytes, big endian, not all zero; albatross and we take 10 random ones. */
  readonly serial: Uint8Array;
}

/** How much earlier than now a certificate begins, milliseconds: clocks differ. */
export const backdating = 10_000;

/** Makes the certificate, DER. */
export function issueCertificate(issuance: Issuance): Uint8Array {
  const subject = encodeName(issuance.commonName);
  const certificate = new CertificateSchema();
  certificate.version = 2;
  certificate.serialNumber = serialNumber(issuance.serial);
  certificate.signature = algorithmSchema(issuance.issuerKey);
  certificate.issuer = nameSchema(issuance.issuer?.subject.bytes ?? subject);
  certificate.notBefore = timeSchema(issuance.notBefore);
  certificate.notAfter = timeSchema(issuance.notAfter);
  certificate.subject = nameSchema(subject);
  certificate.subjectPublicKeyInfo = publicKeySchema(issuance.publicKey);
  certificate.extensions = extensionsOf(issuance);
  return signSchema(certificate, issuance.issuerKey);
}

/** In albatross's order. Ours is never critical: albatross refuses critical extensions that its library does not know. */
function extensionsOf({ profile, extension, permissions, issuer, publicKey }: Issuance): Extension[] {
  const ca = profile === "authority";
  const command = [
    ...(extension === undefined ? [] : [wrap(oids.command, false, extension)]),
    ...(permissions === undefined ? [] : [wrap(oids.permissions, false, encodePermissions(permissions))]),
  ];
  const subjectKeyId = octetString(keyIdentifier(publicKey));
  const constraints = new BasicConstraints({ cA: ca });
  const common = [
    wrap(oids.keyUsage, true, keyUsage(ca ? authorityUsage : leafUsage)),
    wrap(oids.basicConstraints, true, constraints.toSchema().toBER()),
  ];
  if (issuer === undefined) return [...command, ...common];
  const authorityKeyId = new AuthorityKeyIdentifier({ keyIdentifier: octetString(signerIdentifier(issuer)) });
  const extensions = [
    ...command,
    wrap(oids.subjectKeyId, false, subjectKeyId.toBER()),
    ...common,
    wrap(oids.authorityKeyId, false, authorityKeyId.toSchema().toBER()),
  ];
  if (ca) return extensions;
  const purpose = printOid(profile === "client" ? oids.clientAuth : oids.serverAuth);
  const purposes = new ExtKeyUsage({ keyPurposes: [purpose] });
  return [...extensions, wrap(oids.extendedKeyUsage, true, purposes.toSchema().toBER())];
}

export function wrap(oid: Oid, critical: boolean, value: ArrayBuffer | Uint8Array): Extension {
  return new Extension({ extnID: printOid(oid), critical, extnValue: arrayBuffer(new Uint8Array(value)) });
}

/** A named bit list (X.690 section 11.2.2): without trailing zero bits. */
function keyUsage(bits: number): ArrayBuffer {
  const unusedBits = 31 - Math.clz32(bits & -bits);
  return new BitString({ valueHex: arrayBuffer(Uint8Array.of(bits)), unusedBits }).toBER();
}

/** digitalSignature, nonRepudiation, keyCertSign, cRLSign. */
const authorityUsage = 0b1100_0110;

/** digitalSignature, keyEncipherment. */
const leafUsage = 0b1010_0000;

/** The issuer's own choice of identifier, or the usual one where it (as albatross's root) names none. */
export function signerIdentifier(issuer: Certificate): Uint8Array {
  return issuer.extensions.subjectKeyId ?? keyIdentifier(issuer.publicKey.spki);
}

/** SHA-1 of the key's bits: a name, not a protection (RFC 5280 section 4.2.1.2, method 1). */
function keyIdentifier(spki: Uint8Array): Uint8Array {
  const key = parsePublicKey(spki);
  return createHash("sha1")
    .update(key.ok ? key.value.bits : spki)
    .digest();
}

export function octetString(bytes: Uint8Array): OctetString {
  return new OctetString({ valueHex: arrayBuffer(bytes) });
}

/** Positive and minimal. */
export function serialNumber(bytes: Uint8Array): Integer {
  const from = bytes.findIndex((byte) => byte !== 0);
  const significant = bytes.subarray(Math.max(from, 0));
  const padded = (significant[0] ?? 0) >= 0x80 ? Uint8Array.of(0, ...significant) : significant;
  return new Integer({ valueHex: arrayBuffer(padded) });
}

/** UTCTime through 2049 (RFC 5280 sections 4.1.2.5 and 5.1.2.4). */
export function timeSchema(milliseconds: number): Time {
  const value = new Date(Math.floor(milliseconds / 1000) * 1000);
  return new Time({ type: value.getUTCFullYear() < 2050 ? TimeType.UTCTime : TimeType.GeneralizedTime, value });
}
