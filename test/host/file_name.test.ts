import fc from "fast-check";
import { expect, test } from "vitest";
import { type Name, printName } from "../../src/core/name.ts";
import { fileName, isHashed, isNameFile, nameFile, parseFileName } from "../../src/host/file_name.ts";
import { name } from "./folder.ts";

// The block device and image of albatross 2.7.2 as its tender command lines show them (golden/state/live/how.txt).
test.for([
  ["dev:store", "dev:store"],
  ["dev:team:web", "dev:team:web"],
  [":rootuk", ":rootuk"],
] as const)("fileName of %s is albatross's own", ([text, file]) => {
  expect(fileName(name(text))).toBe(file);
  expect(parseFileName(file)).toEqual(name(text));
});

test("reference bug 27: labels `.` and `..` name no folder", () => {
  for (const text of [":.", ":..", "..:..", ".:", "..:"]) {
    const file = fileName(name(text));
    expect(file).not.toMatch(/^\.{1,2}$|\//);
    expect(parseFileName(file)).toEqual(name(text));
  }
});

const label = fc.oneof(fc.constantFrom(".", "..", "a", "b", "a.pid"), fc.stringMatching(/^[a-z0-9.][a-z0-9.-]{0,62}$/));
const names: fc.Arbitrary<Name> = fc
  .tuple(fc.array(label, { maxLength: 8 }), fc.option(label, { nil: "" }))
  .filter(([path, last]) => path.length > 0 || last !== "")
  .map(([path, last]) => name(`${path.join(":")}:${last}`));

test("fileName is short, stays in its folder, and differs for different names", () => {
  fc.assert(
    fc.property(names, names, (a, b) => {
      const file = fileName(a);
      expect(file.length).toBeLessThanOrEqual(200);
      expect(file).not.toMatch(/^\.{1,2}$|\//);
      expect(file === fileName(b)).toBe(printName(a) === printName(b));
    }),
  );
});

test("parseFileName undoes fileName, except for a hash", () => {
  fc.assert(
    fc.property(names, (a) => {
      const file = fileName(a);
      expect(parseFileName(file)).toEqual(isHashed(file) ? undefined : a);
    }),
  );
});

test.for(["store", "Dev:store", "a:b.pid/", "", "sha256-00", "a:b c"])(
  "parseFileName knows no name behind %j",
  (file) => {
    expect(parseFileName(file)).toBeUndefined();
  },
);

test("fileName hashes what is longer than 200 bytes, and nameFile tells where it is spelt", () => {
  const long = name(`${"a".repeat(63)}:${"b".repeat(63)}:${"c".repeat(63)}:${"d".repeat(9)}`);
  expect(printName(long)).toHaveLength(201);
  const file = fileName(long);
  expect(file).toMatch(/^sha256-[0-9a-f]{64}$/);
  expect(isNameFile(nameFile(file))).toBe(true);
  expect(parseFileName(file)).toBeUndefined();
});
