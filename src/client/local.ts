/**
 * The daemon's sockets on this machine.
 *
 * @module
 */
import { type Command, type Service, serviceOf } from "../core/command.ts";

/** Where a daemon is. */
export interface Sockets {
  /** Its run-time folder. */
  readonly tmpdir: string;
  /** Instead: the one socket that is gone to, whatever is asked. */
  readonly socket?: string;
}

/** The socket that a command goes to. */
export function socketOf({ tmpdir, socket }: Sockets, command: Command): string {
  return socket ?? `${tmpdir}/util/${names[serviceOf(command)]}.sock`;
}

const names: Readonly<Record<Service, string>> = { daemon: "vmmd", log: "vmmd", console: "console", stats: "stat" };
