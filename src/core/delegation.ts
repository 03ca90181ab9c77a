/**
 * Policies coming into force: by a client's chain, by a local command, at start.
 *
 * A chain is one change, judged from the top: all of its policies are applied
 * or none. Two things protect a path from its own past and from its neighbours:
 * a certificate older than the one whose policy is in force changes nothing, nor
 * does one older than what was in force before (rollback); and delegations
 * minted below the first level are bounded.
 *
 * @module
 */
import type { Level } from "./command.ts";
import { usualDaemonLimits } from "./limits.ts";
import type { Path } from "./name.ts";
import { each, lookup } from "./ordered_map.ts";
import { recall, remember } from "./past.ts";
import { excess, type Policy, samePolicy } from "./policy.ts";
import type { Refusal } from "./refusal.ts";
import { findGrant, firstPolicyTo, type Resources } from "./resources.ts";
import { err, ok, type Result } from "./result.ts";
import { emptyNode, type Grant, type GrantChange, nodeAt, updateAt, withGrant, withPast } from "./trie.ts";

export interface Granted<U> {
  readonly resources: Resources<U>;
  readonly changes: readonly GrantChange[];
}

/** Most policies below one first-level delegate, unless an operator says otherwise. */
export const maxDelegations: number = usualDaemonLimits.delegations;

/** What one first-level delegate may cost. */
export interface Bounds {
  /** Policies below it. */
  readonly delegations: number;
  /** Policies that went and are remembered (see past). */
  readonly memories: number;
}

export const defaultBounds: Bounds = { delegations: maxDelegations, memories: usualDaemonLimits.memories };

/**
 * Applies the policies of a chain.
 *
 * @param levels - from the trust anchor downwards
 * @param used - the number of this request, for finding the least recently used
 */
export function insertLevels<U>(
  resources: Resources<U>,
  levels: readonly Level[],
  used: number,
  bounds: Bounds = defaultBounds,
): Result<Granted<U>, Refusal> {
  let granted: Granted<U> = { resources, changes: [] };
  if (areKnown(resources, levels)) return ok(granted);
  const path = levels.map((level) => level.label);
  for (const [index, level] of levels.entries()) {
    const next = insertLevel(granted, path.slice(0, index + 1), level, { used, chain: path, bounds });
    if (!next.ok) return next;
    granted = next.value;
  }
  return ok(granted);
}

/**
 * Sets the policy at a path by a local command; until a chain brings another, this daemon never evicts it.
 *
 * @param now - ms since the Unix epoch: the command counts as a certificate of that time
 */
export function insertPolicy<U>(
  resources: Resources<U>,
  path: Path,
  policy: Policy,
  now: number,
): Result<Granted<U>, Refusal> {
  const refusal = aboveAllows(resources, path, policy);
  if (refusal !== undefined) return err(refusal);
  // A clock that was set back makes no certificate newer than it was.
  const notBefore = Math.max(now, findGrant(resources, path)?.notBefore ?? newestGone(resources, path));
  const grant = { policy, notBefore, used: Number.POSITIVE_INFINITY, shared: false, certificate: undefined };
  return ok(put({ resources, changes: [] }, path, grant));
}

/**
 * Takes the policy at a path away; those above still bind. The root's stays.
 *
 * How new it was is remembered, and not the time of this command: a certificate dated between the two was never
 * overruled (tools date what they issue minutes back).
 */
export function removePolicy<U>(
  resources: Resources<U>,
  path: Path,
  bounds: Bounds = defaultBounds,
): Result<Granted<U>, Refusal> {
  if (path.length === 0) return err({ kind: "root-policy-stays" });
  const before = findGrant(resources, path);
  if (before === undefined) return err({ kind: "policy-not-found", path });
  return ok(retire({ resources, changes: [] }, path, before, bounds));
}

