/**
 * Policies coming into force: by a client's chain, by a local command, at start.
 *
 * A chain is one change, judged from the top: all of its policies are applied
 * or none. Two things protect a path from its own past and from its neighbours:
 * a certificate older than the one whose policy is in force changes nothing
 * (rollback), and delegations minted below the first level are bounded.
 *
 * @module
 */
import type { Level } from "./command.ts";
import { isWithin, type Path } from "./name.ts";
import { excess, type Policy, samePolicy } from "./policy.ts";
import type { Refusal } from "./refusal.ts";
import { empty, findGrant, findPolicy, grantsTo, type Resources } from "./resources.ts";
import { err, ok, type Result } from "./result.ts";
import { type Grant, type GrantChange, nodeAt, updateAt, walk, withGrant } from "./trie.ts";

export interface Granted<U> {
  readonly resources: Resources<U>;
  readonly changes: readonly GrantChange[];
}

/**
 * Most policies below one first-level delegate. Whoever holds a sub-CA can mint
 * paths without end; each costs about a kilobyte of memory and of the store.
 */
export const maxDelegations = 1000;

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
): Result<Granted<U>, Refusal> {
  const path = levels.map((level) => level.label);
  let granted: Granted<U> = { resources, changes: [] };
  for (const [index, level] of levels.entries()) {
    const next = insertLevel(granted, path.slice(0, index + 1), level, used, path);
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
  return ok(
    put({ resources, changes: [] }, path, { policy, notBefore: now, used: Number.POSITIVE_INFINITY, shared: false }),
  );
}

/** Takes the policy at a path away; those above still bind. The root's stays. */
export function removePolicy<U>(resources: Resources<U>, path: Path): Result<Granted<U>, Refusal> {
  if (path.length === 0) return err({ kind: "root-policy-stays" });
  if (findPolicy(resources, path) === undefined) return err({ kind: "policy-not-found", path });
  return ok(drop({ resources, changes: [] }, path));
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

function insertLevel<U>(
  granted: Granted<U>,
  path: Path,
  level: Level,
  used: number,
  chain: Path,
): Result<Granted<U>, Refusal> {
  const before = findGrant(granted.resources, path);
  const { policy, notBefore } = level;
  if (before !== undefined && notBefore <= before.notBefore) {
    if (notBefore < before.notBefore || samePolicy(before.policy, policy))
      return ok(touch(granted, path, before, used));
  }
  const refusal = aboveAllows(granted.resources, path, policy);
  if (refusal !== undefined) return err(refusal);
  const room = before === undefined ? makeRoom(granted, path, chain) : ok(granted);
  const grant = { policy, notBefore, used, shared: false };
  const { certificate } = level;
  return room.ok ? ok(put(room.value, path, certificate === undefined ? grant : { ...grant, certificate })) : room;
}

/** Why the policies above `path`, the root's excepted, do not allow this one, if they do not. */
function aboveAllows<U>(resources: Resources<U>, path: Path, policy: Policy): Refusal | undefined {
  for (const { path: above, policy: allowed } of grantsTo(resources, path.slice(0, -1))) {
    const more = above.length === 0 ? undefined : excess(policy, allowed);
    if (more !== undefined) return { kind: "policy-exceeds", path, above, excess: more };
  }
  return undefined;
}

/**
 * Room for one more policy below the first level, by evicting the least recently used empty one where it is full: one of
 * its siblings or below them, where there is any. With a policy goes the memory of how new it was, so that a delegate
 * who mints without end must not make others' policies go.
 */
function makeRoom<U>(granted: Granted<U>, path: Path, chain: Path): Result<Granted<U>, Refusal> {
  if (path.length < 2) return ok(granted);
  const top = path.slice(0, 1);
  const node = nodeAt(granted.resources, top);
  if (node === undefined || node.grants - (node.grant ? 1 : 0) < maxDelegations) return ok(granted);
  for (let above = path.slice(0, -1); above.length > 0; above = above.slice(0, -1)) {
    const oldest = leastUsed(granted.resources, above, chain);
    if (oldest !== undefined) return ok(drop(granted, oldest));
  }
  return err({ kind: "too-many-delegations", path: top, limit: maxDelegations });
}

/** The least recently used of those below `above` that may go. */
function leastUsed<U>(resources: Resources<U>, above: Path, chain: Path): Path | undefined {
  let oldest: { readonly path: Path; readonly used: number } | undefined;
  for (const [{ path: at }, { used }] of walk(nodeAt(resources, above) ?? empty, above, { path: evictable })) {
    if (at.length > 1 && !isWithin(at, chain) && (oldest === undefined || used < oldest.used)) {
      oldest = { path: at, used };
    }
  }
  return oldest?.path;
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
  const { shared } = grant;
  const bounded = path.length > 1 && (nodeAt(granted.resources, path.slice(0, 1))?.grants ?? 0) > watched;
  if (shared && !bounded) return granted;
  const latest = Math.max(used, grant.used);
  return {
    ...granted,
    resources: putGrant(granted.resources, path, { ...grant, used: latest, shared: true }),
  };
}

/** From so many delegations on it is followed when each is used: by the time that one must go, that tells enough. */
const watched: number = maxDelegations / 2;

function drop<U>({ resources, changes }: Granted<U>, path: Path): Granted<U> {
  const before = findGrant(resources, path);
  const dropped = updateAt(resources, path, (node) => withGrant(node, undefined));
  return { resources: dropped, changes: [...changes, before === undefined ? { path } : { path, before }] };
}
