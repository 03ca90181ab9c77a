/**
 * The tree of paths: at each path a policy, unikernels and block devices, and
 * the sum of what is used at and below it.
 *
 * Persistent: a change copies the nodes from the root to the changed one, each
 * an update of its parent's balanced map, so it costs O(depth · log siblings).
 * The sums are kept as the change climbs back, so no reader ever adds up a
 * subtree. Unikernels and paths live in maps of their own: a path and a label
 * of the same spelling never meet.
 *
 * @module
 */
import type { Label, Name, Path } from "./name.ts";
import { descending, insert, lookup, type OrderedMap, remove } from "./ordered_map.ts";
import type { Memory, Past } from "./past.ts";
import type { Policy } from "./policy.ts";
import type { CertificateId } from "./revocation.ts";
import type { BlockAttachment, BridgeAttachment } from "./unikernel.ts";

/** What a unikernel takes of the policies above it: mostly its settings as they are, so that nothing is kept twice. */
export interface Demand {
  /** MB. */
  readonly memory: number;
  readonly cpuids: readonly number[];
  readonly bridges: readonly BridgeAttachment[];
  readonly blocks: readonly BlockAttachment[];
}

/** Sums over everything at and below a path; memory and block in MB. */
export interface Usage {
  readonly unikernels: number;
  readonly memory: number;
  readonly block: number;
}

/** A policy in force; always with the same members in the same order, as a node. */
export interface Grant {
  readonly policy: Policy;
  /** notBefore of the newest certificate that granted it, or the time of the local command; ms since the Unix epoch. */
  readonly notBefore: number;
  /** When a request last came through it, in requests since the start; followed where there are many (see delegation). */
  readonly used: number;
  /** Whether any came through it since the one that brought it: then it stays, should that one be refused in the end. */
  readonly shared: boolean;
  /** The certificate that granted it; undefined where a local command did. */
  readonly certificate: CertificateId | undefined;
}

/** What came into force, changed or went at one path. */
export interface GrantChange {
  readonly path: Path;
  readonly before?: Grant;
  readonly after?: Grant;
  /** What is remembered of policies that went; paths begin below the first level. */
  readonly memories?: readonly Memory[];
}

export interface Block {
  /** MB. */
  readonly size: number;
  /** Whether its file is there for use, or what the host is doing with it. */
  readonly state: "ready" | "creating" | "removing" | "filling" | "reading";
  /** The unikernel of the same path that has it. */
  readonly usedBy?: Label;
  /** Of one being made or removed: the policies that came with the request, taken back should it fail. */
  readonly grants?: readonly GrantChange[];
}

export interface Tenant<U> {
  readonly demand: Demand;
  readonly unikernel: U;
}

/** Always with the same members in the same order: the hot path makes some ten of them a request. */
export interface Node<U> {
  readonly grant: Grant | undefined;
  readonly unikernels: OrderedMap<Label, Tenant<U>>;
  readonly blocks: OrderedMap<Label, Block>;
  readonly children: OrderedMap<Label, Node<U>>;
  readonly usage: Usage;
  /** Policies at and below this path. */
  readonly grants: number;
  /** At the first level alone: the policies that went, of that path and below it. */
  readonly past: Past | undefined;
}

const noUsage: Usage = { unikernels: 0, memory: 0, block: 0 };

export const emptyNode: Node<never> = {
  grant: undefined,
  unikernels: undefined,
  blocks: undefined,
  children: undefined,
  usage: noUsage,
  grants: 0,
  past: undefined,
};

/** The node at a path, or undefined where nothing is at or below it. */
export function nodeAt<U>(top: Node<U>, path: Path): Node<U> | undefined {
  let node: Node<U> | undefined = top;
  for (const label of path) {
    node = lookup(node.children, label);
    if (node === undefined) return undefined;
  }
  return node;
}

/**
 * Asks each node from the root to `path`, as far as there are any, until one answers.
 *
 * @param ask - `depth` labels of the path lead to the node
 */
export function firstTo<U, T>(
  top: Node<U>,
  path: Path,
  ask: (node: Node<U>, depth: number) => T | undefined,
): T | undefined {
  let node: Node<U> | undefined = top;
  for (let depth = 0; ; depth++) {
    const answer = ask(node, depth);
    const label = path[depth];
    if (answer !== undefined || label === undefined) return answer;
    node = lookup(node.children, label);
    if (node === undefined) return undefined;
  }
}

