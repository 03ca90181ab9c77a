/**
 * Locks: a subtree frozen at once, without any revocation list.
 *
 * Whoever's chain ends at or below a locked path is refused everything, and
 * nobody at all adds to what is used there; what runs goes on. A path has one
 * lock, which belongs to the highest of those who set it: who is below him does
 * not unlock it.
 *
 * @module
 */
import type { LockState, Named } from "./command.ts";
import { isWithin, type Path, printPath, relativeTo } from "./name.ts";
import { descending, insert, lookup, type OrderedMap, remove } from "./ordered_map.ts";
import { crowded } from "./quota.ts";
import type { Refusal } from "./refusal.ts";
import { err, ok, type Result } from "./result.ts";

export interface Lock extends LockState {
  readonly path: Path;
}

/** By printed path. */
export type Locks = OrderedMap<string, Lock>;

/** Who asks, and for what. */
export interface Asker {
  /** Absent: somebody of the host's own, who is no delegate. */
  readonly chain?: Path;
  /** Where the command is to act. */
  readonly target: Path;
  /** Whether it takes resources. */
  readonly takes: boolean;
}

/** Why a lock forbids it, if one does. Costs O(depth · log locks). */
export function checkLocked(locks: Locks, { chain, target, takes }: Asker): Refusal | undefined {
  if (locks === undefined) return undefined;
  const found = (chain && lockAbove(locks, chain)) ?? (takes ? lockAbove(locks, target) : undefined);
  return found && { kind: "locked", path: found.path, owner: found.owner };
}

/**
 * @param owner - the path of who asks; the root path for the host's own
 * @param now - ms since the Unix epoch
 */
export function putLock(locks: Locks, path: Path, owner: Path, now: number): Result<Locks, Refusal> {
  if (owner.length > 0 && !(path.length > owner.length && isWithin(owner, path))) {
    return err({ kind: "lock-not-below", path });
  }
  const key = printPath(path);
  const known = lookup(locks, key);
  if (known !== undefined && isWithin(known.owner, owner)) return ok(locks);
  const others = descending(locks).flatMap(([, lock]) => (lock === known ? [] : [lock.owner]));
  const limit = crowded(others, owner, maxLocks);
  if (limit !== undefined) return err({ kind: "too-many-locks", path: owner, limit });
  return ok(insert(locks, key, { path, owner, since: now }));
}

/** @param asker - the path of who asks, at or above the lock's owner */
export function removeLock(locks: Locks, path: Path, asker: Path): Result<Locks, Refusal> {
  const key = printPath(path);
  const known = lookup(locks, key);
  if (known === undefined) return err({ kind: "lock-not-found", path });
  if (!isWithin(asker, known.owner)) return err({ kind: "locked-above", path, owner: known.owner });
  return ok(remove(locks, key));
}

export function findLock(locks: Locks, path: Path): Lock | undefined {
  return lookup(locks, printPath(path));
}

/** At and below a path, relative to it; what is above comes first. */
export function listLocks(locks: Locks, path: Path): readonly Named<LockState>[] {
  return descending(locks)
    .filter(([, lock]) => isWithin(path, lock.path))
    .map(([, { path: at, owner, since }]) => ({ name: { path: at }, value: { owner, since } }))
    .map((entry) => ({ ...entry, name: relativeTo(path, entry.name) }))
    .reverse();
}

/** The topmost lock on the way from the root to the path. */
function lockAbove(locks: Locks, path: Path): Lock | undefined {
  for (let depth = 0; depth <= path.length; depth++) {
    const lock = lookup(locks, printPath(path.slice(0, depth)));
    if (lock !== undefined) return lock;
  }
  return undefined;
}

/** Locks set by one path, by all at and below one of the second level, by all below one of the first; each is a line on a screen. */
const maxLocks = { own: 100, second: 100, first: 400, root: 10_000 } as const;
