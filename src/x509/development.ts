/**
 * The root of the development PKI in `certs/`, whose key everybody has.
 *
 * @module
 */

/** SHA-256 of the certificate, hexadecimal. Who trusts it beyond this machine trusts everybody. */
export const developmentFingerprint = "2d3b91ae3ed2b3c2abd6686fc1065a192b0e7a4e67699b96dba75358e7960730";
