/**
 * Path validation: from what a peer presented to the one path that it is.
 *
 *     leaf ──▶ intermediate ──▶ … ──▶ intermediate ──▶ anchor      (each signed by the next)
 *
 * Nothing is searched for: the certificates presented are the path, leaf first,
 * or they are refused. A `VerifiedPath` comes from here alone; names and
 * policies are read off nothing else.
 *
 * @module
 */
import { err, ok, type Result } from "../core/result.ts";
import { type Certificate, sameBytes } from "./certificate.ts";
import type { Extensions } from "./extensions.ts";
import { checkNames, type NameConstraintError } from "./name_constraints.ts";
import { oids, printOid } from "./oid.ts";
import { isStrong } from "./public_key.ts";
import { type SignatureCache, verifySignature } from "./signature.ts";

declare const brand: unique symbol;

/** Certificates that `verifyPath` has found to be a path. */
export type VerifiedPath = CertificatePath & { readonly [brand]: "VerifiedPath" };

interface CertificatePath {
  readonly leaf: Certificate;
  /** From the leaf's issuer to the one that the anchor signed. */
  readonly intermediates: readonly Certificate[];
  readonly anchor: Certificate;
  /** The earliest end of validity, the anchor's included: milliseconds since the Unix epoch. */
  readonly notAfter: number;
}

/** What the leaf is to be: a client of ours, or our server. */
export type Purpose = "client" | "server";

/** What a certificate calls its subject: the common name, where it has one. */
export type SubjectName = string | undefined;

/** With the names along the path, where it is known. */
export type PathError = PathFault & { readonly names?: readonly SubjectName[] };

/** `at` counts along the path: 0 is the leaf, the number of certificates is the anchor. */
type PathFault =
  | { readonly kind: "no-certificate" }
  | { readonly kind: "path-too-long"; readonly length: number; readonly limit: number }
  /** It does not name the next certificate (by name or by key identifier) as its issuer. */
  | { readonly kind: "not-issued-by-next"; readonly at: number }
  | { readonly kind: "signature-wrong"; readonly at: number }
  | { readonly kind: "algorithm-unsupported"; readonly at: number }
  | { readonly kind: "key-weak"; readonly at: number }
  | { readonly kind: "not-yet-valid"; readonly at: number; readonly notBefore: number; readonly now: number }
  | { readonly kind: "expired"; readonly at: number; readonly notAfter: number; readonly now: number }
  | { readonly kind: "extension-unhandled"; readonly at: number; readonly oid: string }
  /** It has one of its two key identifiers (RFC 5280 sections 4.2.1.1 and 4.2.1.2), and lacks the other. */
  | { readonly kind: "key-identifier-missing"; readonly at: number }
  | { readonly kind: "not-an-authority"; readonly at: number }
  | { readonly kind: "path-length-exceeded"; readonly at: number; readonly limit: number; readonly below: number }
  | { readonly kind: "anchor-inconsistent" }
  | { readonly kind: "leaf-is-authority" }
  | { readonly kind: "leaf-cannot-sign" }
  | { readonly kind: "purpose-not-allowed"; readonly at: number; readonly purpose: Purpose }
  /** A server's path that carries our extension: a tenant could have made it. */
  | { readonly kind: "server-delegated"; readonly at: number }
  | NameConstraintError;

/** Most certificates of a path without its anchor, as albatross: a leaf and 8 labels. */
export const maxPath = 9;

/**
 * Verifies what was presented (RFC 5280 section 6.1, without policies: a path that depends on them is refused).
 *
 * Before that, byte-identical repetitions and the anchor itself are dropped: people's files have them. The anchor's
 * own validity and extensions count, too, which RFC 5280 leaves open. Costs at most one signature check for each
 * certificate, made from the anchor downwards, so that no stranger's key is used before it is vouched for; no stranger's
 * names are compared, either.
 *
 * @param presented - leaf first
 * @param now - milliseconds since the Unix epoch
 * @param signatures - intermediates verified before; a leaf is never looked up
 */
