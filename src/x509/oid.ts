/**
 * Object identifiers of X.509, as the bytes that stand in a certificate.
 *
 * They are compared as hexadecimal text of those bytes, so that no identifier
 * that a stranger sends is ever turned into numbers, except a short one for a
 * message.
 *
 * @module
 */
import { type Reader, tags } from "../codec/der.ts";
import { type Der, primitive } from "../codec/der_writer.ts";
import { decodeOid } from "../codec/oid.ts";

/** The content of an OBJECT IDENTIFIER, hexadecimal. */
export type Oid = string;

/** Reads one OBJECT IDENTIFIER: canonical, and at most `maxOid` bytes. */
export function readOid(reader: Reader): Oid {
  const content = reader.content(tags.oid);
  if (content.length === 0 || content.length > maxOid) reader.fail("oid-malformed");
  let fresh = true;
  for (const byte of content) {
    if (fresh && byte === 0x80) reader.fail("oid-malformed");
    fresh = byte < 0x80;
  }
  if (!fresh) reader.fail("oid-malformed");
  return Buffer.from(content).toString("hex");
}

export function writeOid(oid: Oid): Der {
  return primitive(tags.oid, Buffer.from(oid, "hex"));
}

/** `2.5.29.15`; for messages and for libraries that want dots. */
export function printOid(oid: Oid): string {
  return decodeOid(Buffer.from(oid, "hex")) ?? oid;
}

/** Bytes; the longest that X.509 certificates use has 11. */
const maxOid = 39;

export const oids = {
  /** 1.3.6.1.4.1.49836.42: the command of a leaf, the policy of an intermediate. */
  command: "2b0601040183852c2a",
  /** 1.3.6.1.3.102117.1, of the experimental arc until we have a number of our own: the permissions of any of ours. */
  permissions: "2b060103869d6501",
  commonName: "550403",
  emailAddress: "2a864886f70d010901",
  subjectKeyId: "551d0e",
  keyUsage: "551d0f",
  subjectAltName: "551d11",
  basicConstraints: "551d13",
  nameConstraints: "551d1e",
  policyConstraints: "551d24",
  authorityKeyId: "551d23",
  crlNumber: "551d14",
  reasonCode: "551d15",
  deltaCrlIndicator: "551d1b",
  issuingDistributionPoint: "551d1c",
  certificateIssuer: "551d1d",
  extendedKeyUsage: "551d25",
  authorityInfoAccess: "2b06010505070101",
  serverAuth: "2b06010505070301",
  clientAuth: "2b06010505070302",
  anyExtendedKeyUsage: "551d2500",
  extensionRequest: "2a864886f70d01090e",
} as const;
