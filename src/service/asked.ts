/**
 * Who asks for what, for the audit log.
 *
 * @module
 */
import type { Socket } from "node:net";
import type { Wire } from "../codec/wire.ts";
import { type Actor, changes } from "../core/audit.ts";
import type { ChainRequest, Command } from "../core/command.ts";
import { maxDepth, type Name } from "../core/name.ts";
import type { Asked } from "../host/audit_ledger.ts";
import type { Told } from "../host/audit_log.ts";
import { readPeer } from "../host/peer.ts";

export function askedByChain({ levels, leaf, command }: ChainRequest, name: Name): Asked {
  return {
    name: about(name, command),
    command: command.kind,
    changes: changes(command),
    delegate: levels[0]?.label ?? "",
    actor: () => ({ kind: "chain", levels: levels.map(({ fingerprint }) => fingerprint), leaf }),
  };
}

/** What the endpoint asks for on behalf of whoever it is that came to it. */
export function askedByEndpoint(name: Name, command: Command): Asked {
  const actor = (): Actor => ({ kind: "endpoint" });
  return { name: about(name, command), command: command.kind, changes: changes(command), delegate: "", actor };
}

/** A client that asked for a change may be gone when that is done: who it was is looked for before. */
export function askedLocally(socket: Socket, name: Name, command: Command): Asked {
  const lasting = changes(command);
  const known = lasting ? localActor(socket) : undefined;
  const actor = (): Actor => known ?? localActor(socket);
  return { name: about(name, command), command: command.kind, changes: lasting, delegate: "", actor };
}

/** What the endpoint refused of a session, at or below whose path the name is. */
export function refusedInSession(name: Name): Told {
  return { actor: { kind: "endpoint" }, name, policies: [], outcome: { kind: "refused", reason: "session" } };
}

/** What the endpoint refused of others, if that is what it tells. */
export function toldByEndpoint({ header: { name }, payload }: Wire): Told | undefined {
  if (payload.kind !== "data" || payload.data.kind !== "audit" || payload.data.item.kind !== "entry") return undefined;
  const { actor, command, outcome } = payload.data.item.entry;
  if (actor.kind !== "endpoint" || (outcome.kind !== "refused" && outcome.kind !== "counted")) return undefined;
  return { actor, name, ...(command === undefined ? {} : { command }), policies: [], outcome };
}

/** Of a lock, the path that it is for; one that is too deep to be locked is too deep for an entry. */
function about(name: Name, command: Command): Name {
  if (command.kind !== "lock" && command.kind !== "unlock") return name;
  const path = [...name.path, ...command.path];
  return path.length > maxDepth ? name : { path };
}

function localActor(socket: Socket): Actor {
  const peer = readPeer(socket);
  return peer === undefined ? { kind: "local" } : { kind: "local", peer };
}
