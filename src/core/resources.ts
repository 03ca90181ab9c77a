/**
 * The resource tree: which policies hold where, and what exists below them.
 *
 * Invariant: no accepted change raises the usage of any path above its policy,
 * nor above the policy of any ancestor, the root's included. Counts are sums
 * over everything at and below a path; CPUs and bridges must be in the sets of
 * every ancestor. A delegate therefore never gains by delegating further: if
 * alice may run 2, then alice, alice:bob and alice:carol run 2 together,
 * whatever the policies further down say.
 *
 * A path can be over its policy only because the policy became smaller. It keeps
 * what it has and takes nothing more until it fits.
 *
 * Every decision costs O(depth · log siblings), whatever exists elsewhere.
 *
 * @module
 */
import type { BlockState, Named } from "./command.ts";
import { type Label, type Name, type Path, parseLabel, printName } from "./name.ts";
import { lookup } from "./ordered_map.ts";
import { missing, type Policy } from "./policy.ts";
import type { Refusal, Resource } from "./refusal.ts";
import { err, ok, type Result } from "./result.ts";
import {
  type Block,
  type Demand,
  emptyNode,
  firstTo,
  type Grant,
  type Node,
  nodeAt,
  type Pick,
  type Tenant,
  type Usage,
  updateAt,
  walk,
  withBlock,
  withTenant,
} from "./trie.ts";
import { type BlockAttachment, hostBridge, hostDevice } from "./unikernel.ts";

declare const opaque: unique symbol;

/** A tree of policies, unikernels (each carrying a `U`) and block devices. Opaque: only this folder looks inside. */
export type Resources<U> = Node<U> & { readonly [opaque]?: U };

export const empty: Resources<never> = emptyNode;

export function findUnikernel<U>(resources: Resources<U>, name: Name): Tenant<U> | undefined {
  if (name.label === undefined) return undefined;
  return lookup(nodeAt(resources, name.path)?.unikernels, name.label);
}

export function findGrant<U>(resources: Resources<U>, path: Path): Grant | undefined {
  return nodeAt(resources, path)?.grant;
}

/** The policy in force at exactly this path. */
export function findPolicy<U>(resources: Resources<U>, path: Path): Policy | undefined {
  return findGrant(resources, path)?.policy;
}

export function findBlock<U>(resources: Resources<U>, name: Name): Block | undefined {
  if (name.label === undefined) return undefined;
  return lookup(nodeAt(resources, name.path)?.blocks, name.label);
}

/** What exists at and below a path. */
export function usageAt<U>(resources: Resources<U>, path: Path): Usage {
  return (nodeAt(resources, path) ?? emptyNode).usage;
}

/**
 * Asks each policy from the root's to the one at `path`, from the top, until one answers.
 *
 * @param ask - told what exists at and below the policy's path, and how many labels that has
 */
export function firstPolicyTo<U, T>(
  resources: Resources<U>,
  path: Path,
  ask: (policy: Policy, usage: Usage, depth: number) => T | undefined,
): T | undefined {
  return firstTo(resources, path, ({ grant, usage }, depth) => grant && ask(grant.policy, usage, depth));
}

/**
 * Whether a unikernel may take `demand`.
 *
 * @param replacing - what the unikernel of that name has taken until now, where it is to be replaced
 * @returns the first reason against it, walking down from the root
 */
export function checkUnikernel<U>(
  resources: Resources<U>,
  name: Name,
  demand: Demand,
  replacing?: Demand,
): Result<void, Refusal> {
  if (name.label === undefined) return err({ kind: "label-needed", path: name.path });
  if (replacing === undefined && findUnikernel(resources, name) !== undefined) {
    return err({ kind: "unikernel-exists", name });
  }
  const attached = checkAttached(resources, name, demand);
  if (!attached.ok) return attached;
  const refusal = firstPolicyTo(resources, name.path, (policy, usage, depth): Refusal | undefined => {
    const excess =
      over("unikernels", policy.unikernels, usage.unikernels, replacing ? 0 : 1) ??
      over("memory", policy.memory, usage.memory, demand.memory - (replacing?.memory ?? 0)) ??
      outside(policy, demand);
    return excess && { ...excess, path: name.path.slice(0, depth) };
  });
  return refusal === undefined ? ok(undefined) : err(refusal);
}

