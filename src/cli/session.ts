/**
 * What a sub-command is given to act with, and where its outcome goes.
 *
 * @module
 */
import type { Data } from "../codec/data.ts";
import type { Command, Success } from "../core/command.ts";
import type { Name } from "../core/name.ts";
import type { Environment } from "../host/client_environment.ts";
import type { Outgoing } from "../host/client_transfer.ts";
import type { Failure } from "./failure.ts";
import type { Compression, Networking } from "./options.ts";

/** A sub-command's words as values. The image of a create is as it lies on disk. */
export interface Request {
  readonly name: Name;
  readonly command: Command;
  readonly options: Networking & Compression;
  /** What follows the command. */
  readonly upload?: Outgoing;
  /** Absent: a success is printed. */
  readonly take?: Take;
  /** Absent: what comes before a success, or after it, is printed as it is. */
  readonly each?: Each;
}

/** What is done with a success in place of printing it; `name` is the one that it is about, in full. */
export type Take = (success: Success, name: Name) => Outcome | Promise<Outcome>;

/** What is printed of data in place of it; undefined: it was not asked for. */
export type Each = (data: Data) => string | undefined;

/** Why it failed, or undefined where it succeeded. */
export type Outcome = Failure | undefined;

export type Send = (request: Request) => Promise<Outcome>;

export interface Session {
  readonly environment: Environment;
  readonly send: Send;
  /** Called once by the one sub-command that runs. */
  readonly finish: (outcome: Outcome) => void;
}
