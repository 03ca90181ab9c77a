/**
 * Room that is shared along the tree of paths: whoever mints paths without end
 * fills the room below himself, never that of those above or beside him.
 *
 * @module
 */
import { isWithin, type Path } from "./name.ts";

/** How many things at once: of one path, of all at and below a path of the second level, of all below one of the first. */
export interface Quota {
  readonly own: number;
  readonly second: number;
  readonly first: number;
  /** Of the root path itself: the host's own people. */
  readonly root: number;
}

/** The limit that one more thing of `path` would be over, if it would. @param taken - the paths of those that are there */
export function crowded(taken: readonly Path[], path: Path, quota: Quota): number | undefined {
  const same = (at: Path): boolean => at.length === path.length && isWithin(path, at);
  const own = path.length === 0 ? quota.root : quota.own;
  if (taken.filter(same).length >= own) return own;
  if (path.length < 2) return undefined;
  const neighbours = taken.filter((at) => isWithin(path.slice(0, 2), at));
  if (neighbours.length >= quota.second) return quota.second;
  const below = taken.filter((at) => at.length > 1 && at[0] === path[0]);
  return below.length >= quota.first ? quota.first : undefined;
}
