/**
 * Making revocation lists: whole ones, of all that an authority has revoked.
 *
 * @module
 */
import type { KeyObject } from "node:crypto";
import { Integer } from "asn1js";
import { AuthorityKeyIdentifier, CertificateRevocationList, Extensions, RevokedCertificate } from "pkijs";
import type { Certificate } from "./certificate.ts";
import type { RevokedEntry } from "./crl.ts";
import { octetString, serialNumber, signerIdentifier, timeSchema, wrap } from "./issue.ts";
import { oids } from "./oid.ts";
import { algorithmSchema, nameSchema, signSchema } from "./pkijs_schema.ts";

export interface CrlIssuance {
  readonly issuer: Certificate;
  readonly issuerKey: KeyObject;
  /** Higher than that of every list before. */
  readonly number: number;
  /** Milliseconds since the Unix epoch; parts of a second are cut off. */
  readonly thisUpdate: number;
  readonly nextUpdate: number;
  /** Each serial number once. */
  readonly revoked: readonly RevokedEntry[];
}

/** Makes the list, DER. */
export function issueCrl({ issuer, issuerKey, number, thisUpdate, nextUpdate, revoked }: CrlIssuance): Uint8Array {
  const crl = new CertificateRevocationList();
  crl.version = 1;
  crl.signature = algorithmSchema(issuerKey);
  crl.issuer = nameSchema(issuer.subject.bytes);
  crl.thisUpdate = timeSchema(thisUpdate);
  crl.nextUpdate = timeSchema(nextUpdate);
  // An empty list is left out (RFC 5280 section 5.1.2.6).
  if (revoked.length > 0) crl.revokedCertificates = revoked.map(entrySchema);
  const authority = new AuthorityKeyIdentifier({ keyIdentifier: octetString(signerIdentifier(issuer)) });
  crl.crlExtensions = new Extensions({
    extensions: [
      wrap(oids.authorityKeyId, false, authority.toSchema().toBER()),
      wrap(oids.crlNumber, false, new Integer({ value: number }).toBER()),
    ],
  });
  return signSchema(crl, issuerKey);
}

function entrySchema({ serial, time }: RevokedEntry): RevokedCertificate {
  return new RevokedCertificate({ userCertificate: serialNumber(serial), revocationDate: timeSchema(time) });
}
