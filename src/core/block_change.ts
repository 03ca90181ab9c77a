/**
 * What is done to block devices: while the host works on one, it is in nobody's
 * use, nothing else is done to it, and its space is taken.
 *
 * @module
 */
import type { Command } from "./command.ts";
import type { Name } from "./name.ts";
import type { Refusal } from "./refusal.ts";
import { findBlock, insertBlock, putBlock, removeBlock } from "./resources.ts";
import { err, ok, type Result, unreachable } from "./result.ts";
import type { ClientId, Event, State, Step } from "./state.ts";
import { answer, refuse, replies, takeBack } from "./transition.ts";
import type { GrantChange } from "./trie.ts";

interface Asking {
  readonly name: Name;
  readonly client: ClientId;
  /** The policies that the request's chain brought into force just now. */
  readonly grants: readonly GrantChange[];
}

/** Reserves the space, and has the device made. */
export function createBlock(
  state: State,
  { name, client, grants }: Asking,
  { size, data }: Extract<Command, { kind: "block-add" }>,
): Result<Step, Refusal> {
  const resources = insertBlock(state.resources, name, { size, state: "creating", grants });
  if (!resources.ok) return resources;
  return ok({
    state: { ...state, resources: resources.value },
    effects: [{ kind: "create-block", name, size, client, filled: data !== undefined }],
  });
}

/** Has a device removed, filled or read that exists and that nothing uses. */
export function useBlock(
  state: State,
  { name, client, grants }: Asking,
  command: Extract<Command, { kind: "block-remove" | "block-set" | "block-dump" }>,
): Result<Step, Refusal> {
  if (name.label === undefined) return err({ kind: "label-needed", path: name.path });
  const free = removeBlock(state.resources, name);
  const block = findBlock(state.resources, name);
  if (!free.ok) return free;
  if (block === undefined) return err({ kind: "block-not-found", name });
  if (block.state !== "ready") return err({ kind: "block-busy", name });
  const { size } = block;
  const taken = (doing: "removing" | "filling" | "reading"): State => ({
    ...state,
    resources: putBlock(state.resources, name, { size, state: doing, grants }),
  });
  switch (command.kind) {
    case "block-remove":
      return ok({ state: taken("removing"), effects: [{ kind: "remove-block", name, client }] });
    case "block-set":
      return ok({ state: taken("filling"), effects: [{ kind: "fill-block", name, size, client }] });
    case "block-dump": {
      const { level, form } = command;
      return ok({ state: taken("reading"), effects: [{ kind: "read-block", name, client, level, form }] });
    }
    default:
      return unreachable(command);
  }
}

/** The host is done with a device, or could not do it. */
export function blockDone(state: State, { name, client, refusal }: Extract<Event, { kind: "block-done" }>): Step {
  const block = findBlock(state.resources, name);
  if (block === undefined) return { state, effects: [] };
  const { size, state: doing, grants } = block;
  if (refusal !== undefined) {
    const undone = takeBack(doing === "creating" ? without() : ready(), grants);
    return { state: undone.state, effects: [...undone.effects, ...refuse(client, refusal)] };
  }
  switch (doing) {
    case "creating":
      return { state: ready(), effects: answer(client, "added block device") };
    case "removing":
      return { state: without(), effects: answer(client, "removed block") };
    case "filling":
      return { state: ready(), effects: answer(client, "set block device") };
    case "reading":
      return { state: ready(), effects: replies([client], { ok: true, success: { kind: "empty" } }) };
    case "ready":
      return { state, effects: [] };
    default:
      return unreachable(doing);
  }

  function ready(): State {
    return { ...state, resources: putBlock(state.resources, name, { size, state: "ready" }) };
  }

  function without(): State {
    const gone = removeBlock(state.resources, name);
    return gone.ok ? { ...state, resources: gone.value } : state;
  }
}
