/**
 * How a command ends when it does not succeed: a status for scripts, a
 * sentence for people, and what to do next.
 *
 * @module
 */

import { describeFile } from "../client/describe.ts";

/** The exit statuses, those of albatross-client. */
export const statuses = {
  success: 0,
  /** Our own certificate chain does not hold. */
  chain: 116,
  /** The server refused the command. */
  refused: 117,
  /** Talking HTTP to a repository of images. */
  http: 118,
  /** The server did not accept our certificate. */
  unaccepted: 119,
  /** We do not accept the server's certificate. */
  server: 120,
  /** Reading from or writing to the connection. */
  communication: 121,
  /** No connection. */
  connect: 122,
  /** The command line, and the files that it names. */
  usage: 124,
  /** A bug. */
  internal: 125,
} as const;

export type Status = Exclude<keyof typeof statuses, "success">;

export interface Failure {
  readonly status: Status;
  readonly text: string;
  readonly hint?: string;
}

export function failure(status: Status, text: string, hint?: string): Failure {
  return hint === undefined ? { status, text } : { status, text, hint };
}

/** A file that could not be read or written; `code` is the operating system's, such as ENOENT. */
export function fileFailure(file: { readonly path: string; readonly code: string }, hint?: string): Failure {
  return describeFile(file, hint);
}
