/**
 * What a tree holds as flat lists, and sums over all of them: the laws are
 * checked against this. It shares types with src/core, and no code.
 */
import type { Level } from "../../src/core/command.ts";
import type { Label, Name } from "../../src/core/name.ts";
import type { OrderedMap } from "../../src/core/ordered_map.ts";
import type { Past } from "../../src/core/past.ts";
import type { Policy } from "../../src/core/policy.ts";
import type { Unikernel } from "../../src/core/state.ts";
import type { Block, Demand, Grant, Node, Tenant, Usage } from "../../src/core/trie.ts";

export interface Flat {
  readonly nodes: readonly { readonly path: string; readonly usage: Usage; readonly grants: number }[];
  readonly policies: ReadonlyMap<string, Grant>;
  /** How new those were that went. */
  readonly past: ReadonlyMap<string, number>;
  readonly unikernels: ReadonlyMap<string, Placed<Tenant<Unikernel>>>;
  readonly blocks: ReadonlyMap<string, Placed<Block>>;
}

/** Something with a label at a path. */
interface Placed<T> {
  readonly path: string;
  readonly label: Label;
  readonly value: T;
}

export function flatten(top: Node<Unikernel>): Flat {
  const nodes: { path: string; usage: Usage; grants: number }[] = [];
  const policies = new Map<string, Grant>();
  const past = new Map<string, number>();
  const unikernels = new Map<string, Placed<Tenant<Unikernel>>>();
  const blocks = new Map<string, Placed<Block>>();
  const visit = (node: Node<Unikernel>, path: string): void => {
    nodes.push({ path, usage: node.usage, grants: node.grants });
    if (node.grant !== undefined) policies.set(path, node.grant);
    for (const [label, value] of entries(node.unikernels)) unikernels.set(`${path}=${label}`, { path, label, value });
    for (const [label, value] of entries(node.blocks)) blocks.set(`${path}=${label}`, { path, label, value });
    remembered(node.past, path, past);
    for (const [label, child] of entries(node.children)) visit(child, `${path}${label}/`);
  };
  visit(top, "");
  return { nodes, policies, past, unikernels, blocks };
}

function remembered(past: Past | undefined, path: string, into: Map<string, number>): void {
  if (past?.own !== undefined) into.set(path, past.own);
  for (const [label, child] of entries(past?.children)) remembered(child, `${path}${label}/`, into);
}

export function entries<K extends string, V>(map: OrderedMap<K, V>): readonly (readonly [K, V])[] {
  return map === undefined ? [] : [...entries(map.left), [map.key, map.value] as const, ...entries(map.right)];
}

/** `a/b/`; the root path is the empty text. */
export function spell(path: readonly string[]): string {
  return path.map((label) => `${label}/`).join("");
}

/** `a/b/=vm`: no path is ever spelled like this. */
export function spellName(name: Name): string {
  return name.label === undefined ? spell(name.path) : `${spell(name.path)}=${name.label}`;
}

/** Everything at and below a path, one by one. */
export function sum({ unikernels, blocks }: Flat, path: string): Usage {
  const inside = [...unikernels.values()].filter((one) => one.path.startsWith(path));
  const devices = [...blocks.values()].filter((one) => one.path.startsWith(path));
  return {
    unikernels: inside.length,
    memory: inside.reduce((total, { value }) => total + value.demand.memory, 0),
    block: devices.reduce((total, { value }) => total + value.size, 0),
  };
}

/** What policies are decided by. */
export interface Granting {
  readonly policies: Policies;
  readonly past: ReadonlyMap<string, number>;
}

export type Policies = ReadonlyMap<string, { readonly policy: Policy; readonly notBefore: number }>;

/** The policies once a chain is applied; undefined where one of it is more than one above it, or older than one that went. */
export function withLevels({ policies: before, past }: Granting, levels: readonly Level[]): Policies | undefined {
  const policies = new Map(before);
  let path = "";
  for (const { label, policy, notBefore } of levels) {
    path += `${label}/`;
    if (notBefore < (policies.get(path)?.notBefore ?? Number.NEGATIVE_INFINITY)) continue;
    const same = policies.get(path);
    if (same !== undefined && same.notBefore === notBefore && alike(same.policy, policy)) continue;
    if (same === undefined && notBefore < (past.get(path) ?? notBefore)) return undefined;
    if (exceedsAbove(policies, path, policy)) return undefined;
    policies.set(path, { policy, notBefore });
  }
  return policies;
}

/** Whether a policy is more than any policy above its path, the root's excepted. */
export function exceedsAbove(policies: Policies, path: string, policy: Policy): boolean {
  return [...policies].some(
    ([at, above]) => at !== "" && at !== path && path.startsWith(at) && isMore(policy, above.policy),
  );
}

/** Whether a unikernel of this demand, in place of one of the old demand, stays within every policy above it. */
export function fits(flat: Flat, policies: Policies, path: string, demand: Demand, old?: Demand): boolean {
  return [...policies].every(([at, { policy }]) => {
    if (!path.startsWith(at)) return true;
    const used = sum(flat, at);
    const more = demand.memory - (old?.memory ?? 0);
    return (
      (old !== undefined || used.unikernels + 1 <= policy.unikernels) &&
      (more <= 0 || used.memory + more <= policy.memory) &&
      demand.cpuids.every((cpu) => policy.cpuids.includes(cpu)) &&
      demand.bridges.every(({ netif, bridge = netif }) => policy.bridges.includes(bridge))
    );
  });
}

export function blockFits(flat: Flat, policies: Policies, path: string, size: number): boolean {
  return [...policies].every(
    ([at, { policy }]) => !path.startsWith(at) || sum(flat, at).block + size <= (policy.block ?? -1),
  );
}

function isMore(sub: Policy, above: Policy): boolean {
  return (
    sub.unikernels > above.unikernels ||
    sub.memory > above.memory ||
    (sub.block ?? -1) > (above.block ?? -1) ||
    sub.cpuids.some((cpu) => !above.cpuids.includes(cpu)) ||
    sub.bridges.some((bridge) => !above.bridges.includes(bridge))
  );
}

function alike(a: Policy, b: Policy): boolean {
  return (
    JSON.stringify([a.unikernels, a.memory, a.block, a.cpuids, a.bridges]) ===
    JSON.stringify([b.unikernels, b.memory, b.block, b.cpuids, b.bridges])
  );
}
