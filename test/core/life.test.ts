/** One unikernel's life where commands, starts and ends cross. */
import { expect, test } from "vitest";
import { usageAt } from "../../src/core/resources.ts";
import type { ExitStatus } from "../../src/core/restart.ts";
import { FakeHost, well } from "./fake_host.ts";
import { create, destroy, name, outcome, path, running, told, wide } from "./fixture.ts";
import { everyLaw } from "./laws.ts";

const bridges = [{ netif: "eth", bridge: "service" }];
const terminated: ExitStatus = { kind: "signalled", signal: 15 };
const again = { failBehaviour: { kind: "restart", codes: [] } } as const;
const vm = name("alice/vm");

/** A host on which a unikernel of image 1 and address 1 is being replaced by one of image 2 and address 2. */
function replacing(until: "prepared" | "stopped"): { readonly host: FakeHost; readonly client: number } {
  const host = new FakeHost(wide, everyLaw);
  host.ask(vm, create({ bridges }));
  host.answer(0);
  host.answer(0);
  const client = host.ask(vm, create({ bridges }, true));
  host.answer(0, { ...well, image: 2, mac: 2 });
  if (until === "stopped") host.answer(0, { ...well, status: terminated });
  return { host, client };
}

test.for([
  ["prepared", true],
  ["stopped", true],
  ["stopped", false],
] as const)(
  "destroy of what is being replaced, once the new one is %s, leaves nothing (start succeeds: %s)",
  ([until, fine]) => {
    const { host, client } = replacing(until);
    const destroyer = host.ask(vm, destroy);
    host.settle({ ...well, fine });
    expect(told(host, destroyer)).toBe("destroyed unikernel");
    expect(host.replies.get(client)?.ok).toBe(until === "stopped" && fine);
    expect(host.state.macs).toBeUndefined();
    expect(Object.fromEntries(host.uses)).toEqual({ 1: 0, 2: 0 });
  },
);

test("destroy of what is being prepared answers both at once, and the image goes when it comes", () => {
  const host = new FakeHost(wide, everyLaw);
  const creator = host.ask(vm, create());
  const destroyer = host.ask(vm, destroy);
  expect(told(host, creator)).toEqual({ kind: "overtaken-by-destroy", name: vm });
  expect(told(host, destroyer)).toBe("destroyed unikernel");
  host.settle();
  expect(running(host)).toEqual([]);
  expect(host.uses.get(1)).toBe(0);
});

test("a replacement that ends the old one's need keeps it reserved until the old one cannot come back", () => {
  const host = new FakeHost({ ...wide, memory: 40 }, everyLaw);
  outcome(host, "alice/vm", create({ memory: 40 }));
  host.ask(vm, create({ memory: 10 }, true));
  host.answer(0);
  host.answer(0, { ...well, status: terminated });
  expect(told(host, host.ask(name("other"), create({ memory: 30 })))).toMatchObject({ kind: "limit", used: 40 });
  host.answer(0);
  expect(usageAt(host.state.resources, [])).toMatchObject({ memory: 40 });
  host.answer(0);
  expect(usageAt(host.state.resources, [])).toMatchObject({ memory: 10 });
  expect(outcome(host, "other", create({ memory: 30 }))).toBe("created unikernel");
});

test("a replacement in preparation keeps its reservation while the old one ends and starts again", () => {
  const host = new FakeHost({ ...wide, memory: 40 }, everyLaw);
  outcome(host, "alice/vm", create({ memory: 10, ...again }));
  const client = host.ask(vm, create({ memory: 40 }, true));
  host.end(0, { kind: "exited", code: 7 });
  host.answer(1);
  expect(told(host, host.ask(name("other"), create({ memory: 10 })))).toMatchObject({ kind: "limit", used: 40 });
  host.settle({ ...well, status: terminated });
  expect(told(host, client)).toBe("created unikernel");
  expect([...host.guests.values()].map(({ incarnation }) => incarnation.config.memory)).toEqual([40]);
});

