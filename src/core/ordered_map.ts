/**
 * A persistent map from text to values, in order of the keys: an AVL tree whose
 * changes copy the path to the changed entry and share all else.
 *
 * Looking up, inserting and removing cost O(log n); the old map stays as it was.
 * Keys compare by code unit, which for labels is their order as bytes.
 *
 * @module
 */

export interface Entry<K extends string, V> {
  readonly key: K;
  readonly value: V;
  readonly left: OrderedMap<K, V>;
  readonly right: OrderedMap<K, V>;
  readonly height: number;
}

/** The empty map is undefined. */
export type OrderedMap<K extends string, V> = Entry<K, V> | undefined;

export function lookup<K extends string, V>(map: OrderedMap<K, V>, key: K): V | undefined {
  // One comparison a node, as keys are text: the last one that is not above is the one, or none is.
  let found: OrderedMap<K, V>;
  for (let at = map; at !== undefined; ) {
    if (key < at.key) at = at.left;
    else {
      found = at;
      at = at.right;
    }
  }
  return found?.key === key ? found.value : undefined;
}

/** The map with `key` meaning `value`, whether or not it was there. */
export function insert<K extends string, V>(map: OrderedMap<K, V>, key: K, value: V): Entry<K, V> {
  if (map === undefined) return { key, value, left: undefined, right: undefined, height: 1 };
  const { left, right, height } = map;
  if (key === map.key) return { key, value, left, right, height };
  if (key < map.key) {
    const after = insert(left, key, value);
    // Most changes are of what is there: no height differs, and the other side need not be looked at.
    return after.height === left?.height
      ? { key: map.key, value: map.value, left: after, right, height }
      : balance(after, map, right);
  }
  const after = insert(right, key, value);
  return after.height === right?.height
    ? { key: map.key, value: map.value, left, right: after, height }
    : balance(left, map, after);
}

/** The map without `key`, whether or not it was there. */
export function remove<K extends string, V>(map: OrderedMap<K, V>, key: K): OrderedMap<K, V> {
  if (map === undefined) return undefined;
  if (key < map.key) return balance(remove(map.left, key), map, map.right);
  if (key > map.key) return balance(map.left, map, remove(map.right, key));
  if (map.left === undefined) return map.right;
  if (map.right === undefined) return map.left;
  const next = leftmost(map.right);
  return balance(map.left, next, remove(map.right, next.key));
}

/** Entries by descending key. */
export function* descending<K extends string, V>(map: OrderedMap<K, V>): Generator<readonly [K, V]> {
  if (map === undefined) return;
  yield* descending(map.right);
  yield [map.key, map.value];
  yield* descending(map.left);
}

/** As `descending`, and as fast as can be. */
export function each<K extends string, V>(map: OrderedMap<K, V>, visit: (key: K, value: V) => void): void {
  for (let at = map; at !== undefined; at = at.left) {
    each(at.right, visit);
    visit(at.key, at.value);
  }
}

function entry<K extends string, V>(left: OrderedMap<K, V>, key: K, value: V, right: OrderedMap<K, V>): Entry<K, V> {
  return { key, value, left, right, height: 1 + Math.max(height(left), height(right)) };
}

/** `middle` between two trees whose heights differ by at most two, rotated where they differ by two. */
function balance<K extends string, V>(
  left: OrderedMap<K, V>,
  middle: Entry<K, V>,
  right: OrderedMap<K, V>,
): Entry<K, V> {
  const { key, value } = middle;
  const lean = height(left) - height(right);
  if (lean > 1 && left !== undefined) {
    if (height(left.left) >= height(left.right) || left.right === undefined) {
      return entry(left.left, left.key, left.value, entry(left.right, key, value, right));
    }
    const { right: inner } = left;
    return entry(
      entry(left.left, left.key, left.value, inner.left),
      inner.key,
      inner.value,
      entry(inner.right, key, value, right),
    );
  }
  if (lean < -1 && right !== undefined) {
    if (height(right.right) >= height(right.left) || right.left === undefined) {
      return entry(entry(left, key, value, right.left), right.key, right.value, right.right);
    }
    const { left: inner } = right;
    return entry(
      entry(left, key, value, inner.left),
      inner.key,
      inner.value,
      entry(inner.right, right.key, right.value, right.right),
    );
  }
  return entry(left, key, value, right);
}

function leftmost<K extends string, V>(map: Entry<K, V>): Entry<K, V> {
  let at = map;
  while (at.left !== undefined) at = at.left;
  return at;
}

function height<K extends string, V>(map: OrderedMap<K, V>): number {
  return map === undefined ? 0 : map.height;
}