/** The tree with the node at `path` changed, and the sums on the way there. A node left empty goes. */
export function updateAt<U>(top: Node<U>, path: Path, change: (node: Node<U>) => Node<U>, depth = 0): Node<U> {
  const label = path[depth];
  if (label === undefined) return change(top);
  const before = lookup(top.children, label) ?? emptyNode;
  const after = updateAt(before, path, change, depth + 1);
  return {
    grant: top.grant,
    unikernels: top.unikernels,
    blocks: top.blocks,
    children: isEmpty(after) ? remove(top.children, label) : insert(top.children, label, after),
    usage: exchanged(top.usage, before.usage, after.usage),
    grants: top.grants - before.grants + after.grants,
    past: top.past,
  };
}

/** A node with its grant set, or taken away. */
export function withGrant<U>(node: Node<U>, grant: Grant | undefined): Node<U> {
  const { unikernels, blocks, children, usage, past } = node;
  const grants = node.grants + (grant ? 1 : 0) - (node.grant ? 1 : 0);
  return { grant, unikernels, blocks, children, usage, grants, past };
}

/** A node with what is remembered of policies that went. */
export function withPast<U>(node: Node<U>, past: Past | undefined): Node<U> {
  const { grant, unikernels, blocks, children, usage, grants } = node;
  return { grant, unikernels, blocks, children, usage, grants, past };
}

/** A node with a unikernel put, replaced or (undefined) removed. */
export function withTenant<U>(node: Node<U>, label: Label, tenant: Tenant<U> | undefined): Node<U> {
  const before = lookup(node.unikernels, label);
  const { grant, blocks, children, grants, past } = node;
  const unikernels = tenant ? insert(node.unikernels, label, tenant) : remove(node.unikernels, label);
  const usage = exchanged(node.usage, tenantUsage(before), tenantUsage(tenant));
  return { grant, unikernels, blocks, children, usage, grants, past };
}

/** A node with a block device put, replaced or (undefined) removed. */
export function withBlock<U>(node: Node<U>, label: Label, block: Block | undefined): Node<U> {
  const before = lookup(node.blocks, label);
  const { grant, unikernels, children, grants, past } = node;
  const blocks = block ? insert(node.blocks, label, block) : remove(node.blocks, label);
  const usage = exchanged(node.usage, blockUsage(before), blockUsage(block));
  return { grant, unikernels, blocks, children, usage, grants, past };
}

function tenantUsage<U>(tenant: Tenant<U> | undefined): Usage {
  return tenant === undefined ? noUsage : { unikernels: 1, memory: tenant.demand.memory, block: 0 };
}

function blockUsage(block: Block | undefined): Usage {
  return block === undefined ? noUsage : { unikernels: 0, memory: 0, block: block.size };
}

/** A sum in which one part became another. */
function exchanged(sum: Usage, before: Usage, after: Usage): Usage {
  if (before === after) return sum;
  return {
    unikernels: sum.unikernels - before.unikernels + after.unikernels,
    memory: sum.memory - before.memory + after.memory,
    block: sum.block - before.block + after.block,
  };
}

/**
 * Everything at and below a path that `pick` finds in a node, pre-order: an
 * entry before what lies below its name, siblings by descending label, as
 * albatross lists them.
 */
export function* walk<U, T>(node: Node<U>, path: Path, pick: Pick<U, T>): Generator<readonly [Name, T]> {
  const own = pick.path?.(node);
  if (own !== undefined) yield [{ path }, own];
  const entries = pick.labels ? descending(pick.labels(node)) : [];
  let next = 0;
  for (const [label, child] of pick.isBelow?.(node, entries) === false ? [] : descending(node.children)) {
    for (; next < entries.length && (entries[next]?.[0] ?? "") >= label; next++) yield* named(path, entries[next]);
    yield* walk(child, [...path, label], pick);
  }
  for (; next < entries.length; next++) yield* named(path, entries[next]);
}

/** What `walk` collects: something of the path itself, something of labels at it. */
export interface Pick<U, T> {
  /** Whether the node's sums tell of more than what is here; absent: that is looked for, however many paths there are. */
  readonly isBelow?: (node: Node<U>, here: readonly (readonly [Label, T])[]) => boolean;
  readonly path?: (node: Node<U>) => T | undefined;
  readonly labels?: (node: Node<U>) => OrderedMap<Label, T>;
}

function* named<T>(path: Path, entry: readonly [Label, T] | undefined): Generator<readonly [Name, T]> {
  if (entry !== undefined) yield [{ path, label: entry[0] }, entry[1]];
}

function isEmpty<U>(node: Node<U>): boolean {
  return (
    node.grant === undefined &&
    node.unikernels === undefined &&
    node.blocks === undefined &&
    node.children === undefined &&
    node.past === undefined
  );
}