/** Adds or replaces a unikernel whose demand was checked, and marks its block devices. */
export function insertUnikernel<U>(
  resources: Resources<U>,
  name: Name,
  demand: Demand,
  unikernel: U,
  replacing?: Demand,
): Result<Resources<U>, Refusal> {
  const checked = checkUnikernel(resources, name, demand, replacing);
  return checked.ok ? ok(putUnikernel(resources, name, { demand, unikernel })) : checked;
}

/** Puts a unikernel without asking any policy: what ran before, and what takes no more than it had. */
export function putUnikernel<U>(resources: Resources<U>, name: Name, tenant: Tenant<U>): Resources<U> {
  const { label } = name;
  if (label === undefined) return resources;
  return updateAt(resources, name.path, (node) =>
    setUsers(withTenant(released(node, label), label, tenant), tenant.demand.blocks, label),
  );
}

/** The tree without the unikernel; its block devices are free again. */
export function removeUnikernel<U>(resources: Resources<U>, name: Name): Result<Resources<U>, Refusal> {
  const { label } = name;
  if (label === undefined || findUnikernel(resources, name) === undefined) {
    return err({ kind: "unikernel-not-found", name });
  }
  return ok(updateAt(resources, name.path, (node) => withTenant(released(node, label), label, undefined)));
}

/** Whether a block device of `size` MB may be made. */
export function checkBlock<U>(resources: Resources<U>, name: Name, size: number): Result<void, Refusal> {
  if (name.label === undefined) return err({ kind: "label-needed", path: name.path });
  if (size <= 0) return err({ kind: "block-size-zero" });
  if (findBlock(resources, name) !== undefined) return err({ kind: "block-exists", name });
  const refusal = firstPolicyTo(resources, name.path, (policy, usage, depth): Refusal | undefined => {
    const path = name.path.slice(0, depth);
    if (policy.block === undefined) return { kind: "block-not-allowed", path, asked: size };
    const excess = over("block", policy.block, usage.block, size);
    return excess && { ...excess, path };
  });
  return refusal === undefined ? ok(undefined) : err(refusal);
}

export function insertBlock<U>(
  resources: Resources<U>,
  name: Name,
  block: Omit<Block, "usedBy">,
): Result<Resources<U>, Refusal> {
  const checked = checkBlock(resources, name, block.size);
  return checked.ok ? ok(putBlock(resources, name, block)) : checked;
}

/** Puts a block device without asking any policy: what was found at start, and changes of its state. */
export function putBlock<U>(resources: Resources<U>, name: Name, block: Block): Resources<U> {
  const { label } = name;
  if (label === undefined) return resources;
  return updateAt(resources, name.path, (node) => withBlock(node, label, block));
}

/** The tree without a block device that nothing uses. */
export function removeBlock<U>(resources: Resources<U>, name: Name): Result<Resources<U>, Refusal> {
  const { label } = name;
  const block = findBlock(resources, name);
  if (label === undefined || block === undefined) return err({ kind: "block-not-found", name });
  if (block.usedBy !== undefined) {
    return err({ kind: "block-in-use", name, by: { path: name.path, label: block.usedBy } });
  }
  return ok(updateAt(resources, name.path, (node) => withBlock(node, label, undefined)));
}

export function listPolicies<U>(resources: Resources<U>, path: Path): readonly Named<Policy>[] {
  const node = nodeAt(resources, path) ?? emptyNode;
  return [...walk(node, path, { path: (at) => at.grant?.policy })].map(([name, value]) => ({ name, value }));
}

export function listUnikernels<U>(resources: Resources<U>, path: Path): readonly Named<Tenant<U>>[] {
  const node: Node<U> = nodeAt(resources, path) ?? emptyNode;
  const pick: Pick<U, Tenant<U>> = {
    labels: (at) => at.unikernels,
    isBelow: ({ usage }, here) => usage.unikernels > here.length,
  };
  return [...walk(node, path, pick)].map(([name, value]) => ({ name, value }));
}

