/** Starts that matter to what was there before, and what comes of them when they fail. */
import { expect, test } from "vitest";
import type { Found } from "../../src/core/boot.ts";
import type { Command } from "../../src/core/command.ts";
import { describeRefusal } from "../../src/core/describe.ts";
import { unikernelStatus } from "../../src/core/info.ts";
import type { Refusal } from "../../src/core/refusal.ts";
import { usageAt } from "../../src/core/resources.ts";
import type { ExitStatus } from "../../src/core/restart.ts";
import { FakeHost, well } from "./fake_host.ts";
import { config, create, destroy, name, outcome, running, told, wide } from "./fixture.ts";
import { everyLaw } from "./laws.ts";

const vm = name("alice/vm");
const terminated: ExitStatus = { kind: "signalled", signal: 15 };
const refused: ExitStatus = { kind: "exited", code: 1 };

/** A host on which image 2 has just been started in the place of image 1. */
function replaced(changes: Parameters<typeof create>[0] = {}): { readonly host: FakeHost; readonly client: number } {
  const host = new FakeHost(wide, everyLaw);
  outcome(host, "alice/vm", create({ memory: 10 }));
  const client = host.ask(vm, create({ memory: 20, ...changes }, true));
  host.answer(0, { ...well, image: 2 });
  host.answer(0, { ...well, status: terminated });
  host.answer(0);
  return { host, client };
}

const images = (host: FakeHost): readonly unknown[] => [
  [...host.guests.values()].map(({ incarnation }) => incarnation.digest[0]),
  host.unikernels.get("alice/=vm")?.record.digest[0],
];

test("a replacement is answered and stored when its trial is over, and what it replaced is kept until then", () => {
  const { host, client } = replaced();
  expect([told(host, client), images(host), host.uses.get(1)]).toEqual([undefined, [[2], 1], 1]);
  host.answer(0);
  expect([told(host, client), images(host), host.uses.get(1)]).toEqual(["created unikernel", [[2], 2], 0]);
});

test.for([
  refused,
  { kind: "exited", code: 62 },
  { kind: "exited", code: 127 },
  { kind: "signalled", signal: 11 },
  { kind: "unknown" },
] as const)(
  "a replacement that ends at once, %j, gives way to what it replaced, and its client is told when that runs",
  (status) => {
    const { host, client } = replaced();
    host.end(0, status);
    expect(told(host, client)).toBeUndefined();
    host.settle();
    expect(told(host, client)).toEqual({
      kind: "start-failed",
      cause: { kind: "ended-at-once", status },
      outcome: "old-runs",
    });
    expect([images(host), host.uses.get(2)]).toEqual([[[1], 1], 0]);
  },
);

test("a replacement that has done its work at once has not failed", () => {
  const { host, client } = replaced();
  host.end(0, { kind: "exited", code: 0 });
  expect([told(host, client), running(host), host.unikernels.size]).toEqual(["created unikernel", [], 0]);
});

test("a replacement that does not know --name is on trial still without it", () => {
  const { host, client } = replaced({ addName: true });
  host.end(0, { kind: "exited", code: 64 });
  host.answer(1);
  expect([told(host, client), images(host)]).toEqual([undefined, [[2], 1]]);
  host.end(0, { kind: "exited", code: 60 });
  host.settle();
  expect(told(host, client)).toMatchObject({ kind: "start-failed", outcome: "old-runs" });
  expect(images(host)).toEqual([[1], 1]);
});

test("where neither the replacement nor what it replaced can start, the latter is tried again and not lost", () => {
  const { host, client } = replaced();
  host.end(0, refused);
  host.answer(1, { ...well, fine: false });
  expect(told(host, client)).toMatchObject({ cause: { kind: "ended-at-once" }, outcome: "old-waits" });
  host.settle();
  expect(images(host)).toEqual([[1], 1]);
});

test("a restart that ends at once is told so, backs off, is tried again, and can be destroyed", () => {
  const host = new FakeHost(wide, everyLaw);
  outcome(host, "alice/vm", create());
  const client = host.ask(vm, { kind: "unikernel-restart" });
  host.answer(0, { ...well, status: terminated });
  const delays: number[] = [];
  for (let left = 3; left > 0; left--) {
    host.answer(0);
    host.end(0, refused);
    host.pending = host.pending.filter((effect) => effect.kind !== "trial");
    delays.push(...host.pending.flatMap((effect) => (effect.kind === "timer" ? [effect.delay] : [])));
    host.answer(0);
  }
  expect(told(host, client)).toEqual({
    kind: "start-failed",
    cause: { kind: "ended-at-once", status: refused },
    outcome: "waits",
  });
  expect([delays, host.unikernels.size]).toEqual([[1000, 2000, 4000], 1]);
  expect(outcome(host, "alice/vm", destroy)).toBe("destroyed unikernel");
  expect([running(host), host.unikernels.size, host.uses.get(1)]).toEqual([[], 0, 0]);
});

