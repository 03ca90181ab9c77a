import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { matches, readSession } from "../../demo/session.ts";
import { findTender } from "../../demo/tenders.ts";
import { World } from "../../demo/world.ts";

const top = join(import.meta.dirname, "..", "..");
const tender = findTender(join(top, "guest"));
const steps = readSession(readFileSync(join(top, "README.md"), "utf8"));

test("readSession reads commands with what they print", () => {
  const text = "```console\n$ one two &\n$ three\na\nb …\n```\n";
  expect(readSession(text)).toEqual([
    { words: ["one", "two"], background: true, prints: [] },
    { words: ["three"], background: false, prints: ["a", "b …"] },
  ]);
});

test("matches takes … for anything, and nothing else for something", () => {
  const step = { words: [], background: false, prints: ["a …c", "…", "last."] };
  expect(matches(step, "a bc\nmore\nand more\nlast.\n")).toBe(true);
  expect(matches(step, "a c\nlast.\n")).toBe(true);
  expect(matches(step, "a bc\nlast!\n")).toBe(false);
  expect(matches({ ...step, prints: [] }, "anything\n")).toBe(false);
});

test("the README tells a session", () => {
  expect(steps.length).toBeGreaterThan(15);
});

test.skipIf(tender === undefined)(
  "the README's session prints what the README says (skipped where no tender runs)",
  { timeout: 120_000 },
  async () => {
    const world = await World.open(top, tender ?? "virtio");
    onTestFinished(() => world.close());
    for (const step of steps) {
      const { printed } = await world.run(step);
      expect(step.background || matches(step, printed), `${step.words.join(" ")}\n${printed}`).toBe(true);
    }
  },
);
