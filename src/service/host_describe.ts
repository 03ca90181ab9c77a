/**
 * The English of what a host refuses a daemon: its folders, store, sockets and helper programs.
 *
 * @module
 */
import { unreachable } from "../core/result.ts";
import type { AuditKeyError } from "../host/audit_key.ts";
import type { RunError } from "../host/run.ts";
import type { ListenError } from "../host/socket.ts";
import type { StateFolderError } from "../host/state_folder.ts";
import type { StoreError } from "../host/store.ts";

export type HostError = StateFolderError | StoreError | AuditKeyError | ListenError | RunError;

export function describeHostError(error: HostError): string {
  switch (error.kind) {
    case "folder-closed":
      return `${error.path} is closed to guests, which are other users: chmod o+x ${error.path}`;
    case "store-locked":
      return `a daemon has this folder${error.pid === undefined ? "" : ` (process ${error.pid})`}: stop it first`;
    case "store-full":
      return `the disk is full: the store needs ${error.needed} bytes, ${error.free} MB are free`;
    case "store-failed":
      return `the store failed: ${error.reason}`;
    case "audit-key-unusable":
      return `${error.path} holds no private key of type Ed25519`;
    case "socket-in-use":
      return `a daemon answers at ${error.path} already: stop it, or choose another --tmpdir`;
    case "socket-failed":
      return `cannot listen at ${error.path}: ${describeErrno(error.code)}`;
    case "program-missing":
      return `cannot run ${error.program}: ${describeErrno(error.code)}`;
    case "program-failed":
      return `${error.program} ended with status ${error.status}: ${error.output.trim()}`;
    case "program-too-slow":
      return `${error.program} took more than ${error.limit} ms`;
    case "io-failed":
      return `cannot ${error.action} ${error.path}: ${describeErrno(error.code)}`;
    default:
      return unreachable(error);
  }
}

/** As errno(3), where there is no sentence for it. */
export function describeErrno(code: string): string {
  return reasons[code] ?? code;
}

const reasons: Readonly<Record<string, string | undefined>> = {
  EADDRINUSE: "somebody listens there already",
  EADDRNOTAVAIL: "this host has no such address",
  ENOENT: "there is no such file",
  EEXIST: "exists already",
  EACCES: "no permission",
  EISDIR: "is a directory",
  ENOSPC: "the disk is full",
};
