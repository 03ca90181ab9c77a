/**
 * Policies: what one path and everything below it may use, together.
 *
 * @module
 */
import { err, ok, type Result } from "./result.ts";

/** A count that no limit bounds: what albatross writes as 2^62 - 1. */
export const unlimited: number = Number.POSITIVE_INFINITY;

/** The least memory that a usable policy is above, MB (as albatross). */
export const leastMemory = 16;

export interface Policy {
  /** Unikernels that may exist at once. */
  readonly unikernels: number;
  /** Ascending, without duplicates. */
  readonly cpuids: readonly number[];
  /** MB. */
  readonly memory: number;
  /** MB; absent: no block device at all. */
  readonly block?: number;
  /** Ascending by code unit, without duplicates. */
  readonly bridges: readonly string[];
}

/** One way in which a policy is more than another. */
export type PolicyExcess =
  | { readonly kind: "unikernels" | "memory" | "block"; readonly limit: number; readonly asked: number }
  | { readonly kind: "block-not-allowed"; readonly asked: number }
  | { readonly kind: "cpuids"; readonly allowed: readonly number[]; readonly asked: readonly number[] }
  | { readonly kind: "bridges"; readonly allowed: readonly string[]; readonly asked: readonly string[] };

export type Unusable =
  | { readonly kind: "no-unikernels" }
  | { readonly kind: "no-cpuids" }
  | { readonly kind: "too-little-memory"; readonly memory: number }
  | { readonly kind: "negative-block"; readonly block: number };

/** Whether anything could ever run under the policy; asked of people who write one, not of chains. */
export function checkUsable(policy: Policy): Result<Policy, Unusable> {
  if (policy.unikernels <= 0) return err({ kind: "no-unikernels" });
  if (policy.cpuids.length === 0) return err({ kind: "no-cpuids" });
  if (policy.memory <= leastMemory) return err({ kind: "too-little-memory", memory: policy.memory });
  if (policy.block !== undefined && policy.block < 0) return err({ kind: "negative-block", block: policy.block });
  return ok(policy);
}

/** The first way in which `sub` is more than `above`, if there is one. */
export function excess(sub: Policy, above: Policy): PolicyExcess | undefined {
  if (sub.unikernels > above.unikernels) {
    return { kind: "unikernels", limit: above.unikernels, asked: sub.unikernels };
  }
  const cpuids = missing(sub.cpuids, above.cpuids);
  if (cpuids.length > 0) return { kind: "cpuids", allowed: above.cpuids, asked: cpuids };
  if (sub.memory > above.memory) return { kind: "memory", limit: above.memory, asked: sub.memory };
  if (sub.block !== undefined) {
    if (above.block === undefined) return { kind: "block-not-allowed", asked: sub.block };
    if (sub.block > above.block) return { kind: "block", limit: above.block, asked: sub.block };
  }
  const bridges = missing(sub.bridges, above.bridges);
  return bridges.length > 0 ? { kind: "bridges", allowed: above.bridges, asked: bridges } : undefined;
}

/** What of `asked` is not in `allowed`: mostly nothing, for which no list is made. */
export function missing<T>(asked: readonly T[], allowed: readonly T[]): readonly T[] {
  for (const item of asked) {
    if (!allowed.includes(item)) return asked.filter((one) => !allowed.includes(one));
  }
  return none;
}

const none: readonly never[] = [];

export function samePolicy(a: Policy, b: Policy): boolean {
  return (
    a.unikernels === b.unikernels &&
    a.memory === b.memory &&
    a.block === b.block &&
    sameList(a.cpuids, b.cpuids) &&
    sameList(a.bridges, b.bridges)
  );
}

function sameList<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}

/** Ascending and without duplicates: the form of every set in a policy. */
export function sortedSet<T extends number | string>(items: Iterable<T>): readonly T[] {
  return [...new Set(items)].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}
