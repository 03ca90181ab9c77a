/**
 * Why something was not done: for the command line a value, for programs an
 * error that is thrown, the only one that is.
 *
 * @module
 */

export type ProblemKind =
  /** Our own certificate chain does not hold. */
  | "chain"
  /** The server refused the command. */
  | "refused"
  /** The server did not accept our certificate. */
  | "unaccepted"
  /** We do not accept the server's certificate. */
  | "server"
  /** The connection broke, or what came on it makes no sense: whether the command was carried out is not known. */
  | "communication"
  /** There was no connection. */
  | "connect"
  /** What was asked for cannot be asked for, or a file cannot be read. */
  | "usage";

export interface Problem {
  readonly status: ProblemKind;
  /** One sentence, no full stop. */
  readonly text: string;
  readonly hint?: string;
}

/** Everything that the client throws. `message` is one sentence. */
export class FulmarError extends Error {
  override readonly name = "FulmarError";
  readonly kind: ProblemKind;

  constructor({ status, text }: Problem) {
    super(text);
    this.kind = status;
  }
}

export function problem(status: ProblemKind, text: string, hint?: string): Problem {
  return hint === undefined ? { status, text } : { status, text, hint };
}
