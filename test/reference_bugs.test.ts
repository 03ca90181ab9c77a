import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

/** The list of the reference's faults lies beside the checkout where it is at hand; without it this test is skipped. */
const list = join(import.meta.dirname, "../../shared/reference-bugs.md");

const listed = existsSync(list)
  ? [...readFileSync(list, "utf8").matchAll(/^\| (N?\d+) \|/gm)].map(([, number = ""]) => number)
  : [];

/** The numbers that titles of tests name: `reference bug 5: …`, `reference bugs 19 and 21: …`. */
function numbersIn(file: string): readonly string[] {
  const titles = readFileSync(join(import.meta.dirname, file), "utf8").matchAll(/["`]reference bugs? ([^:]+): /g);
  return [...titles].flatMap(([, numbers = ""]) => numbers.split(/, | and /));
}

test.skipIf(listed.length === 0)("each of the reference's faults has a test that names it", () => {
  const files = readdirSync(import.meta.dirname, { recursive: true, encoding: "utf8" });
  const named = new Set(files.filter((file) => file.endsWith(".test.ts")).flatMap(numbersIn));
  expect(listed).toHaveLength(42);
  expect(listed.filter((number) => !named.has(number))).toEqual([]);
});
