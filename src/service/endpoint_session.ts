/**
 * A session: many commands of one chain, each decided like any other.
 *
 * Its client's names are relative to the path of its chain, as for a single
 * command; replies carry the sequence of their command, and full names. What
 * needs a stream of its own, up or down without end, has a connection of its own.
 *
 * @module
 */

import { describeDer } from "../codec/describe.ts";
import { decodeWire, encodeMessage, type Header } from "../codec/wire.ts";
import { allowedInLeaf, type Command, subjectOf } from "../core/command.ts";
import { maxDepth, type Name } from "../core/name.ts";
import type { Authority } from "../x509/authority.ts";
import { formOf } from "./endpoint_request.ts";

/** What the daemon is sent for one frame of the client's: a request, or our own refusal, which takes its turn among the replies. */
export function translate(authority: Authority, frame: Uint8Array): Uint8Array {
  const path = authority.levels.map((level) => level.label);
  const wire = decodeWire(frame);
  if (!wire.ok) {
    const { header = { version: 5, sequence: 0n } } = wire.error;
    return refusal({ ...header, name: { path } }, `the message cannot be read: ${describeDer(wire.error.error)}`);
  }
  const { header, payload } = wire.value;
  const name: Name = { ...header.name, path: [...path, ...header.name.path] };
  if (name.path.length > maxDepth) return refusal({ ...header, name: { path } }, "the path is too deep");
  const addressed: Header = { ...header, name };
  if (payload.kind !== "command") return refusal(addressed, "a session takes commands");
  const { command } = payload;
  const reason = refuse(authority.command, command);
  if (reason !== undefined) return refusal(addressed, reason);
  const { command: _, label: __, ...chain } = authority;
  const request = { ...chain, command, imageFollows: false };
  return encodeMessage({ header: addressed, payload: { kind: "request", request } });
}

/** When the session ends, ms since the Unix epoch: with its path, or before. */
export function endOf({ command, expires }: Authority): number {
  return command.kind === "session" ? Math.min(command.end ?? expires, expires) : expires;
}

/** Why the session does not take the command, if it does not. */
function refuse(session: Command, command: Command): string | undefined {
  if (command.kind === "session" || !allowedInLeaf(command)) {
    return `the command ${command.kind} cannot be given by certificate`;
  }
  const allowed = session.kind === "session" ? session.allowed : [];
  if (allowed !== undefined && !allowed.includes(subjectOf(command).kind)) {
    return `this session does not allow the command ${command.kind}`;
  }
  const form = formOf(command);
  return form === "plain" || form === "download"
    ? undefined
    : `the command ${command.kind} needs a connection of its own`;
}

function refusal(header: Header, text: string): Uint8Array {
  return encodeMessage({ header, payload: { kind: "failure", text } });
}