/** Puts a policy without asking those above: the host's own at the root, and what was stored. */
export function putGrant<U>(resources: Resources<U>, path: Path, grant: Grant): Resources<U> {
  return updateAt(resources, path, (node) => withGrant(node, grant));
}

/**
 * Takes back what a request that was refused in the end had brought into force.
 * What another request has used or changed since stays: it is in force by that one.
 */
export function undoGrants<U>(resources: Resources<U>, changes: readonly GrantChange[]): Granted<U> {
  let undone: Granted<U> = { resources, changes: [] };
  for (const { path, before, after } of changes.toReversed()) {
    if (findGrant(undone.resources, path) !== after) continue;
    undone = before === undefined ? drop(undone, path) : put(undone, path, before);
  }
  return undone;
}

/** A request that brings policies: its number, the path of its chain, and what it may cost. */
interface Bringing {
  readonly used: number;
  readonly chain: Path;
  readonly bounds: Bounds;
}

/** Whether these policies are in force and nothing is to be noted of their use: as of most requests, in one walk. */
function areKnown<U>(resources: Resources<U>, levels: readonly Level[]): boolean {
  let node: Resources<U> | undefined = resources;
  for (const level of levels) {
    const isTop: boolean = node === resources;
    node = lookup(node.children, level.label);
    if (node?.grant?.shared !== true || !isInForce(node.grant, level)) return false;
    if (isTop && levels.length > 1 && isWatched(node)) return false;
  }
  return true;
}

/** Whether a level says nothing against the policy that is in force in its place: it is the same, or newer. */
function isInForce({ policy, notBefore }: Grant, level: Level): boolean {
  return level.notBefore < notBefore || (level.notBefore === notBefore && samePolicy(policy, level.policy));
}

function insertLevel<U>(
  granted: Granted<U>,
  path: Path,
  level: Level,
  bringing: Bringing,
): Result<Granted<U>, Refusal> {
  const { policy, notBefore, certificate } = level;
  const { used } = bringing;
  const before = findGrant(granted.resources, path);
  if (before !== undefined && isInForce(before, level)) return ok(touch(granted, path, before, used));
  // No policy is in force in its place, and none at all would allow more than either.
  const newest = before === undefined ? newestGone(granted.resources, path) : notBefore;
  if (notBefore < newest) {
    return err({ kind: "policy-outdated", path, seconds: Math.ceil((newest - notBefore) / 1000) });
  }
  const refusal = aboveAllows(granted.resources, path, policy);
  if (refusal !== undefined) return err(refusal);
  const room = before === undefined ? makeRoom(granted, path, bringing) : ok(granted);
  return room.ok ? ok(put(room.value, path, { policy, notBefore, used, shared: false, certificate })) : room;
}

/** How new the policies were that were in force at a path and went; ms since the Unix epoch. */
function newestGone<U>(resources: Resources<U>, path: Path): number {
  return recall(nodeAt(resources, path.slice(0, 1))?.past, path.slice(1));
}

/** Why the policies above `path`, the root's excepted, do not allow this one, if they do not. */
function aboveAllows<U>(resources: Resources<U>, path: Path, policy: Policy): Refusal | undefined {
  return firstPolicyTo(resources, path.slice(0, -1), (allowed, _, depth) => {
    const more = depth === 0 ? undefined : excess(policy, allowed);
    return more && { kind: "policy-exceeds", path, above: path.slice(0, depth), excess: more };
  });
}

/**
 * Room for one more policy below the first level, by evicting the least recently used empty one where it is full: one of
 * its siblings or below them, where there is any: a delegate who mints without end must not make others' policies go.
 */
