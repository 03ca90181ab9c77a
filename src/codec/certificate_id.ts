/**
 * A certificate as revocation lists know it: SEQUENCE { issuer OCTET STRING (SHA-256), serial OCTET STRING }.
 *
 * @module
 */
import type { CertificateId } from "../core/revocation.ts";
import type { Reader } from "./der.ts";
import { type Der, octets, sequence } from "./der_writer.ts";

export function readCertificateId(reader: Reader): CertificateId {
  return reader.sequence((inside) => {
    const issuer = inside.octets();
    const serial = inside.octets();
    if (issuer.length !== digestLength || serial.length === 0 || serial.length > maxSerial)
      inside.fail("value-refused");
    return { issuer: hex(issuer), serial: hex(serial) };
  });
}

export function writeCertificateId({ issuer, serial }: CertificateId): Der {
  return sequence(octets(Buffer.from(issuer, "hex")), octets(Buffer.from(serial, "hex")));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}

/** Bytes of a SHA-256. */
const digestLength = 32;

/** Bytes (RFC 5280 section 4.1.2.2). */
const maxSerial = 20;
