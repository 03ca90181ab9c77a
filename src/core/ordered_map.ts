/**
 * A persistent map from text to values: an AVL tree whose changes copy the path
 * to the changed entry and share all else.
 *
 * Looking up, inserting and removing cost O(log n); the old map stays as it was.
 * The tree is in order of how the keys end, which stands in each entry as a
 * number, and of the keys themselves where they end alike: text lies elsewhere
 * in memory, and on the way to an entry hardly any is looked at, as names that
 * are counted (`vm17`) differ at their end.
 *
 * @module
 */

export interface Entry<K extends string, V> {
  readonly key: K;
  /** How the key ends. */
  readonly end: number;
  readonly value: V;
  readonly left: OrderedMap<K, V>;
  readonly right: OrderedMap<K, V>;
  readonly height: number;
}

/** The empty map is undefined. */
export type OrderedMap<K extends string, V> = Entry<K, V> | undefined;

export function lookup<K extends string, V>(map: OrderedMap<K, V>, key: K): V | undefined {
  const end = endOf(key);
  for (let at = map; at !== undefined; ) {
    const order = compare(key, end, at);
    if (order === 0) return at.value;
    at = order < 0 ? at.left : at.right;
  }
  return undefined;
}

/** The map with `key` meaning `value`, whether or not it was there. */
export function insert<K extends string, V>(map: OrderedMap<K, V>, key: K, value: V): Entry<K, V> {
  return insertAt(map, key, endOf(key), value);
}

/** The map without `key`, whether or not it was there. */
export function remove<K extends string, V>(map: OrderedMap<K, V>, key: K): OrderedMap<K, V> {
  return removeAt(map, key, endOf(key));
}

/** Entries by descending key; keys compare by code unit, which for labels is their order as bytes. */
export function descending<K extends string, V>(map: OrderedMap<K, V>): readonly (readonly [K, V])[] {
  const entries: (readonly [K, V])[] = [];
  each(map, (key, value) => entries.push([key, value]));
  return entries.sort(([one], [other]) => (one < other ? 1 : -1));
}

/** All entries, in the order of the tree, which means nothing to anybody. */
export function each<K extends string, V>(map: OrderedMap<K, V>, visit: (key: K, value: V) => void): void {
  for (let at = map; at !== undefined; at = at.left) {
    each(at.right, visit);
    visit(at.key, at.value);
  }
}

function insertAt<K extends string, V>(map: OrderedMap<K, V>, key: K, end: number, value: V): Entry<K, V> {
  if (map === undefined) return { key, end, value, left: undefined, right: undefined, height: 1 };
  const { left, right, height } = map;
  const order = compare(key, end, map);
  if (order === 0) return { key, end, value, left, right, height };
  // Most changes are of what is there: no height differs, and the other side need not be looked at.
  if (order < 0) {
    const after = insertAt(left, key, end, value);
    if (after.height !== left?.height) return balance(after, map, right);
    return { key: map.key, end: map.end, value: map.value, left: after, right, height };
  }
  const after = insertAt(right, key, end, value);
  if (after.height !== right?.height) return balance(left, map, after);
  return { key: map.key, end: map.end, value: map.value, left, right: after, height };
}

function removeAt<K extends string, V>(map: OrderedMap<K, V>, key: K, end: number): OrderedMap<K, V> {
  if (map === undefined) return undefined;
  const order = compare(key, end, map);
  if (order < 0) return balance(removeAt(map.left, key, end), map, map.right);
  if (order > 0) return balance(map.left, map, removeAt(map.right, key, end));
  if (map.left === undefined) return map.right;
  if (map.right === undefined) return map.left;
  const next = leftmost(map.right);
  return balance(map.left, next, removeAt(map.right, next.key, next.end));
}

/** Where a key is, seen from an entry: left of it (below 0), right of it (above 0) or in it. */
function compare<K extends string, V>(key: K, end: number, at: Entry<K, V>): number {
  if (end !== at.end) return end - at.end;
  if (key === at.key) return 0;
  return key < at.key ? -1 : 1;
}

/** The last six characters, five bits each: what V8 keeps in an entry itself, and enough to tell most siblings apart. */
function endOf(key: string): number {
  let end = 0;
  for (let at = Math.max(0, key.length - 6); at < key.length; at++) end = (end << 5) | (key.charCodeAt(at) & 0x1f);
  return end;
}

/** What `middle` holds, between two trees. */
function entry<K extends string, V>(left: OrderedMap<K, V>, middle: Entry<K, V>, right: OrderedMap<K, V>): Entry<K, V> {
  const { key, end, value } = middle;
  return { key, end, value, left, right, height: 1 + Math.max(height(left), height(right)) };
}

/** The same, where their heights differ by at most two, rotated where they differ by two. */
function balance<K extends string, V>(
  left: OrderedMap<K, V>,
  middle: Entry<K, V>,
  right: OrderedMap<K, V>,
): Entry<K, V> {
  const lean = height(left) - height(right);
  if (lean > 1 && left !== undefined) {
    const { right: inner } = left;
    return height(left.left) >= height(inner) || inner === undefined
      ? entry(left.left, left, entry(inner, middle, right))
      : entry(entry(left.left, left, inner.left), inner, entry(inner.right, middle, right));
  }
  if (lean < -1 && right !== undefined) {
    const { left: inner } = right;
    return height(right.right) >= height(inner) || inner === undefined
      ? entry(entry(left, middle, inner), right, right.right)
      : entry(entry(left, middle, inner.left), inner, entry(inner.right, right, right.right));
  }
  return entry(left, middle, right);
}

function leftmost<K extends string, V>(map: Entry<K, V>): Entry<K, V> {
  let at = map;
  while (at.left !== undefined) at = at.left;
  return at;
}

function height<K extends string, V>(map: OrderedMap<K, V>): number {
  return map === undefined ? 0 : map.height;
}