function makeRoom<U>(granted: Granted<U>, path: Path, { chain, bounds }: Bringing): Result<Granted<U>, Refusal> {
  if (path.length < 2) return ok(granted);
  const top = path.slice(0, 1);
  const node = nodeAt(granted.resources, top);
  if (node === undefined || node.grants - (node.grant ? 1 : 0) < bounds.delegations) return ok(granted);
  for (let above = path.slice(0, -1); above.length > 0; above = above.slice(0, -1)) {
    const oldest = leastUsed(nodeAt(granted.resources, above) ?? emptyNode, above, chain);
    if (oldest !== undefined) return ok(retire(granted, oldest.path, oldest.grant, bounds));
  }
  return err({ kind: "too-many-delegations", path: top, limit: bounds.delegations });
}

interface GrantAtPath {
  readonly path: Path;
  readonly grant: Grant;
}

/**
 * The least recently used of those below `above` that may go. This looks at each: hence no generators, and few copies.
 *
 * Among the usual 1,000 it takes 0.2 ms, among the most that a host can allow 2 ms. A request comes here only with a
 * certificate that makes a new path: its handshake and signatures cost more than 2 ms of processor time, and it waits for
 * the disk. An index of the least recently used would have to follow each use, of every request.
 */
function leastUsed<U>(top: Resources<U>, above: Path, chain: Path): GrantAtPath | undefined {
  let oldest: GrantAtPath | undefined;
  const visit = (node: Resources<U>, path: Path, onChain: boolean): void =>
    each(node.children, (label, child) => {
      const chained = onChain && chain[path.length] === label;
      const grant = chained ? undefined : evictable(child);
      if (grant !== undefined && grant.used < (oldest?.grant.used ?? Number.POSITIVE_INFINITY)) {
        oldest = { path: [...path, label], grant };
      }
      if (child.children !== undefined) visit(child, [...path, label], chained);
    });
  visit(top, above, true);
  return oldest;
}

/** The grant of a node below which there is nothing, unless a local command set it. */
function evictable<U>(node: Resources<U>): Grant | undefined {
  const bare = node.unikernels === undefined && node.blocks === undefined && node.children === undefined;
  return bare && node.grant?.used !== Number.POSITIVE_INFINITY ? node.grant : undefined;
}

function put<U>({ resources, changes }: Granted<U>, path: Path, after: Grant): Granted<U> {
  const before = findGrant(resources, path);
  const change = before === undefined ? { path, after } : { path, before, after };
  return { resources: putGrant(resources, path, after), changes: [...changes, change] };
}

/** Notes the use of a grant, as far as that says anything new; it alone is not worth a write to the store. */
function touch<U>(granted: Granted<U>, path: Path, grant: Grant, used: number): Granted<U> {
  const { policy, notBefore, shared, certificate } = grant;
  const bounded = path.length > 1 && isWatched(nodeAt(granted.resources, path.slice(0, 1)));
  if (shared && !bounded) return granted;
  const latest = Math.max(used, grant.used);
  const touched = { policy, notBefore, used: latest, shared: true, certificate };
  return { ...granted, resources: putGrant(granted.resources, path, touched) };
}

/** Whether there are so many policies at and below a first-level delegate that the use of each is followed. */
function isWatched<U>(node: Resources<U> | undefined): boolean {
  return node !== undefined && node.grants > watched;
}

/** From so many delegations on it is followed when each is used: by the time that one must go, that tells enough. */
const watched: number = maxDelegations / 2;

/** Takes a policy away, and remembers how new it was. */
function retire<U>(granted: Granted<U>, path: Path, before: Grant, { memories: most }: Bounds): Granted<U> {
  const { resources } = drop(granted, path);
  const top = path.slice(0, 1);
  const { past, memories } = remember(nodeAt(resources, top)?.past, path.slice(1), before.notBefore, most);
  return {
    resources: updateAt(resources, top, (node) => withPast(node, past)),
    changes: [...granted.changes, { path, before, memories }],
  };
}

function drop<U>({ resources, changes }: Granted<U>, path: Path): Granted<U> {
  const before = findGrant(resources, path);
  const dropped = updateAt(resources, path, (node) => withGrant(node, undefined));
  return { resources: dropped, changes: [...changes, before === undefined ? { path } : { path, before }] };
}
