/**
 * Which certificate it is, for those who revoke: revocation lists know it by
 * its issuer and by its serial number there.
 *
 * An issuer is its name and its key together: a certificate renewed with both
 * is the same authority, and nobody else can be it.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { CertificateId } from "../core/revocation.ts";
import type { Certificate } from "./certificate.ts";

/** SHA-256 of the authority's name and key, hexadecimal. */
export function authorityId(authority: Certificate): string {
  const known = authorities.get(authority);
  if (known !== undefined) return known;
  // Both say their own length, so that no two pairs give the same bytes.
  const hash = createHash("sha256").update(authority.subject.bytes).update(authority.publicKey.spki);
  const id = hash.digest("hex");
  authorities.set(authority, id);
  return id;
}

export function certificateId(certificate: Certificate, issuer: Certificate): CertificateId {
  return { issuer: authorityId(issuer), serial: Buffer.from(certificate.serial).toString("hex") };
}

const authorities: WeakMap<Certificate, string> = new WeakMap();
