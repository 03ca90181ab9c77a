import { expect, test } from "vitest";
import { overheadsOf } from "../../src/core/overhead.ts";
import { usageAt } from "../../src/core/resources.ts";
import { FakeHost } from "./fake_host.ts";
import { chain, config, create, name, outcome, path, policy } from "./fixture.ts";
import { everyLaw } from "./laws.ts";

const levels = chain(["alice", policy({ memory: 140 })]);
const charging = { policies: [], unikernels: [], blocks: [], overheads: overheadsOf(["hvt", "virtio"]) };

/** Memory that is charged at and below alice. */
function charged(host: FakeHost): number {
  return usageAt(host.state.resources, path("alice")).memory;
}

test("what a tender takes counts where the host charges it: the largest, until the image tells which one it is", () => {
  // The naive verdict knows of no overheads.
  const host = new FakeHost(policy({ memory: 1000, unikernels: 9 }), undefined, charging);
  host.ask(name("alice/a"), create({ memory: 16 }), levels);
  expect(charged(host)).toBe(112);
  host.settle();
  expect(charged(host)).toBe(20);
  expect(outcome(host, "alice/b", create({ memory: 25 }), levels)).toMatchObject({
    kind: "limit",
    used: 20,
    asked: 121,
  });
  expect(outcome(host, "alice/b", create({ memory: 24 }), levels)).toBe("created unikernel");
  expect(charged(host)).toBe(48);
});

test("what a tender takes counts nowhere else", () => {
  const host = new FakeHost(policy({ memory: 1000, unikernels: 9 }), everyLaw);
  outcome(host, "alice/a", create({ memory: 140 }), levels);
  expect(charged(host)).toBe(140);
});

test("what a tender takes is charged once for what is replaced, restarted and destroyed", () => {
  const host = new FakeHost(policy({ memory: 1000, unikernels: 9 }), everyLaw, charging);
  for (const [memory, sum] of [
    [16, 20],
    [30, 34],
    [8, 12],
  ] as const) {
    expect(outcome(host, "alice/a", create({ memory }, true), levels)).toBe("created unikernel");
    expect(charged(host)).toBe(sum);
  }
  outcome(host, "alice/a", { kind: "unikernel-restart" });
  expect(charged(host)).toBe(12);
  outcome(host, "alice/a", { kind: "unikernel-destroy" });
  expect(charged(host)).toBe(0);
});

test("a unikernel that is stored is started, whatever its tender takes", () => {
  const record = { config: config({ memory: 40 }), digest: new Uint8Array(32).fill(1) };
  const unikernels = [{ name: name("alice/a"), record }];
  const host = new FakeHost(policy({ memory: 40 }), everyLaw, { ...charging, unikernels });
  host.settle();
  expect([host.runningNames().length, charged(host)]).toEqual([1, 44]);
});