export function verifyPath(
  presented: readonly Certificate[],
  anchor: Certificate,
  now: number,
  purpose: Purpose,
  signatures?: SignatureCache,
): Result<VerifiedPath, PathError> {
  const [leaf, ...intermediates] = withoutRepetitions(presented, anchor);
  if (leaf === undefined) return err({ kind: "no-certificate" });
  const path = [leaf, ...intermediates, anchor];
  if (path.length > maxPath + 1) return err({ kind: "path-too-long", length: path.length - 1, limit: maxPath });
  const problem =
    checkEach(path, now, purpose) ??
    checkLeaf(leaf, purpose) ??
    checkSigners(path, purpose) ??
    checkAnchor(anchor) ??
    checkSignatures(path, signatures) ??
    checkConstraints(path);
  if (problem !== undefined) return err({ ...problem, names: namesOf(path) });
  const notAfter = Math.min(...path.map((certificate) => certificate.notAfter));
  const verified: CertificatePath = { leaf, intermediates, anchor, notAfter };
  return ok(verified as VerifiedPath);
}

export function namesOf(path: readonly Certificate[]): readonly SubjectName[] {
  return path.map(({ subject }) => subject.commonName);
}

function withoutRepetitions(presented: readonly Certificate[], anchor: Certificate): Certificate[] {
  const seen = new Set([digest(anchor)]);
  return presented.filter((certificate) => {
    const fresh = !seen.has(digest(certificate));
    seen.add(digest(certificate));
    return fresh;
  });
}

function digest(certificate: Certificate): string {
  return Buffer.from(certificate.fingerprint).toString("base64");
}

/** What holds for every certificate, the anchor included. */
function checkEach(path: readonly Certificate[], now: number, purpose: Purpose): PathFault | undefined {
  // Validity is in whole seconds: the second of notAfter still counts (RFC 5280 section 4.1.2.5).
  const second = Math.floor(now / 1000) * 1000;
  for (const [at, { notBefore, notAfter, publicKey, extensions }] of path.entries()) {
    if (second < notBefore) return { kind: "not-yet-valid", at, notBefore, now };
    if (second > notAfter) return { kind: "expired", at, notAfter, now };
    const [oid] = extensions.unhandled;
    if (oid !== undefined) return { kind: "extension-unhandled", at, oid };
    if (!isStrong(publicKey.shape)) return { kind: "key-weak", at };
    if (!identifiersComplete(extensions, at, path.length)) return { kind: "key-identifier-missing", at };
    if (purpose === "server" && extensions.command !== undefined) return { kind: "server-delegated", at };
  }
  return undefined;
}

/**
 * RFC 5280 wants both identifiers in everything but a self-signed certificate (no authority's) and a leaf (no subject's).
 * Some in use have neither, and albatross takes them: none at all is let pass, one without its counterpart is not.
 */
function identifiersComplete({ subjectKeyId, authorityKeyId }: Extensions, at: number, length: number): boolean {
  const isAnchor = at === length - 1;
  if (authorityKeyId === undefined) return isAnchor || subjectKeyId === undefined;
  return at === 0 || isAnchor || subjectKeyId !== undefined;
}

function checkLeaf(leaf: Certificate, purpose: Purpose): PathFault | undefined {
  const { basicConstraints, keyUsage, extendedKeyUsage, nameConstraints } = leaf.extensions;
  if (basicConstraints?.ca === true || keyUsage?.keyCertSign === true) return { kind: "leaf-is-authority" };
  // TLS 1.3 signs with the leaf's key (RFC 8446 section 4.4.2.2).
  if (keyUsage?.digitalSignature === false) return { kind: "leaf-cannot-sign" };
  if (nameConstraints !== undefined) {
    return { kind: "extension-unhandled", at: 0, oid: printOid(oids.nameConstraints) };
  }
  const named = extendedKeyUsage?.includes(purposeOid[purpose]) ?? purpose === "client";
  // A leaf for every purpose is for none: the Web PKI forbids it, albatross writes none.
  const allowed = named && extendedKeyUsage?.includes(oids.anyExtendedKeyUsage) !== true;
  return allowed ? undefined : { kind: "purpose-not-allowed", at: 0, purpose };
}

