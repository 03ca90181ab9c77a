/**
 * What went wrong on the way to a server, and with a certificate for it, in sentences.
 *
 * @module
 */
import { describeDer } from "../codec/describe.ts";
import { describeExcess, describeNameError, describePermissions, describeUnusable } from "../core/describe.ts";
import { unreachable } from "../core/result.ts";
import type { ConnectionError } from "../host/client_connection.ts";
import type { TlsError } from "../host/client_tls.ts";
import { describeCertificateError, describePathError } from "../x509/describe.ts";
import type { PathError } from "../x509/path.ts";
import type { SignError } from "../x509/sign.ts";
import { type Problem, problem } from "./problem.ts";

export function describeConnection(error: ConnectionError): Problem {
  switch (error.kind) {
    case "unreachable":
      return problem("connect", `no connection: ${reasons[error.code] ?? error.code}`);
    case "broken":
      return problem("communication", `the connection broke: ${reasons[error.code] ?? error.code}`, brokenHint);
    case "silent":
      return problem("communication", `no answer within ${error.milliseconds / 1000} seconds`);
    case "frame":
      return problem("communication", `an answer of ${error.error.length} bytes; ${error.error.limit} are the most`);
    case "message":
      return problem(
        "communication",
        `an answer that cannot be read: ${describeDer(error.error.error)}`,
        "client and server may speak different versions; this client speaks version 5",
      );
    case "alert":
      return error.about === "certificate"
        ? problem("unaccepted", `the server does not accept our certificate: ${error.alert}`, unacceptedHint)
        : problem("communication", `the server ended TLS: ${error.alert}`);
    default:
      return unreachable(error);
  }
}

export function describeTls(error: TlsError): Problem {
  switch (error.kind) {
    case "handshake":
      return problem("communication", `no TLS 1.3 with the server: ${reasons[error.code] ?? error.code}`);
    case "credentials":
      return problem("chain", `our certificate or its key cannot be used: ${error.code}`);
    case "server-certificate":
      return problem(
        "server",
        `the server's certificate ${error.at + 1} cannot be read: ${describeCertificateError(error.error)}`,
      );
    case "server-path":
      return problem(
        "server",
        `the server's certificate is not accepted: ${describePathError(error.error)}`,
        serverHint,
      );
    default:
      return describeConnection(error);
  }
}

export function describeSign(error: SignError): Problem {
  switch (error.kind) {
    case "issuer-not-authority":
      return problem("usage", "the certificate that is to sign is no authority's");
    case "issuer-key-differs":
      return problem("usage", "the private key does not belong to the authority's certificate");
    case "issuer-extension-undecodable":
      return problem("usage", `the authority's own policy cannot be read: ${error.error.kind}`);
    case "common-name-missing":
      return problem("usage", "the request has no common name");
    case "common-name-bad":
      return problem("usage", `the common name cannot be one: ${describeNameError(error.error)}`);
    case "command-not-allowed":
      return problem("usage", `${error.command.replace("-", " ")} cannot be in a certificate`);
    case "policy-unusable":
      return problem("usage", describeUnusable(error.problem));
    case "policy-exceeded":
      return problem(
        "usage",
        `more than the authority's own policy: ${describeExcess(error.excess)}`,
        "ask for less, or have the authority above raise the policy",
      );
    case "permission-exceeded":
      return problem(
        "usage",
        `${error.asked.join(", ")} is asked for, and the authority's certificates permit ${describePermissions(error.permitted)}`,
        "a certificate permits at most what those above it permit: ask for less",
      );
    case "command-not-permitted":
      return problem(
        "usage",
        `the command needs ${error.permission}, and its certificates permit ${describePermissions(error.permitted)}`,
        "ask those who signed the certificate for one that permits it",
      );
    default:
      return unreachable(error);
  }
}

export function describeChain(error: PathError): Problem {
  const hint = "a file must hold the certificate, then its issuer's, and so on upwards";
  return problem("chain", `our certificate chain does not hold: ${describePathError(error)}`, hint);
}

/** A file that could not be read or written; `code` is the operating system's, such as ENOENT. */
export function describeFile(file: { readonly path: string; readonly code: string }, hint?: string): Problem {
  return problem("usage", `${file.path}: ${fileReasons[file.code] ?? file.code}`, hint);
}

export const unanswered: Problem = problem(
  "communication",
  "the server closed the connection without an answer",
  "an albatross server does so when it refuses a certificate's name or command; its log says more",
);

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

const brokenHint = "a server that does not accept a certificate may break the connection; its log says more";
const unacceptedHint = "--ca and --ca-key must come from the authority that the server was started with";
const serverHint = "--server-ca must be the authority that issued the server's certificate";

const fileReasons: Readonly<Record<string, string | undefined>> = {
  ENOENT: "there is no such file",
  EACCES: "no permission",
  EEXIST: "exists already",
  EISDIR: "is a directory",
  ENOTDIR: "a part of the path is not a directory",
  ENOSPC: "the disk is full",
  EROFS: "the file system is read-only",
};
