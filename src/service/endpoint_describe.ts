/**
 * The English of the endpoint: why a chain is refused, why a request was not
 * answered, why there is no service. One sentence each, no full stop.
 *
 * Certificates are counted from 1, the leaf.
 *
 * @module
 */
import { describeNameError } from "../core/describe.ts";
import { unreachable } from "../core/result.ts";
import { maxPresented } from "../host/tls_limits.ts";
import type { ForwardEnd } from "../host/tls_relay.ts";
import type { AuthorityError } from "../x509/authority.ts";
import type { CertificateError } from "../x509/certificate.ts";
import type { KeyError } from "../x509/keys.ts";
import type { PathError } from "../x509/path.ts";
import type { PemError } from "../x509/pem.ts";
import { describeDer } from "./describe_codec.ts";
import type { EndpointError } from "./endpoint.ts";
import type { ChainError } from "./endpoint_request.ts";

export function describeChainError(error: ChainError): string {
  switch (error.kind) {
    case "too-many-certificates":
      return `more than ${maxPresented} certificates were sent`;
    case "certificate":
      return `certificate ${error.at + 1} cannot be read: ${describeCertificateError(error.error)}`;
    case "path":
      return describePathError(error.error);
    case "authority":
      return describeAuthorityError(error.error);
    default:
      return unreachable(error);
  }
}

/** Absent: the client has its answer, or is not there to read one. */
export function describeForwardEnd(end: ForwardEnd, answered: boolean): string | undefined {
  switch (end.kind) {
    case "done":
      return answered ? undefined : "the daemon ended the connection without an answer";
    case "daemon-unreachable":
      return `the daemon of this host cannot be reached (${end.code}), nothing was done`;
    case "daemon-broke":
      return `the connection to the daemon broke (${end.code})`;
    case "client-gone":
      return undefined;
    case "client-unasked":
      return `more than ${end.limit} bytes were sent where none are expected`;
    case "stalled":
      return `nothing moved for ${end.milliseconds / 1000} seconds`;
    case "no-reply":
      return `the daemon did not answer within ${end.milliseconds / 1000} seconds`;
    case "expired":
      return "the certificate of this subscription is no longer valid";
    default:
      return unreachable(end);
  }
}

function describePathError(error: PathError): string {
  switch (error.kind) {
    case "no-certificate":
      return "no certificate was sent besides the authority's own";
    case "path-too-long":
      return `the chain has ${error.length} certificates, at most ${error.limit} are allowed`;
    case "not-issued-by-next":
      return `certificate ${error.at + 1} is not issued by the one after it: the chain must be complete, in order, and nothing else`;
    case "signature-wrong":
      return `the signature of certificate ${error.at + 1} is not by the one after it`;
    case "algorithm-unsupported":
      return `certificate ${error.at + 1} is signed with an algorithm that is not supported`;
    case "key-weak":
      return `the key of certificate ${error.at + 1} is too weak or of a kind that is not supported`;
    case "not-yet-valid":
      return `certificate ${error.at + 1} is not valid before ${time(error.notBefore)}, now is ${time(error.now)}`;
    case "expired":
      return `certificate ${error.at + 1} was valid until ${time(error.notAfter)}, now is ${time(error.now)}`;
    case "extension-unhandled":
      return `certificate ${error.at + 1} has the extension ${error.oid}, which cannot be honoured`;
    case "key-identifier-missing":
      return `certificate ${error.at + 1} lacks a key identifier`;
    default:
      return describeRoleError(error);
  }
}

type AboutRoles =
  | "not-an-authority"
  | "path-length-exceeded"
  | "anchor-inconsistent"
  | "leaf-is-authority"
  | "leaf-cannot-sign"
  | "purpose-not-allowed"
  | "server-delegated";

/** What a certificate may be used for. */
function describeRoleError(error: Extract<PathError, { kind: AboutRoles }>): string {
  switch (error.kind) {
    case "not-an-authority":
      return `certificate ${error.at + 1} is not an authority's, and cannot sign others`;
    case "path-length-exceeded":
      return `certificate ${error.at + 1} allows ${error.limit} authorities below it, there are ${error.below}`;
    case "anchor-inconsistent":
      return "the endpoint's own authority contradicts itself";
    case "leaf-is-authority":
      return "the first certificate is an authority's, a command needs one of its own";
    case "leaf-cannot-sign":
      return "the key of the first certificate is not for signatures";
    case "purpose-not-allowed":
      return `certificate ${error.at + 1} is not for a ${error.purpose}`;
    case "server-delegated":
      return `certificate ${error.at + 1} is a delegate's, which cannot vouch for a server`;
    default:
      return unreachable(error);
  }
}

function describeAuthorityError(error: AuthorityError): string {
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

function describeCertificateError(error: CertificateError): string {
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

/** Why the endpoint does not serve. */
export function describeEndpointError(error: EndpointError): string {
  switch (error.kind) {
    case "file":
      return `${error.path} cannot be read: ${error.code}`;
    case "pem":
      return `${error.path}: ${describePem(error.error)}`;
    case "anchors":
      return `${error.path} has ${error.count} certificates, the authority must be one`;
    case "key":
      return `${error.path}: ${describeKey(error.error)}`;
    case "development-anchor":
      return `the development authority, whose key everybody has, is for this machine alone: use --ip 127.0.0.1, not ${error.host}`;
    case "credentials":
      return error.code === "ERR_OSSL_X509_KEY_VALUES_MISMATCH"
        ? "the key does not belong to the certificate"
        : `the certificate or its key cannot be used: ${error.code}`;
    case "chain-not-seen":
      return `this release of Node shows ${error.seen} of ${error.sent} certificates that a client sends, so that no delegation is safe: use another one`;
    case "listen":
      return `cannot listen on ${error.host} port ${error.port}: ${error.code}`;
    default:
      return unreachable(error);
  }
}

function describePem(error: PemError): string {
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

function describeKey(error: KeyError): string {
  switch (error.kind) {
    case "key-missing":
      return "there is no private key in it";
    case "key-encrypted":
      return "the key is encrypted, and nobody is here to decrypt it";
    case "key-malformed":
      return "the private key is damaged";
    case "key-unsupported":
      return `keys of type ${error.type} are not supported`;
    default:
      return unreachable(error);
  }
}

function time(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
