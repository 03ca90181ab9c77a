/**
 * What went wrong on the way, in sentences: connections, certificates, keys, images.
 *
 * @module
 */
import type { ElfError } from "../codec/elf.ts";
import { describeRefusal } from "../core/describe.ts";
import type { DeviceMismatch } from "../core/manifest.ts";
import { unreachable } from "../core/result.ts";
import type { ConnectionError } from "../host/client_connection.ts";
import type { TlsError } from "../host/client_tls.ts";
import type { KeyError } from "../x509/keys.ts";
import type { PathError } from "../x509/path.ts";
import type { PemError } from "../x509/pem.ts";
import { escapeText } from "./escape.ts";
import { type Failure, failure } from "./failure.ts";
import { printTime } from "./print.ts";

export function describeConnection(error: ConnectionError): Failure {
  switch (error.kind) {
    case "unreachable":
      return failure("connect", `no connection: ${reasons[error.code] ?? error.code}`);
    case "broken":
      return failure("communication", `the connection broke: ${reasons[error.code] ?? error.code}`, brokenHint);
    case "silent":
      return failure("communication", `no answer within ${error.milliseconds / 1000} seconds`);
    case "frame":
      return failure("communication", `an answer of ${error.error.length} bytes; ${error.error.limit} are the most`);
    case "message":
      return failure(
        "communication",
        `an answer that cannot be read: ${error.error.error.kind}`,
        "client and server may speak different versions; this client speaks version 5",
      );
    case "alert":
      return error.about === "certificate"
        ? failure("unaccepted", `the server does not accept our certificate: ${error.alert}`, unacceptedHint)
        : failure("communication", `the server ended TLS: ${error.alert}`);
    default:
      return unreachable(error);
  }
}

export function describeTls(error: TlsError): Failure {
  switch (error.kind) {
    case "handshake":
      return failure("communication", `no TLS 1.3 with the server: ${reasons[error.code] ?? error.code}`);
    case "credentials":
      return failure("chain", `our certificate or its key cannot be used: ${error.code}`);
    case "server-certificate":
      return failure("server", `the server's certificate ${error.at + 1} cannot be read: ${error.error.kind}`);
    case "server-path":
      return failure("server", `the server's certificate is not accepted: ${describePath(error.error)}`, serverHint);
    default:
      return describeConnection(error);
  }
}

/** Certificates are counted from 1, the leaf. */
export function describePath(error: PathError): string {
  switch (error.kind) {
    case "no-certificate":
      return "there is none besides the authority's own";
    case "path-too-long":
      return `${error.length} certificates in the chain; ${error.limit} are the most`;
    case "not-issued-by-next":
      return `certificate ${error.at + 1} is not issued by the one above it`;
    case "signature-wrong":
      return `the signature of certificate ${error.at + 1} is not by the one above it`;
    case "not-yet-valid":
      return `certificate ${error.at + 1} is valid from ${printTime(error.notBefore)}, it is ${printTime(error.now)}`;
    case "expired":
      return `certificate ${error.at + 1} was valid until ${printTime(error.notAfter)}, it is ${printTime(error.now)}`;
    case "extension-unhandled":
      return `certificate ${error.at + 1} has the unknown critical extension ${error.oid}`;
    case "key-identifier-missing":
      return `certificate ${error.at + 1} has no key identifier`;
    case "path-length-exceeded":
      return `certificate ${error.at + 1} allows ${error.limit} authorities below it, there are ${error.below}`;
    case "purpose-not-allowed":
      return `certificate ${error.at + 1} is not for a ${error.purpose}`;
    case "server-delegated":
      return `certificate ${error.at + 1} is a tenant's, and a tenant cannot make a server's certificate`;
    case "anchor-inconsistent":
      return "the authority's own certificate contradicts itself";
    case "leaf-is-authority":
      return "its first certificate is an authority's";
    case "leaf-cannot-sign":
      return "its first certificate's key is not for signatures";
    case "not-an-authority":
      return `certificate ${error.at + 1} is not an authority's`;
    case "key-weak":
      return `the key of certificate ${error.at + 1} is too weak`;
    case "algorithm-unsupported":
      return `certificate ${error.at + 1} is signed by an unknown algorithm`;
    default:
      return unreachable(error);
  }
}

export function describePem(path: string, error: PemError): Failure {
  switch (error.kind) {
    case "pem-not-ended":
      return failure("usage", `${path}: the ${escapeText(error.label)} of line ${error.line} has no end`);
    case "pem-bad-base64":
      return failure("usage", `${path}: the ${escapeText(error.label)} of line ${error.line} is damaged`);
    case "pem-missing":
      return failure("usage", `${path}: no ${error.label} in it`, "a PEM file with '-----BEGIN' lines is wanted");
    case "pem-bad-certificate":
      return failure("usage", `${path}: certificate ${error.index + 1} cannot be read: ${error.error.kind}`);
    default:
      return unreachable(error);
  }
}

export function describeKey(path: string, error: KeyError): Failure {
  switch (error.kind) {
    case "key-missing":
      return failure("usage", `${path}: no private key in it`, "a PEM file with 'PRIVATE KEY' is wanted");
    case "key-encrypted":
      return failure("usage", `${path}: the key is encrypted`, "decrypt it with 'openssl pkey'");
    case "key-malformed":
      return failure("usage", `${path}: the private key is damaged`);
    case "key-unsupported":
      return failure("usage", `${path}: keys of type ${escapeText(error.type)} are not supported`);
    default:
      return unreachable(error);
  }
}

export function describeDevices(error: DeviceMismatch): Failure {
  const flag = error.type === "net" ? "--net" : "--block";
  const declared = error.declared.map((name) => `"${name}"`).join(", ");
  const hint = declared === "" ? `the image takes no ${flag}` : `the image wants one ${flag} for each of ${declared}`;
  return failure("usage", escapeText(describeRefusal(error)), hint);
}

export function describeImage(error: ElfError): string {
  switch (error.kind) {
    case "elf-not-elf":
      return "it is no ELF file";
    case "note-missing":
      return error.note === "manifest" ? "manifest not found" : "no ABI note in it";
    default:
      return `it is no Solo5 image: ${error.kind}`;
  }
}

const reasons: Readonly<Record<string, string | undefined>> = {
  ECONNREFUSED: "nobody listens there",
  ECONNRESET: "the server reset it",
  EPIPE: "the server closed it",
  ENOENT: "there is no such socket",
  EACCES: "no permission",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "the host name cannot be looked up now",
  ETIMEDOUT: "no answer within 10 seconds",
  EHOSTUNREACH: "no way to the host",
  ENETUNREACH: "no way to the network",
  closed: "the server closed the connection",
};

const brokenHint = "a server that does not accept a certificate may break the connection; its log says more";
const unacceptedHint = "--ca and --ca-key must come from the authority that the server was started with";
const serverHint = "--server-ca must be the authority that issued the server's certificate";