/** Everyone above the leaf is an authority over the next one down. */
function checkSigners(path: readonly Certificate[], purpose: Purpose): PathFault | undefined {
  let below = 0;
  for (const [at, signer] of path.entries()) {
    const signed = path[at - 1];
    if (signed === undefined) continue;
    if (!isIssuedBy(signed, signer)) return { kind: "not-issued-by-next", at: at - 1 };
    if (signed.algorithm === undefined) return { kind: "algorithm-unsupported", at: at - 1 };
    const problem = checkAuthority(signer, at, below, purpose);
    if (problem !== undefined) return problem;
    // Self-issued certificates do not count (RFC 5280 section 4.2.1.9).
    if (!isSelfIssued(signer)) below++;
  }
  return undefined;
}

/** @param below - intermediates between the signer and the leaf */
function checkAuthority(signer: Certificate, at: number, below: number, purpose: Purpose): PathFault | undefined {
  const { basicConstraints, keyUsage, extendedKeyUsage } = signer.extensions;
  if (basicConstraints?.ca !== true || !basicConstraints.critical || keyUsage?.keyCertSign !== true) {
    return { kind: "not-an-authority", at };
  }
  const { pathLength: limit = Number.POSITIVE_INFINITY } = basicConstraints;
  if (below > limit) return { kind: "path-length-exceeded", at, limit, below };
  const purposes = extendedKeyUsage ?? [oids.anyExtendedKeyUsage];
  const allowed = purposes.includes(purposeOid[purpose]) || purposes.includes(oids.anyExtendedKeyUsage);
  return allowed ? undefined : { kind: "purpose-not-allowed", at, purpose };
}

/** A self-issued anchor names itself, and an anchor's purpose is to sign: an extendedKeyUsage there means something else. */
function checkAnchor(anchor: Certificate): PathFault | undefined {
  const { extendedKeyUsage, authorityKeyId } = anchor.extensions;
  const named = isSelfIssued(anchor) ? isIssuedBy(anchor, anchor) : authorityKeyId !== undefined;
  const consistent = extendedKeyUsage === undefined && named;
  return consistent ? undefined : { kind: "anchor-inconsistent" };
}

function checkSignatures(path: readonly Certificate[], signatures: SignatureCache | undefined): PathFault | undefined {
  for (let at = path.length - 2; at >= 0; at--) {
    const [signed, signer] = [path[at], path[at + 1]];
    if (signed === undefined || signer === undefined) continue;
    const check = (): boolean => verifySignature(signer.publicKey, signed);
    const good =
      at > 0 && signatures !== undefined ? signatures.verify(signer.fingerprint, signed.fingerprint, check) : check();
    if (!good) return { kind: "signature-wrong", at };
  }
  return undefined;
}

function checkConstraints(path: readonly Certificate[]): PathFault | undefined {
  const intermediates = path.map((certificate, at) => at > 0 && isSelfIssued(certificate));
  const checked = checkNames(path, (at) => intermediates[at] === true);
  return checked.ok ? undefined : checked.error;
}

function isIssuedBy(signed: Certificate, signer: Certificate): boolean {
  const { authorityKeyId } = signed.extensions;
  const { subjectKeyId } = signer.extensions;
  const sameKey = authorityKeyId === undefined || subjectKeyId === undefined || sameBytes(authorityKeyId, subjectKeyId);
  return sameKey && sameBytes(signed.issuer.bytes, signer.subject.bytes);
}

function isSelfIssued(certificate: Certificate): boolean {
  return sameBytes(certificate.issuer.bytes, certificate.subject.bytes);
}

const purposeOid = { client: oids.clientAuth, server: oids.serverAuth } as const;
