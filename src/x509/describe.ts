/**
 * The English of certificates: why one cannot be read, a path is refused, a
 * chain asks for nothing. One sentence each, no full stop.
 *
 * Certificates are counted from 1, the leaf.
 *
 * @module
 */
import { describeDer } from "../codec/describe.ts";
import { describeNameError } from "../core/describe.ts";
import { unreachable } from "../core/result.ts";
import type { AuthorityError } from "./authority.ts";
import type { CertificateError } from "./certificate.ts";
import type { KeyError } from "./keys.ts";
import type { PathError } from "./path.ts";
import type { PemError } from "./pem.ts";

export function describePathError(error: PathError): string {
  switch (error.kind) {
    case "no-certificate":
      return "no certificate was sent besides the authority's own";
    case "path-too-long":
      return `the chain has ${error.length} certificates, at most ${error.limit} are allowed`;
    case "not-issued-by-next":
      return `certificate ${error.at + 1} is not issued by the one after it: the chain must be complete, in order, and nothing else`;
    case "signature-wrong":
      return `the signature of certificate ${error.at + 1} is not by the one after it: that one has another key, or one of the two was changed`;
    case "algorithm-unsupported":
      return `certificate ${error.at + 1} is signed with an algorithm that is not supported`;
    case "key-weak":
      return `the key of certificate ${error.at + 1} is too weak or of a kind that is not supported: Ed25519, P-256, P-384, P-521, and RSA of 2048 to 8192 bits are`;
    case "not-yet-valid":
      return `certificate ${error.at + 1} is not valid before ${time(error.notBefore)}, now is ${time(error.now)}: it is early, or a clock is wrong`;
    case "expired":
      return `certificate ${error.at + 1} was valid until ${time(error.notAfter)}, now is ${time(error.now)}: its issuer must sign a new one`;
    case "extension-unhandled":
      return `certificate ${error.at + 1} has the extension ${error.oid}, which cannot be honoured`;
    case "key-identifier-missing":
      return `certificate ${error.at + 1} lacks a key identifier`;
    default:
      return describeRoleError(error);
  }
}

export function describeAuthorityError(error: AuthorityError): string {
  switch (error.kind) {
    case "extension-missing":
      return "the first certificate carries no command";
    case "extension-undecodable":
      return `the command of certificate ${error.at + 1} cannot be read: ${describeDer(error.error)}`;
    case "command-not-allowed":
      return `the command ${error.command} cannot be given by certificate`;
    case "not-a-policy":
      return `certificate ${error.at + 1} delegates, and must carry a policy, not the command ${error.command}`;
    case "common-name-missing":
      return `certificate ${error.at + 1} has no common name`;
    case "common-name-bad":
      return `the common name of certificate ${error.at + 1} is no label: ${describeNameError(error.error)}`;
    case "label-needed":
      return `the command ${error.command} needs the name of one block device`;
    default:
      return unreachable(error);
  }
}

export function describeCertificateError(error: CertificateError): string {
  switch (error.kind) {
    case "der":
      return describeDer(error);
    case "extension-repeated":
      return `the extension ${error.oid} is in it twice`;
    case "extension-malformed":
      return `the extension ${error.oid} is malformed, ${describeDer(error.error)}`;
    case "version":
      return `it has version ${error.version}, only version 3 is accepted`;
    case "serial-not-positive":
      return "its serial number is not positive";
    case "serial-too-long":
      return `its serial number has ${error.length} bytes, at most ${error.limit} are allowed`;
    case "issuer-empty":
      return "it names no issuer";
    case "algorithms-differ":
      return "it names two different signature algorithms";
    default:
      return unreachable(error);
  }
}

export function describePemError(error: PemError): string {
  switch (error.kind) {
    case "pem-not-ended":
      return `the ${error.label} of line ${error.line} has no end`;
    case "pem-bad-base64":
      return `the ${error.label} of line ${error.line} is damaged`;
    case "pem-missing":
      return `there is no ${error.label} in it`;
    case "pem-bad-certificate":
      return `certificate ${error.index + 1} cannot be read: ${describeCertificateError(error.error)}`;
    default:
      return unreachable(error);
  }
}

export function describeKeyError(error: KeyError): string {
  switch (error.kind) {
    case "key-missing":
      return "there is no private key in it";
    case "key-encrypted":
      return "the key is encrypted, and there is no terminal to ask for its passphrase";
    case "key-passphrase-wrong":
      return "the key is encrypted, and not with this passphrase";
    case "key-malformed":
      return "the private key is damaged";
    case "key-unsupported":
      return `keys of type ${error.type} are not supported`;
    default:
      return unreachable(error);
  }
}

type AboutRoles =
  | "not-an-authority"
  | "path-length-exceeded"
  | "anchor-inconsistent"
  | "leaf-is-authority"
  | "leaf-cannot-sign"
  | "purpose-not-allowed"
  | "server-delegated"
  | "name-not-permitted"
  | "comparisons-too-many";

/** What a certificate may be used for, and be called. */
function describeRoleError(error: Extract<PathError, { kind: AboutRoles }>): string {
  switch (error.kind) {
    case "not-an-authority":
      return `certificate ${error.at + 1} is not an authority's, and cannot sign others`;
    case "path-length-exceeded":
      return `certificate ${error.at + 1} allows ${error.limit} authorities below it, there are ${error.below}`;
    case "anchor-inconsistent":
      return "the authority's own certificate contradicts itself";
    case "leaf-is-authority":
      return "the first certificate is an authority's, a command needs one of its own";
    case "leaf-cannot-sign":
      return "the key of the first certificate is not for signatures";
    case "purpose-not-allowed":
      return `certificate ${error.at + 1} is not for a ${error.purpose}`;
    case "server-delegated":
      return `certificate ${error.at + 1} is a delegate's, which cannot vouch for a server`;
    case "name-not-permitted":
      return `certificate ${error.at + 1} has a name that the name constraints of certificate ${error.by + 1} do not permit`;
    case "comparisons-too-many":
      return `the chain has too many names and name constraints: more than ${error.limit} comparisons are needed`;
    default:
      return unreachable(error);
  }
}

function time(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