export function listBlocks<U>(resources: Resources<U>, path: Path): readonly Named<BlockState>[] {
  const node = nodeAt(resources, path) ?? emptyNode;
  return [...walk(node, path, { labels: (at) => at.blocks })].map(([name, { size, usedBy }]) => ({
    name,
    value: { size, active: usedBy !== undefined },
  }));
}

/** The whole tree, a line an entry: for people and for tests. */
export function print<U>(resources: Resources<U>): string {
  const policies = listPolicies(resources, []).map(
    ({ name, value }) => `${printName(name)} policy ${value.unikernels} unikernels, ${value.memory} MB`,
  );
  const unikernels = listUnikernels(resources, []).map(
    ({ name, value }) => `${printName(name)} unikernel ${value.demand.memory} MB`,
  );
  const blocks = listBlocks(resources, []).map(
    ({ name, value }) => `${printName(name)} block device ${value.size} MB${value.active ? ", in use" : ""}`,
  );
  return [...policies, ...unikernels, ...blocks].join("\n");
}

/** A refusal by a policy, without its path: most requests are refused by none. */
type Excess<K extends Refusal["kind"]> = Omit<Extract<Refusal, { kind: K }>, "path">;

/** Whether taking `asked` more (if it is more) would be over the limit. */
function over(resource: Resource, limit: number, used: number, asked: number): Excess<"limit"> | undefined {
  return asked > 0 && used + asked > limit ? { kind: "limit", resource, limit, used, asked } : undefined;
}

function outside(
  policy: Policy,
  demand: Demand,
): Excess<"cpuids-not-allowed"> | Excess<"bridges-not-allowed"> | undefined {
  const cpuids = missing(demand.cpuids, policy.cpuids);
  if (cpuids.length > 0) return { kind: "cpuids-not-allowed", allowed: policy.cpuids, asked: cpuids };
  for (const bridge of demand.bridges) {
    if (policy.bridges.includes(hostBridge(bridge))) continue;
    const asked = missing(demand.bridges.map(hostBridge), policy.bridges);
    return { kind: "bridges-not-allowed", allowed: policy.bridges, asked };
  }
  return undefined;
}

/** Every block device once, there, ready, and free or already this unikernel's. */
function checkAttached<U>(resources: Resources<U>, name: Name, demand: Demand): Result<void, Refusal> {
  if (demand.blocks.length === 0) return ok(undefined);
  const blocks = demand.blocks.map(hostDevice);
  for (const [index, device] of blocks.entries()) {
    if (blocks.indexOf(device) < index) return err({ kind: "block-twice", device });
    const label = parseLabel(device);
    if (!label.ok) return err({ kind: "block-name-invalid", device });
    const at = { path: name.path, label: label.value };
    const block = findBlock(resources, at);
    if (block === undefined) return err({ kind: "block-not-found", name: at });
    if (block.state !== "ready") return err({ kind: "block-busy", name: at });
    if (block.usedBy !== undefined && block.usedBy !== name.label) {
      return err({ kind: "block-in-use", name: at, by: { path: name.path, label: block.usedBy } });
    }
  }
  return ok(undefined);
}

/** The node with the block devices of the unikernel `label` free. */
function released<U>(node: Node<U>, label: Label): Node<U> {
  return setUsers(node, lookup(node.unikernels, label)?.demand.blocks ?? none, undefined);
}

function setUsers<U>(node: Node<U>, blocks: readonly BlockAttachment[], label: Label | undefined): Node<U> {
  return blocks.length === 0 ? node : blocks.reduce((at, block) => setUser(at, hostDevice(block), label), node);
}

const none: readonly BlockAttachment[] = [];

function setUser<U>(node: Node<U>, device: string, usedBy: Label | undefined): Node<U> {
  const label = parseLabel(device);
  const block = label.ok ? lookup(node.blocks, label.value) : undefined;
  if (!label.ok || block === undefined) return node;
  const { size, state } = block;
  return withBlock(node, label.value, usedBy === undefined ? { size, state } : { size, state, usedBy });
}
