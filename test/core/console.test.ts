import fc from "fast-check";
import { expect, test } from "vitest";
import { Console, type ConsoleLine } from "../../src/core/console.ts";
import { usualDaemonLimits } from "../../src/core/limits.ts";
import { property } from "./property.ts";

const bytes = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
const text = ({ line }: ConsoleLine): string => String.fromCharCode(...line);
const keptLines = usualDaemonLimits["console-lines"];
const maxLine = usualDaemonLimits["console-line"];
const all = { kind: "count", count: keptLines } as const;

/** What is to be kept of an output, line by line. */
function expected(output: string): readonly string[] {
  return output
    .split("\n")
    .slice(0, -1)
    .map((line) => (line.length > maxLine ? `${line.slice(0, maxLine)} [truncated]` : line.replace(/\r$/, "")))
    .filter((line) => line !== "");
}

const piece = fc.oneof(
  fc.constantFrom("\n", "\r\n", "\r", "", "\u00ff\u0000"),
  fc.string({ maxLength: 5, unit: "binary-ascii" }),
  fc.constantFrom(510, 511, 512, 513, 1100).map((length) => "x".repeat(length)),
);
const pieces = fc.array(piece, { maxLength: 40, size: "max" });

property(
  "append keeps the same lines, wherever the output is cut",
  fc.tuple(pieces, fc.array(fc.nat())),
  ([parts, cuts]) => {
    const output = parts.join("");
    const at = cuts.map((cut) => cut % (output.length + 1)).toSorted((a, b) => a - b);
    const console = new Console(keptLines, maxLine);
    const told = [0, ...at].flatMap((from, index) => console.append(bytes(output.slice(from, at[index])), 7));
    expect(told.map(text)).toEqual(expected(output));
    expect(console.history(all)).toEqual(told);
  },
);

property("append takes the bytes of a guest's output as they are", fc.uint8Array({ maxLength: 600 }), (line) => {
  const inner = line.filter((byte) => byte !== 0x0a && byte !== 0x0d);
  const [told] = new Console(keptLines, maxLine).append(Uint8Array.of(...inner, 0x0a), 1);
  expect(told?.line.slice(0, maxLine) ?? new Uint8Array()).toEqual(inner.slice(0, maxLine));
});

test("append keeps no view into the output it was given", () => {
  const console = new Console(keptLines, maxLine);
  const output = bytes("abc\n");
  console.append(output, 1);
  output.fill(0);
  expect(console.history(all).map(text)).toEqual(["abc"]);
});

test.for([
  [511, 511],
  [512, 512],
  [513, 512 + " [truncated]".length],
  [100_000, 512 + " [truncated]".length],
] as const)("append makes of a line of %i bytes one of %i", ([length, kept]) => {
  const [told] = new Console(keptLines, maxLine).append(bytes(`${"x".repeat(length)}\n`), 1);
  expect(told?.line.length).toBe(kept);
  expect(told && text(told).endsWith(" [truncated]")).toBe(length > 512);
});

test("append begins anew after a truncated line", () => {
  expect(new Console(keptLines, maxLine).append(bytes(`${"x".repeat(600)}\nshort\n`), 1).map(text)[1]).toBe("short");
});

test("flush ends an open line, and tells nothing where none is open", () => {
  const console = new Console(keptLines, maxLine);
  expect(console.append(bytes("half"), 1)).toEqual([]);
  expect(console.flush(9).map((line) => [text(line), line.time])).toEqual([["half", 9]]);
  expect(console.flush(10)).toEqual([]);
  expect(console.history(all).map(text)).toEqual(["half"]);
});

const filled = (count: number): Console => {
  const console = new Console(keptLines, maxLine);
  for (let index = 0; index < count; index++) console.append(bytes(`${index}\n`), index);
  return console;
};

property(
  "history keeps the last 1,024 lines, oldest first",
  fc.integer({ min: 0, max: 3 * keptLines }),
  (count) => {
    const from = Math.max(0, count - keptLines);
    const kept = filled(count).history(all).map(text);
    expect(kept).toEqual(Array.from({ length: count - from }, (_, index) => String(from + index)));
  },
  20,
);

test.for([
  [0, 0],
  [-5, 0],
  [1, 1],
  [20, 20],
  [1024, 1024],
  [1_000_000_000, 1024],
  [Number.MAX_SAFE_INTEGER, 1024],
] as const)("history of the last %i lines has %i", ([count, length]) => {
  const lines = filled(1500).history({ kind: "count", count });
  expect(lines).toHaveLength(length);
  expect(lines.map(text).at(-1)).toBe(length === 0 ? undefined : "1499");
});

test.for([
  [1490, 10],
  [1499, 1],
  [1500, 0],
  [Number.NEGATIVE_INFINITY, 1024],
  [-1, 1024],
] as const)("history since %d has %i lines", ([time, length]) => {
  expect(filled(1500).history({ kind: "since", time })).toHaveLength(length);
});
