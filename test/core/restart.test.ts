import fc from "fast-check";
import { expect, test } from "vitest";
import {
  backOff,
  countFailure,
  type ExitStatus,
  guestStatus,
  refusedName,
  shouldRestart,
} from "../../src/core/restart.ts";
import { property } from "./property.ts";

const exited = (code: number): ExitStatus => ({ kind: "exited", code });

property("shouldRestart: never after a signal or an unknown end, never for quit", fc.nat(255), (number) => {
  const any = { kind: "restart", codes: [] } as const;
  expect(shouldRestart(any, { kind: "signalled", signal: number })).toBe(false);
  expect(shouldRestart(any, { kind: "unknown" })).toBe(false);
  expect(shouldRestart({ kind: "quit" }, exited(number))).toBe(false);
});

property(
  "shouldRestart: after the codes given, after every code where none is, but never after 1 and 60 to 64",
  fc.tuple(fc.nat(255), fc.array(fc.nat(255))),
  ([code, codes]) => {
    const never = code === 1 || (code >= 60 && code <= 64);
    expect(shouldRestart({ kind: "restart", codes }, exited(code))).toBe(
      !never && (codes.length === 0 || codes.includes(code)),
    );
    expect(shouldRestart({ kind: "restart", codes: [...codes, code] }, exited(code))).toBe(!never);
  },
);

test("guestStatus takes 83 of QEMU for 0, and every other status as it is", () => {
  expect(guestStatus("virtio", exited(83))).toEqual(exited(0));
  expect(guestStatus("virtio", exited(0))).toEqual(exited(0));
  expect(guestStatus("virtio", exited(1))).toEqual(exited(1));
  expect(guestStatus("virtio", { kind: "signalled", signal: 83 })).toEqual({ kind: "signalled", signal: 83 });
  expect(guestStatus("hvt", exited(83))).toEqual(exited(83));
  expect(guestStatus("spt", exited(83))).toEqual(exited(83));
});

test("refusedName is 64 where the name was told", () => {
  expect(refusedName(true, exited(64))).toBe(true);
  expect(refusedName(false, exited(64))).toBe(false);
  expect(refusedName(true, exited(63))).toBe(false);
  expect(refusedName(true, { kind: "signalled", signal: 64 })).toBe(false);
});

test("backOff doubles from a second to a minute", () => {
  expect([1, 2, 3, 4, 5, 6, 7, 8, 5000].map(backOff)).toEqual([
    1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000,
  ]);
});

test("countFailure starts anew after a life of a minute", () => {
  expect(countFailure(7, 59_999)).toBe(8);
  expect(countFailure(7, 60_000)).toBe(1);
  expect(countFailure(0, 0)).toBe(1);
});
