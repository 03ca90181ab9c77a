/**
 * What is known of the answers to a command before they come.
 *
 * @module
 */
import type { Wire } from "../codec/wire.ts";
import type { Command } from "../core/command.ts";
import type { Path } from "../core/name.ts";

/** Whether answers keep coming until the connection is closed. */
export function isSubscription(command: Command): boolean {
  return command.kind.endsWith("-subscribe");
}

/** Statistics come under names as seen from the path that was subscribed to. */
export function withFullName(path: Path, wire: Wire): Wire {
  const { header, payload } = wire;
  if (payload.kind !== "data" || payload.data.kind !== "statistics") return wire;
  return { header: { ...header, name: { ...header.name, path: [...path, ...header.name.path] } }, payload };
}

/**
 * Milliseconds of silence after which a server counts as gone. A destroy waits until the unikernel has ended; what was
 * sent may still be on its way through the network, and is then inflated and written to disk; an image is compressed as
 * a whole before it comes.
 */
export function answerLimit({ kind }: Command): number {
  return kind === "unikernel-create" || kind === "block-set" || kind === "unikernel-get" ? 300_000 : 60_000;
}