test("what a starting daemon cannot start at once is tried again, whatever its failure behaviour", () => {
  const unikernels = [{ name: vm, record: { config: config(), digest: Uint8Array.of(1) } }];
  const found: readonly Found[] = [];
  const host = new FakeHost(wide, everyLaw, { policies: [], blocks: [], unikernels }, found);
  host.answer(0);
  host.answer(0);
  host.end(0, refused);
  expect([running(host), host.unikernels.size]).toEqual([[], 1]);
  host.settle();
  expect(running(host)).toEqual(["alice/=vm"]);
  host.end(0, refused);
  expect([running(host), host.unikernels.size]).toEqual([[], 0]);
});

test("destroy overtakes what is on trial, and tells whoever waits for it", () => {
  const { host, client } = replaced();
  const destroyer = host.ask(vm, destroy);
  expect(told(host, client)).toEqual({ kind: "overtaken-by-destroy", name: vm });
  host.settle({ ...well, status: terminated });
  expect(told(host, destroyer)).toBe("destroyed unikernel");
  expect([running(host), host.unikernels.size, host.uses.get(1), host.uses.get(2)]).toEqual([[], 0, 0, 0]);
});

test("who waits for a unikernel that the kernel holds is told so, and it goes, or comes, when that lets go", () => {
  const host = new FakeHost(wide, everyLaw);
  outcome(host, "alice/vm", create({ memory: 10 }));
  const unkillable = { kind: "unikernel-unkillable", name: vm };
  const replacer = host.ask(vm, create({ memory: 20 }, true));
  host.answer(0, { ...well, image: 2 });
  host.answer(0, { ...well, stuck: true });
  expect([told(host, replacer), host.uses.get(2), usageAt(host.state.resources, []).memory]).toEqual([
    unkillable,
    0,
    10,
  ]);
  const destroyer = host.ask(vm, destroy);
  host.answer(0, { ...well, stuck: true });
  expect([told(host, destroyer), running(host)]).toEqual([unkillable, ["alice/=vm"]]);
  expect(unikernelStatus(host.state, vm)).toMatchObject({ unikernels: [{ value: { phase: "unkillable" } }] });
  expect(told(host, host.ask(vm, create({}, true)))).toMatchObject({ kind: "unikernel-busy", doing: "destroy" });
  host.end(0, terminated);
  expect([running(host), host.unikernels.size, host.uses.get(1)]).toEqual([[], 0, 0]);
});

test("a replacement that does not show in time that it is healthy is stopped, and gives way to what it replaced", () => {
  const host = new FakeHost(wide, everyLaw);
  outcome(host, "alice/vm", create({ memory: 10 }));
  const health = { within: 2000, pattern: "ready" };
  const command = { ...create({ memory: 20 }, true), health } as Command;
  const client = host.ask(vm, command);
  host.answer(0, { ...well, image: 2 });
  host.answer(0, { ...well, status: terminated });
  host.answer(0);
  expect(host.pending).toMatchObject([{ kind: "trial", health }]);
  host.answer(0, { ...well, fine: false });
  expect([told(host, client), images(host)]).toEqual([undefined, [[2], 1]]);
  host.settle({ ...well, status: terminated });
  expect(told(host, client)).toEqual({
    kind: "start-failed",
    cause: { kind: "unhealthy", within: 2000 },
    outcome: "old-runs",
  });
  expect([images(host), host.uses.get(2)]).toEqual([[[1], 1], 0]);
});

test("one that was never there before and is not healthy is gone again; any end before it is healthy is one at once", () => {
  const host = new FakeHost(wide, everyLaw);
  const client = host.ask(vm, { ...create(), health: { within: 2000 } } as Command);
  host.answer(0);
  host.answer(0);
  host.end(0, { kind: "exited", code: 0 });
  expect(told(host, client)).toEqual({ kind: "ended-at-once", status: { kind: "exited", code: 0 } });
  expect([running(host), host.unikernels.size, host.uses.get(1)]).toEqual([[], 0, 0]);
});

test("one that was never there before is stored once it is healthy, and not before", () => {
  const host = new FakeHost(wide, everyLaw);
  const client = host.ask(vm, { ...create(), health: { within: 2000 } } as Command);
  host.answer(0);
  host.answer(0);
  expect([told(host, client), running(host), host.unikernels.size]).toEqual([undefined, ["alice/=vm"], 0]);
  host.answer(0);
  expect([told(host, client), host.unikernels.size]).toEqual(["created unikernel", 1]);
});

test("describeRefusal says why a replacement failed, and what runs now", () => {
  const cause: Refusal = { kind: "ended-at-once", status: refused };
  const said = (["old-runs", "old-waits", "waits"] as const).map((outcome) =>
    describeRefusal({ kind: "start-failed", cause, outcome }),
  );
  expect(said).toEqual([
    "it could not start, and the old one runs again: it ended at once, with status 1",
    "it could not start, nor could the old one, which is tried again: it ended at once, with status 1",
    "it could not start, and is tried again: it ended at once, with status 1",
  ]);
});
