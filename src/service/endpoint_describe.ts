/**
 * The English of the endpoint: why a chain is refused, why a request was not
 * answered, why there is no service. One sentence each, no full stop.
 *
 * @module
 */
import { describeRefusal } from "../core/describe.ts";
import { opensslCertificates } from "../core/limits.ts";
import { unreachable } from "../core/result.ts";
import type { ForwardEnd } from "../host/tls_relay.ts";
import type { SessionEnd } from "../host/tls_session.ts";
import {
  describeAuthorityError,
  describeCertificateError,
  describeKeyError,
  describePathError,
  describePemError,
} from "../x509/describe.ts";
import type { ChainError } from "./endpoint_request.ts";
import type { RunError } from "./endpoint_run.ts";
import { describeErrno } from "./host_describe.ts";

export function describeChainError(error: ChainError): string {
  switch (error.kind) {
    case "too-many-certificates":
      return `more than ${error.limit} certificates were sent`;
    case "certificate":
      return `certificate ${error.at + 1} cannot be read: ${describeCertificateError(error.error)}`;
    case "path":
      return describePathError(error.error);
    case "authority":
      return describeAuthorityError(error.error, error.names);
    case "revoked":
      return describeRefusal(error.refusal);
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
    case "expired":
      return "the subscription has ended, its certificates were good for no longer";
    case "client-unasked":
      return `more than ${end.limit} bytes were sent where none are expected`;
    case "stalled":
      return `nothing moved for ${end.milliseconds / 1000} seconds`;
    case "no-reply":
      return `the daemon did not answer within ${end.milliseconds / 1000} seconds`;
    default:
      return unreachable(end);
  }
}

/** Absent: the client is not there to read it. */
export function describeSessionEnd(end: SessionEnd): string | undefined {
  switch (end.kind) {
    case "client-gone":
      return undefined;
    case "expired":
      return "the session has ended, its certificates were good for no longer";
    case "idle":
      return `nothing was asked for ${end.milliseconds / 1000} seconds`;
    case "daemon-ended":
      return end.answered ? undefined : "the daemon of this host ended the connection";
    case "frame-too-large":
      return `a message of ${end.length} bytes is over the limit of ${end.limit}`;
    case "daemon-broke":
      return `the daemon of this host ended the connection (${end.code})`;
    default:
      return unreachable(end);
  }
}

/** Why the endpoint does not serve. */
export function describeRunError(error: RunError): string {
  switch (error.kind) {
    case "file":
    case "io-failed":
      return `${error.path} cannot be read: ${describeErrno(error.code)}`;
    case "key-open": {
      const mode = error.mode.toString(8).padStart(4, "0");
      return `${error.path} has mode ${mode}, so that others can read the private key: chmod 0400 ${error.path}`;
    }
    case "root":
      return "as root it will not face the network: run it as a user of its own who may write to the daemon's chain.sock, or say --allow-root";
    case "pem":
      return `${error.path}: ${describePemError(error.error)}`;
    case "anchors":
      return `${error.path} has ${error.count} certificates, the authority must be one`;
    case "key":
      return `${error.path}: ${describeKeyError(error.error)}`;
    case "not-local":
      return `the development authority, whose key everybody has, is for this machine alone: use --ip 127.0.0.1, not ${error.host}`;
    case "credentials":
      return error.code === "ERR_OSSL_X509_KEY_VALUES_MISMATCH"
        ? "the key does not belong to the certificate"
        : `the certificate or its key cannot be used: ${error.code}`;
    case "chain-not-seen":
      return `this release of Node shows ${error.seen} of ${error.sent} certificates that a client sends, so that no delegation is safe: use another one`;
    case "openssl-out-of-reach":
      return `certificate-bytes is OpenSSL's own ${opensslCertificates}, and cannot be moved here: ${error.problem}`;
    case "worker-failed":
      return "a worker does not serve";
    case "activation":
      return `with --systemd-socket-activation the service manager opens one socket, not ${error.count}`;
    case "listen":
      return `cannot listen on ${error.host} port ${error.port}: ${describeErrno(error.code)}`;
    default:
      return unreachable(error);
  }
}
