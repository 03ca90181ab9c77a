/**
 * The English of certificates: why one cannot be read, a path is refused, a
 * chain asks for nothing. One sentence each, no full stop.
 *
 * Certificates are counted from 1, the leaf, and named where they have names.
 *
 * @module
 */
import { describeDer } from "../codec/describe.ts";
import { describeNameError } from "../core/describe.ts";
import { unreachable } from "../core/result.ts";
import type { AuthorityError } from "./authority.ts";
import type { CertificateError } from "./certificate.ts";
import type { KeyError } from "./keys.ts";
import type { PathError, SubjectName } from "./path.ts";
import type { PemError } from "./pem.ts";

export function describePathError(error: PathError): string {
  const nth = (at: number): string => called(at, error.names);
  switch (error.kind) {
    case "no-certificate":
      return "no certificate was sent besides the authority's own";
    case "path-too-long":
      return `the chain has ${error.length} certificates, at most ${error.limit} are allowed`;
    case "not-issued-by-next":
      return `${nth(error.at)} is not issued by the one after it: the chain must be complete, in order, and nothing else`;
    case "signature-wrong":
      return `the signature of ${nth(error.at)} is not by the one after it: that one has another key, or one of the two was changed`;
    case "algorithm-unsupported":
      return `${nth(error.at)} is signed with an algorithm that is not supported`;
    case "key-weak":
      return `the key of ${nth(error.at)} is too weak or of a kind that is not supported: Ed25519, P-256, P-384, P-521, and RSA of 2048 to 8192 bits are`;
    case "not-yet-valid":
      return `${nth(error.at)} is not valid before ${time(error.notBefore)}, now is ${time(error.now)}: it is early, or a clock is wrong`;
    case "expired":
      return `${nth(error.at)} was valid until ${time(error.notAfter)}, now is ${time(error.now)}: its issuer must sign a new one`;
    case "extension-unhandled":
      return `${nth(error.at)} has the extension ${error.oid}, which cannot be honoured`;
    case "key-identifier-missing":
      return `${nth(error.at)} lacks a key identifier`;
    default:
      return describeRoleError(error, nth);
  }
}

/** @param names - along the path, leaf first */
export function describeAuthorityError(error: AuthorityError, names: readonly SubjectName[] = []): string {
  switch (error.kind) {
    case "extension-missing":
      return "the first certificate carries no command";
    case "extension-undecodable":
      return `the command of ${called(error.at, names)} cannot be read: ${describeDer(error.error)}`;
    case "command-not-allowed":
      return `the command ${error.command} cannot be given by certificate`;
    case "not-a-policy":
      return `${called(error.at, names)} delegates, and must carry a policy, not the command ${error.command}`;
    case "common-name-missing":
      return `${called(error.at, names)} has no common name`;
    case "common-name-bad":
      return `the common name of ${called(error.at, names)} is no label: ${describeNameError(error.error)}`;
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
function describeRoleError(error: Extract<PathError, { kind: AboutRoles }>, nth: (at: number) => string): string {
  switch (error.kind) {
    case "not-an-authority":
      return `${nth(error.at)} is not an authority's, and cannot sign others`;
    case "path-length-exceeded":
      return `${nth(error.at)} allows ${error.limit} authorities below it, there are ${error.below}`;
    case "anchor-inconsistent":
      return "the authority's own certificate contradicts itself";
    case "leaf-is-authority":
      return "the first certificate is an authority's, a command needs one of its own";
    case "leaf-cannot-sign":
      return "the key of the first certificate is not for signatures";
    case "purpose-not-allowed":
      return `${nth(error.at)} is not for a ${error.purpose}`;
    case "server-delegated":
      return `${nth(error.at)} is a delegate's, which cannot vouch for a server`;
    case "name-not-permitted":
      return `${nth(error.at)} has a name that the name constraints of ${nth(error.by)} do not permit`;
    case "comparisons-too-many":
      return `the chain has too many names and name constraints: more than ${error.limit} comparisons are needed`;
    default:
      return unreachable(error);
  }
}

/** `certificate 2 (alice)`: a name is whatever its owner wrote, and need not be short, nor fit to be printed. */
function called(at: number, names: readonly SubjectName[] = []): string {
  const name = names[at];
  const printed = name?.slice(0, longestName).replace(/\p{C}/gu, "\ufffd");
  return printed === undefined || printed === "" ? `certificate ${at + 1}` : `certificate ${at + 1} (${printed})`;
}

function time(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

/** Characters, as many as a label of ours has. */
const longestName = 63;