test("a replacement that was refused gives back what it had reserved", () => {
  const host = new FakeHost({ ...wide, memory: 40 }, everyLaw);
  outcome(host, "alice/vm", create({ memory: 10 }));
  host.ask(vm, create({ memory: 40 }, true));
  host.answer(0, { ...well, fine: false });
  expect(usageAt(host.state.resources, path("alice")).memory).toBe(10);
});

test("a replacement takes its block devices over, and frees those of the old one", () => {
  const host = new FakeHost(wide, everyLaw);
  for (const data of ["a", "b"]) outcome(host, `alice/${data}`, { kind: "block-add", size: 1, form: "current" });
  outcome(host, "alice/vm", create({ blocks: [{ name: "a" }] }));
  outcome(host, "alice/vm", create({ blocks: [{ name: "b" }] }, true));
  expect(outcome(host, "alice/a", { kind: "block-remove" })).toBe("removed block");
  expect(outcome(host, "alice/b", { kind: "block-remove" })).toMatchObject({ kind: "block-in-use", by: vm });
});

test("a unikernel that does not know --name is started once more without it, and never told it again", () => {
  const host = new FakeHost(wide, everyLaw);
  outcome(host, "alice/vm", create({ addName: true }));
  host.end(0, { kind: "exited", code: 64 });
  host.settle();
  expect(host.unikernels.get("alice/=vm")?.record.config.addName).toBe(false);
  expect(running(host)).toEqual(["alice/=vm"]);
  host.end(0, { kind: "exited", code: 64 });
  expect(running(host)).toEqual([]);
  expect(host.unikernels.size).toBe(0);
});

test.for([0, 1, 60, 64])("a unikernel that quits with %i is gone, from the store too", (code) => {
  const host = new FakeHost(wide, everyLaw);
  outcome(host, "alice/vm", create());
  host.end(0, { kind: "exited", code });
  expect(usageAt(host.state.resources, [])).toMatchObject({ unikernels: 0, memory: 0 });
  expect(host.unikernels.size).toBe(0);
  expect(host.uses.get(1)).toBe(0);
});

test("restart starts what waits for its back-off at once, and its old timer says nothing any more", () => {
  const host = new FakeHost(wide, everyLaw);
  outcome(host, "alice/vm", create(again));
  host.end(0, { kind: "exited", code: 7 });
  expect(host.pending.map(({ kind }) => kind)).toEqual(["timer"]);
  const client = host.ask(vm, { kind: "unikernel-restart" });
  host.answer(1);
  expect(told(host, client)).toBeUndefined();
  host.answer(1);
  expect(told(host, client)).toBe("created unikernel");
  host.answer(0);
  expect(host.pending).toEqual([]);
  expect(running(host)).toEqual(["alice/=vm"]);
});

test("a second change of one that is being changed is refused as busy, and says with what", () => {
  const host = new FakeHost(wide, everyLaw);
  const busy = (): unknown => told(host, host.ask(vm, create({}, true)));
  host.ask(vm, create());
  expect(busy()).toEqual({ kind: "unikernel-busy", name: vm, doing: "create" });
  host.answer(0);
  expect(busy()).toEqual({ kind: "unikernel-busy", name: vm, doing: "create" });
  host.answer(0);
  host.ask(vm, { kind: "unikernel-restart" });
  expect(busy()).toEqual({ kind: "unikernel-busy", name: vm, doing: "restart" });
  host.settle({ ...well, status: terminated });
  host.ask(vm, create({}, true));
  expect(busy()).toEqual({ kind: "unikernel-busy", name: vm, doing: "replace" });
  host.settle({ ...well, status: terminated });
  host.ask(vm, destroy);
  expect(busy()).toEqual({ kind: "unikernel-busy", name: vm, doing: "destroy" });
});

test("shutdown refuses requests, and forgets nothing that ends because of it", () => {
  const host = new FakeHost(wide);
  outcome(host, "alice/vm", create());
  host.tell({ kind: "shutdown" });
  expect(told(host, host.ask(vm, destroy))).toEqual({ kind: "shutting-down" });
  host.end(0, terminated);
  expect([...host.unikernels.keys()]).toEqual(["alice/=vm"]);
});
