/**
 * How new the policies were that are in force no more: what tells an old
 * certificate from one that nobody has seen.
 *
 * Of one first-level delegate, and bounded. When there are too many memories,
 * the oldest are given up where most of them are, and a floor takes their place:
 * none of those that were given up below it was newer. So whoever mints paths
 * without end blurs his own past, and no neighbour's.
 *
 * Invariant: what is recalled of a path is at least the notBefore of every
 * policy that was in force there and went.
 *
 * @module
 */
import type { Label, Path } from "./name.ts";
import { each, insert, lookup, type OrderedMap, remove } from "./ordered_map.ts";

/** At one path; times in ms since the Unix epoch. */
export interface Past {
  /** notBefore of the newest policy that was in force at this very path and went. */
  readonly own: number | undefined;
  /** Below this path nothing that was given up was newer. */
  readonly floor: number | undefined;
  readonly children: OrderedMap<Label, Past>;
  /** Times kept at and below this path. */
  readonly count: number;
}

/** A time that came to be kept, or (undefined) was given up. */
export interface Memory {
  readonly path: Path;
  readonly kind: "own" | "floor";
  readonly time: number | undefined;
}

/** How new a policy for a path must be, at least; paths here begin below the first level. */
export function recall(past: Past | undefined, path: Path): number {
  let at = past;
  let floor = Number.NEGATIVE_INFINITY;
  for (const label of path) {
    if (at === undefined) return floor;
    floor = Math.max(floor, at.floor ?? floor);
    at = lookup(at.children, label);
  }
  return at?.own ?? floor;
}

/**
 * @param most - times kept of one first-level delegate
 * @returns what is remembered then, and what of that is new, for the store
 */
export function remember(
  past: Past | undefined,
  path: Path,
  time: number,
  most: number,
): { readonly past: Past; readonly memories: readonly Memory[] } {
  const added: Memory = { path, kind: "own", time: Math.max(time, recall(past, path)) };
  const next = putMemory(past, added);
  if (next.count <= most) return { past: next, memories: [added] };
  const given = giveUp(next, heaviest(next));
  return { past: given.past, memories: [added, ...given.memories] };
}

/** For what was stored. */
export function putMemory(past: Past | undefined, { path, kind, time }: Memory): Past {
  return changeAt(past ?? nothing, path, 0, ({ own, floor, children, count }) => {
    const before = kind === "own" ? own : floor;
    const after = count + (time === undefined ? 0 : 1) - (before === undefined ? 0 : 1);
    return kind === "own" ? { own: time, floor, children, count: after } : { own, floor: time, children, count: after };
  });
}

/** All that is kept at and below a path, an entry before what lies below it. */
export function memoriesOf(past: Past | undefined, path: Path = [], found: Memory[] = []): readonly Memory[] {
  if (past?.own !== undefined) found.push({ path, kind: "own", time: past.own });
  if (past?.floor !== undefined) found.push({ path, kind: "floor", time: past.floor });
  each(past?.children, (label, child) => memoriesOf(child, [...path, label], found));
  return found;
}

/** Downwards to the path below which most is kept, as long as one below it has enough to be worth a floor of its own. */
function heaviest(past: Past, path: Path = []): Path {
  let most: { readonly label: Label; readonly child: Past } | undefined;
  each(past.children, (label, child) => {
    if (child.count > (most?.child.count ?? worthFloor)) most = { label, child };
  });
  return most === undefined ? path : heaviest(most.child, [...path, most.label]);
}

/** Gives up the oldest of what is kept below a path, for one floor there. */
function giveUp(past: Past, path: Path): { readonly past: Past; readonly memories: readonly Memory[] } {
  const below = memoriesOf(pastAt(past, path), path)
    .filter((memory) => memory.path.length > path.length)
    .toSorted((one, other) => (one.time ?? 0) - (other.time ?? 0));
  const oldest = below.slice(0, Math.min(givenAtOnce, Math.ceil(below.length / 2)));
  const newest = oldest.at(-1)?.time;
  const floor = Math.max(newest ?? Number.NEGATIVE_INFINITY, pastAt(past, path).floor ?? Number.NEGATIVE_INFINITY);
  const memories: Memory[] = [
    ...oldest.map((memory) => ({ ...memory, time: undefined })),
    { path, kind: "floor", time: floor },
  ];
  return { past: memories.reduce<Past>(putMemory, past), memories };
}

function pastAt(past: Past, path: Path): Past {
  return path.reduce((at, label) => lookup(at.children, label) ?? nothing, past);
}

function changeAt(past: Past, path: Path, depth: number, change: (past: Past) => Past): Past {
  const label = path[depth];
  if (label === undefined) return change(past);
  const { own, floor, children, count } = past;
  const before = lookup(children, label) ?? nothing;
  const after = changeAt(before, path, depth + 1, change);
  return {
    own,
    floor,
    children: after.count === 0 ? remove(children, label) : insert(children, label, after),
    count: count - before.count + after.count,
  };
}

const nothing: Past = { own: undefined, floor: undefined, children: undefined, count: 0 };

/** Times below one path, from which on it is there that some are given up, not further up. */
const worthFloor = 64;

/** Times given up at once: rarely, as looking for the oldest means looking at all, and not so many that the store chokes. */
const givenAtOnce = 256;
