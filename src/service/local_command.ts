/**
 * Which socket takes which commands of local clients.
 *
 * @module
 */
import type { Wire } from "../codec/wire.ts";
import { type Command, type Service, serviceOf } from "../core/command.ts";
import type { Connection } from "./connection.ts";

/** The command of a local client, if it is one for this socket; it is told otherwise. */
export function localCommand(
  connection: Connection,
  { header, payload }: Wire,
  ...services: readonly [Service, ...Service[]]
): Command | undefined {
  if (payload.kind === "command" && services.includes(serviceOf(payload.command))) return payload.command;
  connection.fail(header, `this socket takes commands about ${subjects[services[0]]}`);
  return undefined;
}

const subjects: Readonly<Record<Service, string>> = {
  daemon: "unikernels, policies and block devices",
  console: "consoles",
  stats: "statistics",
  log: "what happens",
};
