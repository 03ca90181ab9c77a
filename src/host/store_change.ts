/**
 * What the supervisor wants stored, as entries of the store, and what of its
 * other effects still holds where that fails.
 *
 * @module
 */
import { encodeCrl, encodeGrant, encodeLock, encodePast, encodeUnikernel, pastKey } from "../codec/record.ts";
import { printName, printPath } from "../core/name.ts";
import type { Refusal } from "../core/refusal.ts";
import { unreachable } from "../core/result.ts";
import type { Effect, StoreChange } from "../core/state.ts";
import type { Change } from "./store.ts";

export function storeChange(change: StoreChange): Change {
  switch (change.kind) {
    case "policy": {
      const at = { table: "policy", key: printPath(change.path) } as const;
      return change.grant === undefined ? at : { ...at, value: encodeGrant(change.grant) };
    }
    case "unikernel": {
      const at = { table: "unikernel", key: printName(change.name) } as const;
      return change.record === undefined ? at : { ...at, value: encodeUnikernel(change.record) };
    }
    case "lock": {
      const at = { table: "lock", key: printPath(change.path) } as const;
      return change.lock === undefined ? at : { ...at, value: encodeLock(change.lock) };
    }
    case "past": {
      const { memory } = change;
      const at = { table: "past", key: pastKey(memory) } as const;
      return memory.time === undefined ? at : { ...at, value: encodePast(memory.time) };
    }
    case "crl":
      return { table: "crl", key: change.authority, value: encodeCrl(change) };
    default:
      return unreachable(change);
  }
}

/** What an effect becomes where the commit before it failed: a good reply would promise too much, a bad one too little. */
export function withoutDisk(
  effect: Exclude<Effect, { kind: "commit" }>,
  refusal: Refusal,
): Exclude<Effect, { kind: "commit" }> {
  if (effect.kind !== "reply" || !effect.reply.ok) return effect;
  const problem = refusal.kind === "host-failed" ? refusal.problem : refusal.kind;
  return { ...effect, reply: { ok: false, refusal: { kind: "not-stored", problem } } };
}

/** Commits that follow each other as one: what is decided together is stored together. */
export function joinCommits(effects: readonly Effect[]): readonly Effect[] {
  return effects.reduce<Effect[]>((joined, effect) => {
    const last = joined.at(-1);
    if (effect.kind !== "commit" || last?.kind !== "commit") joined.push(effect);
    else joined[joined.length - 1] = { kind: "commit", changes: [...last.changes, ...effect.changes] };
    return joined;
  }, []);
}
