/**
 * `npm run bench`: JSON lines for machines, then a table for people.
 *
 * @module
 */
import { type Figure, measureDecisions } from "./decisions.ts";

const figures: readonly Figure[] = measureDecisions([100, 1000, 10_000, 100_000, 1_000_000]);
for (const figure of figures) process.stdout.write(`${JSON.stringify(figure)}\n`);
process.stdout.write(
  `\n${"decision".padEnd(20)}${"host".padStart(10)}${"µs".padStart(10)}${"a second".padStart(12)}\n`,
);
for (const { bench, size, micros, perSecond } of figures) {
  const row = [`${size}`.padStart(10), micros.toFixed(2).padStart(10), perSecond.toFixed(0).padStart(12)];
  process.stdout.write(`${bench.padEnd(20)}${row.join("")}\n`);
}
