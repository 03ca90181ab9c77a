/**
 * What went wrong on the way, in sentences: connections, certificates, keys, images.
 *
 * @module
 */
import { describeDer } from "../codec/describe.ts";
import { describeRefusal } from "../core/describe.ts";
import type { DeviceMismatch } from "../core/manifest.ts";
import type { Name } from "../core/name.ts";
import { unreachable } from "../core/result.ts";
import type { ConnectionError } from "../host/client_connection.ts";
import type { TlsError } from "../host/client_tls.ts";
import { describeCertificateError, describeKeyError, describePathError, describePemError } from "../x509/describe.ts";
import type { KeyError } from "../x509/keys.ts";
import type { PemError } from "../x509/pem.ts";
import { escapeSentence, escapeText } from "./escape.ts";
import { type Failure, failure } from "./failure.ts";
import { printHost } from "./print.ts";

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
        `an answer that cannot be read: ${describeDer(error.error.error)}`,
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
      return failure(
        "server",
        `the server's certificate ${error.at + 1} cannot be read: ${describeCertificateError(error.error)}`,
      );
    case "server-path":
      return failure(
        "server",
        `the server's certificate is not accepted: ${describePathError(error.error)}`,
        serverHint,
      );
    default:
      return describeConnection(error);
  }
}

/** What the server answered in place of a success. */
export function describeFailure(name: Name, text: string): Failure {
  return failure("refused", `${printHost(name)}: command failed: ${escapeSentence(text)}`);
}

export function describePem(path: string, error: PemError): Failure {
  const hint = error.kind === "pem-missing" ? "a PEM file with '-----BEGIN' lines is wanted" : undefined;
  return failure("usage", `${path}: ${escapeText(describePemError(error))}`, hint);
}

export function describeKey(path: string, error: KeyError): Failure {
  const hint = keyHints[error.kind];
  return failure("usage", `${path}: ${escapeText(describeKeyError(error))}`, hint);
}

export function describeDevices(error: DeviceMismatch): Failure {
  const flag = error.type === "net" ? "--net" : "--block";
  const declared = error.declared.map((name) => `"${name}"`).join(", ");
  const hint = declared === "" ? `the image takes no ${flag}` : `the image wants one ${flag} for each of ${declared}`;
  return failure("usage", escapeText(describeRefusal(error)), hint);
}

/** An operating system's code, such as ECONNREFUSED, where there are words for it. */
export function describeCode(code: string): string {
  return reasons[code] ?? code;
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

const keyHints: Readonly<Partial<Record<KeyError["kind"], string>>> = {
  "key-missing": "a PEM file with 'PRIVATE KEY' is wanted",
  "key-encrypted": "put the passphrase in FULMAR_PASSPHRASE, or decrypt the key first (openssl pkey)",
};

const brokenHint = "a server that does not accept a certificate may break the connection; its log says more";
const unacceptedHint = "--ca and --ca-key must come from the authority that the server was started with";
const serverHint = "--server-ca must be the authority that issued the server's certificate";
