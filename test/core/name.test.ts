import fc from "fast-check";
import { expect, test } from "vitest";
import {
  compareListed,
  isWithin,
  maxDepth,
  parseLabel,
  parseName,
  parsePath,
  printName,
  printPath,
  relativeTo,
  root,
  sameName,
} from "../../src/core/name.ts";
import { readLines } from "../codec/vectors.ts";

interface NameVector {
  readonly in: string;
  readonly ok: boolean;
  readonly to_string?: string;
  readonly path?: string;
  readonly label?: string | null;
  readonly labels?: readonly string[];
}

test.for(readLines<NameVector>("names.jsonl"))("parseName agrees with albatross on $in", (vector) => {
  const name = parseName(vector.in);
  expect(name.ok).toBe(vector.ok);
  if (!name.ok) return;
  expect(printName(name.value)).toBe(vector.to_string);
  expect(printPath(name.value.path)).toBe(vector.path);
  expect(name.value.label ?? null).toBe(vector.label);
});

test.for(readLines<NameVector>("paths.jsonl"))("parsePath agrees with albatross on $in", (vector) => {
  const path = parsePath(vector.in);
  expect(path.ok).toBe(vector.ok);
  if (!path.ok) return;
  expect(printPath(path.value)).toBe(vector.to_string);
  expect(path.value).toEqual(vector.labels);
});

test.for([
  ["", { kind: "label-empty" }],
  ["x".repeat(64), { kind: "label-too-long", length: 64 }],
  ["-a", { kind: "label-bad-character", label: "-a", at: 0 }],
  ["ab_c", { kind: "label-bad-character", label: "ab_c", at: 2 }],
  ["a:b", { kind: "label-bad-character", label: "a:b", at: 1 }],
  // Letters that fold to k, i and s.
  ["\u212a", { kind: "label-bad-character", label: "\u212a", at: 0 }],
  ["\u0131", { kind: "label-bad-character", label: "\u0131", at: 0 }],
  ["a\u017f", { kind: "label-bad-character", label: "a\u017f", at: 1 }],
] as const)("parseLabel refuses %j", ([text, error]) => {
  expect(parseLabel(text)).toEqual({ ok: false, error });
});

test("parseName refuses the empty text", () => {
  expect(parseName("")).toEqual({ ok: false, error: { kind: "name-empty" } });
});

test("parsePath refuses more labels than a walk may recurse", () => {
  const deep = Array.from({ length: maxDepth + 1 }, () => "a").join(":");
  expect(parsePath(deep)).toEqual({ ok: false, error: { kind: "path-too-deep", depth: maxDepth + 1 } });
  expect(parsePath(deep.slice(2)).ok).toBe(true);
});

const spelled = fc
  .array(fc.constantFrom("a", "B", "-", ".", ":", "_", "9"), { maxLength: 8 })
  .map((parts) => parts.join(""));

test("parseName gives back what printName prints", () => {
  fc.assert(
    fc.property(spelled, (text) => {
      const name = parseName(text);
      if (!name.ok) return;
      const again = parseName(printName(name.value));
      expect(again.ok && sameName(again.value, name.value)).toBe(true);
    }),
    { numRuns: 1000 },
  );
});

test("a path and the label of the same spelling are two names", () => {
  const path = parseName("a:b:");
  const label = parseName("a:b");
  expect(path.ok && label.ok && sameName(path.value, label.value)).toBe(false);
});

test("relativeTo takes the path off, and isWithin says where it may", () => {
  const name = parseName("a:b:vm");
  const above = parsePath("a");
  const beside = parsePath("c");
  if (!name.ok || !above.ok || !beside.ok) throw new Error("not a name");
  expect(printName(relativeTo(above.value, name.value))).toBe("b:vm");
  expect(isWithin(above.value, name.value.path)).toBe(true);
  expect(isWithin(root, name.value.path)).toBe(true);
  expect(isWithin(beside.value, name.value.path)).toBe(false);
  expect(isWithin(name.value.path, above.value)).toBe(false);
});

test("compareListed puts a path's own first, then what is below it, siblings by descending label", () => {
  const listed = [":z", ":b", ":a", "b:y", "b:c", "b:c:x", "a:b:c"];
  const names = listed.flatMap((text) => {
    const name = parseName(text);
    return name.ok ? [name.value] : [];
  });
  expect(names.toSorted(compareListed).map(printName)).toEqual(listed);
  expect(names.toReversed().sort(compareListed).map(printName)).toEqual(listed);
});
