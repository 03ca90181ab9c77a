import fc from "fast-check";
import { expect, test } from "vitest";
import { descending, each, insert, lookup, type OrderedMap, remove } from "../../src/core/ordered_map.ts";
import { property } from "./property.ts";

/** Some are the same, some end alike for more than an entry holds of them, some differ by a bit that it does not hold. */
const key = fc.oneof(
  fc.constantFrom("a", "b", "ab", "z", "", "A", "p", "0", "\ud800", "\udfff"),
  fc.string({ maxLength: 2 }),
  fc.nat(60).map(String),
  fc.nat(60).map((count) => `${count}.example.org`),
);
const change = fc.record({ key, value: fc.option(fc.nat(), { nil: undefined }) });
const changes = fc.array(change, { maxLength: 200, size: "max" });
type Map_ = OrderedMap<string, number>;

const apply = (map: Map_, { key: at, value }: { key: string; value: number | undefined }): Map_ =>
  value === undefined ? remove(map, at) : insert(map, at, value);

property("insert and remove do as a Map does, and descending is the order of the keys", changes, (list) => {
  let map: Map_;
  const model = new Map<string, number>();
  for (const one of list) {
    map = apply(map, one);
    if (one.value === undefined) model.delete(one.key);
    else model.set(one.key, one.value);
    expect(lookup(map, one.key)).toBe(model.get(one.key));
  }
  expect(descending(map)).toEqual([...model].toSorted(([a], [b]) => (a < b ? 1 : -1)));
  const visited: (readonly [string, number])[] = [];
  each(map, (at, value) => visited.push([at, value]));
  expect(visited).toHaveLength(model.size);
  expect(new Map(visited)).toEqual(model);
});

property("insert and remove keep the tree balanced and its heights right", changes, (list) => {
  let map: Map_;
  for (const one of list) map = apply(map, one);
  checkBalanced(map);
});

test("insert keeps the tree balanced where all keys end alike, and where they come in order", () => {
  const balanced = (names: readonly string[]): number => {
    let map: Map_;
    for (const one of names) map = insert(map, one, 0);
    return checkBalanced(map);
  };
  const counted = Array.from({ length: 1000 }, (_, count) => String(count).padStart(4, "0"));
  // 1.44 times the least height that holds 1,000 (Knuth 6.2.3, theorem A).
  expect(balanced(counted)).toBeLessThanOrEqual(14);
  expect(balanced(counted.map((count) => `${count}.example.org`))).toBeLessThanOrEqual(14);
});

property("insert and remove leave the old map as it was", fc.tuple(changes, changes), ([before, after]) => {
  let map: Map_;
  for (const one of before) map = apply(map, one);
  const entries = descending(map);
  const copy = structuredClone(map);
  let next = map;
  for (const one of after) next = apply(next, one);
  expect(map).toEqual(copy);
  expect(descending(map)).toEqual(entries);
});

property(
  "insert copies no more than the way to what it changes",
  fc.nat(1023),
  (index) => {
    let map: Map_;
    for (let at = 0; at < 1024; at++) map = insert(map, String(at), at);
    const next = insert(map, String(index), -1);
    const kept = nodes(map);
    expect([...nodes(next)].filter((node) => !kept.has(node)).length).toBeLessThanOrEqual(15);
  },
  20,
);

/** @returns the height, counted */
function checkBalanced(map: Map_): number {
  if (map === undefined) return 0;
  const left = checkBalanced(map.left);
  const right = checkBalanced(map.right);
  expect(Math.abs(left - right)).toBeLessThanOrEqual(1);
  expect(map.height).toBe(1 + Math.max(left, right));
  return map.height;
}

function nodes(map: Map_): Set<Map_> {
  return map === undefined ? new Set() : new Set([map, ...nodes(map.left), ...nodes(map.right)]);
}
