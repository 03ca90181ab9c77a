import fc from "fast-check";
import { expect, test } from "vitest";
import { AuditAllowance } from "../../src/core/audit_allowance.ts";
import { property } from "./property.ts";

const times = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

test("AuditAllowance lets a hundred a second pass, ten thousand an hour, and counts the others", () => {
  const allowance = new AuditAllowance();
  const hour = 3_600_000;
  expect(times(150).filter(() => allowance.take("alice", hour)).length).toBe(100);
  expect(times(50).filter(() => allowance.take("bob", hour)).length).toBe(50);
  expect(allowance.counted()).toEqual([["alice", 50]]);
  expect(allowance.counted()).toEqual([]);
  const later = times(200).flatMap((second) =>
    times(100).map(() => allowance.take("alice", hour + 1000 * (second + 1))),
  );
  expect(later.filter((passed) => passed).length).toBe(9900);
  expect(allowance.take("alice", 2 * hour)).toBe(true);
});

test("AuditAllowance has a delegate pay for changes in time, and nobody else", () => {
  const allowance = new AuditAllowance();
  const hour = 3_600_000;
  for (const _ of times(10_000)) allowance.charge("alice", hour);
  expect(allowance.pause("alice", hour)).toBe(0);
  for (const _ of times(100)) allowance.charge("alice", hour);
  expect(allowance.pause("alice", hour)).toBe(5000);
  expect(allowance.pause("bob", hour)).toBe(0);
  expect(allowance.pause("alice", hour + 4000)).toBe(1000);
  allowance.take("bob", 2 * hour - 1);
  for (const _ of times(100)) allowance.charge("alice", hour + 4000);
  expect(allowance.pause("alice", hour + 4000)).toBe(6000);
  allowance.take("bob", 2 * hour);
  for (const _ of times(10_000)) allowance.charge("alice", 2 * hour);
  expect(allowance.pause("alice", 2 * hour)).toBe(0);
});

const ask = fc.record({ who: fc.constantFrom("a", "b"), after: fc.nat(50_000), often: fc.nat(150) });

property(
  "AuditAllowance lets pass or counts each, and of each delegate what he would get alone",
  fc.array(ask),
  (asks) => {
    const together = new AuditAllowance();
    const alone = { a: new AuditAllowance(), b: new AuditAllowance() };
    let now = 0;
    let passed = 0;
    for (const { who, after, often } of asks) {
      now += after;
      for (const _ of times(often)) {
        const lets = together.take(who, now);
        expect(lets).toBe(who === "a" ? alone.a.take(who, now) : alone.b.take(who, now));
        passed += lets ? 1 : 0;
      }
    }
    const counted = together.counted().reduce((sum, [, count]) => sum + count, 0);
    expect(passed + counted).toBe(asks.reduce((sum, { often }) => sum + often, 0));
  },
  50,
);
