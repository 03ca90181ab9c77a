import fc from "fast-check";
import { expect, test } from "vitest";
import { checkHealth, parsePattern } from "../../src/core/health.ts";
import { property } from "./property.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function matches(pattern: string, line: string): boolean | undefined {
  const parsed = parsePattern(pattern);
  return parsed.ok ? parsed.value.matches(bytes(line)) : undefined;
}

test.for([
  ["ready", "now ready to serve", true],
  ["^ready", "now ready", false],
  ["^listening on .*:[0-9]+$", "listening on 10.0.0.2:8080", true],
  ["^listening on .*:[0-9]+$", "listening on 10.0.0.2:8080 soon", false],
  ["a\\.b", "axb", false],
  ["[^a-z]!", "x!", false],
  ["[^a-z]!", "X!", true],
  ["lo?ng", "lng", true],
] as const)("parsePattern: %s on %j is %s", ([pattern, line, fits]) => {
  expect(matches(pattern, line)).toBe(fits);
});

test.for(["", "(a)", "a|b", "a**", "*", "[a", "[]", "a{2}", "\\", "ä", "^^", "a$b", "x".repeat(129)])(
  "parsePattern refuses %j",
  (pattern) => {
    expect(parsePattern(pattern)).toMatchObject({ ok: false, error: { kind: "pattern-bad" } });
  },
);

const atom = fc.constantFrom("a", "b", ".", "[ab]", "[^a]", "\\.");
const piece = fc.tuple(atom, fc.constantFrom("", "", "*", "+", "?")).map(([one, sign]) => one + sign);
const pattern = fc
  .tuple(fc.constantFrom("", "^"), fc.array(piece, { minLength: 1, maxLength: 6 }), fc.constantFrom("", "$"))
  .map(([start, pieces, end]) => start + pieces.join("") + end);
const line = fc.array(fc.constantFrom("a", "b", "c", "."), { maxLength: 10 }).map((letters) => letters.join(""));

property(
  "parsePattern fits what a regular expression of the same spelling does",
  fc.tuple(pattern, line),
  ([text, on]) => {
    expect(matches(text, on)).toBe(new RegExp(text).test(on));
  },
  500,
);

test("parsePattern takes no longer for what a backtracking matcher never ends at", () => {
  expect(matches(`${"a*".repeat(60)}b`, "a".repeat(512))).toBe(false);
});

test.for([0, 240_001])("checkHealth refuses %i ms", (within) => {
  expect(checkHealth({ within }, 0)).toMatchObject({ ok: false, error: { kind: "health-too-long", within } });
});
