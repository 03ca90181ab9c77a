/** Faults of the reference that a pure core can have, each by its number. */
import { expect, test } from "vitest";
import type { Command } from "../../src/core/command.ts";
import { FakeHost, well } from "./fake_host.ts";
import { chain, config, create, destroy, name, outcome, path, policy, running, told, wide } from "./fixture.ts";
import { everyLaw } from "./laws.ts";

const two = policy({ unikernels: 2 });
const owners = {
  alice: chain(["alice", two]),
  "alice/bob": chain(["alice", two], ["bob", two]),
  "alice/charlie": chain(["alice", two], ["charlie", two]),
};
const three = ["alice", "alice/bob", "alice/charlie"] as const;
/** Every order of four creates by the three of them. */
const orders = three.flatMap((a) =>
  three.flatMap((b) => three.flatMap((c) => three.map((d) => [a, b, c, d] as const))),
);

test("reference bug 1: alice, bob and charlie of 2 each run 2 together, whoever comes first", () => {
  expect(orders).toHaveLength(81);
  for (const order of orders) {
    const host = new FakeHost(wide, everyLaw);
    const told = order.map((owner, index) => outcome(host, `${owner}/vm${index}`, create(), owners[owner]));
    const refusal = { kind: "limit", path: path("alice"), resource: "unikernels", limit: 2, used: 2, asked: 1 };
    expect(told).toEqual(["created unikernel", "created unikernel", refusal, refusal]);
    expect(host.guests.size).toBe(2);
  }
});

test("reference bug 1: requests in flight count already", () => {
  const host = new FakeHost(wide, everyLaw);
  const clients = three.map((owner) => host.ask(name(`${owner}/vm`), create(), owners[owner]));
  host.settle();
  expect(clients.map((client) => typeof told(host, client))).toEqual(["string", "string", "object"]);
});

test.for([
  ["memory", create({ memory: 60 }), { resource: "memory", limit: 100, used: 60, asked: 60 }],
  ["block", { kind: "block-add", size: 6, form: "current" }, { resource: "block", limit: 10, used: 6, asked: 6 }],
] as const)("reference bug 1: the %s of everything below alice counts for her", ([, command, refusal]) => {
  const host = new FakeHost(wide, everyLaw);
  outcome(host, "alice/bob/vm", command, owners["alice/bob"]);
  expect(outcome(host, "alice/charlie/vm", command, owners["alice/charlie"])).toEqual({
    kind: "limit",
    path: path("alice"),
    ...refusal,
  });
});

test("reference bug 1: CPUs and bridges are asked of every policy above, and the host's own policy of all", () => {
  const host = new FakeHost({ ...wide, cpuids: [0], unikernels: 1 }, everyLaw);
  const generous = policy({ cpuids: [0, 1], bridges: ["service", "lan"] });
  const levels = chain(["alice", generous]);
  expect(outcome(host, "alice/vm", create({ cpuids: [1] }), levels)).toMatchObject({
    kind: "cpuids-not-allowed",
    path: [],
    asked: [1],
  });
  expect(outcome(host, "alice/vm", create({ bridges: [{ netif: "lan" }] }), levels)).toMatchObject({
    kind: "bridges-not-allowed",
    path: [],
    asked: ["lan"],
  });
  expect(outcome(host, "alice/vm", create(), levels)).toBe("created unikernel");
  expect(outcome(host, "vm", create())).toMatchObject({ kind: "limit", path: [], limit: 1, used: 1, asked: 1 });
});

test("reference bug 2: where a path has no policy, those above it decide", () => {
  const host = new FakeHost({ ...wide, unikernels: 3 }, everyLaw);
  outcome(host, "alice/", { kind: "policy-add", policy: two });
  const results = [1, 2, 3].map((index) => outcome(host, `alice/bob/carol/vm${index}`, create()));
  expect(results[2]).toMatchObject({ kind: "limit", path: path("alice"), used: 2 });
  expect(outcome(host, "other/vm1", create())).toBe("created unikernel");
  expect(outcome(host, "other/vm2", create())).toMatchObject({ kind: "limit", path: [], limit: 3, used: 3 });
});

test("reference bug 3: the path alice:bob: and the unikernel alice:bob are two things", () => {
  const host = new FakeHost(wide, everyLaw);
  const bob = chain(["alice", two], ["bob", policy({ unikernels: 1 })]);
  outcome(host, "alice/bob", create(), owners.alice);
  expect(outcome(host, "alice/bob/", { kind: "unikernel-info", form: "current" }, bob)).toMatchObject({
    unikernels: [],
  });
  expect(outcome(host, "alice/bob/", destroy, bob)).toEqual({ kind: "label-needed", path: path("alice/bob") });
  expect(outcome(host, "alice/bob/vm", create(), bob)).toBe("created unikernel");
  expect(running(host)).toEqual(["alice/=bob", "alice/bob/=vm"]);
  expect(outcome(host, "alice/bob", destroy, owners.alice)).toBe("destroyed unikernel");
  expect(running(host)).toEqual(["alice/bob/=vm"]);
});

test.for(["unikernel-create", "unikernel-destroy", "unikernel-restart", "block-add", "block-remove"] as const)(
  "reference bug 4: %s of a path is refused, and the daemon serves on",
  (kind) => {
    const host = new FakeHost(wide, everyLaw);
    const commands = {
      "unikernel-create": create(),
      "unikernel-destroy": destroy,
      "unikernel-restart": { kind: "unikernel-restart" },
      "block-add": { kind: "block-add", size: 1, form: "current" },
      "block-remove": { kind: "block-remove" },
    } as const;
    expect(outcome(host, "alice/", commands[kind])).toEqual({ kind: "label-needed", path: path("alice") });
    expect(outcome(host, "", commands[kind])).toEqual({ kind: "label-needed", path: [] });
    expect(outcome(host, "alice/vm", create())).toBe("created unikernel");
  },
);

test.for(["block-set", "block-dump", "block-remove"] as const)(
  "reference bug 7: %s of what is not there, in use or busy is refused at once",
  (kind) => {
    const command = {
      "block-set": { kind: "block-set", compressed: false },
      "block-dump": { kind: "block-dump", level: 0, form: "current" },
      "block-remove": { kind: "block-remove" },
    } as const;
    const host = new FakeHost(wide, everyLaw);
    const data = name("alice/data");
    const refused = (): unknown => told(host, host.ask(data, command[kind]));
    expect(refused()).toEqual({ kind: "block-not-found", name: data });
    host.ask(data, { kind: "block-add", size: 1, form: "current" });
    expect(refused()).toEqual({ kind: "block-busy", name: data });
    host.settle();
    outcome(host, "alice/vm", create({ blocks: [{ name: "data" }] }));
    expect(refused()).toEqual({ kind: "block-in-use", name: data, by: name("alice/vm") });
    outcome(host, "alice/vm", destroy);
    host.ask(data, command[kind]);
    expect(refused()).toEqual({ kind: "block-busy", name: data });
    expect(outcome(host, "alice/vm", create({ blocks: [{ name: "data" }] }))).toEqual({
      kind: "block-busy",
      name: data,
    });
  },
);

test("reference bug 8: one block device attached twice is refused before anything starts", () => {
  const host = new FakeHost(wide, everyLaw);
  outcome(host, "alice/data", { kind: "block-add", size: 1, form: "current" });
  const blocks = [
    { name: "a", device: "data" },
    { name: "b", device: "DATA" },
    { name: "c", device: "data" },
  ];
  expect(outcome(host, "alice/vm", create({ blocks: [blocks[0], blocks[2]].flatMap((one) => one ?? []) }))).toEqual({
    kind: "block-twice",
    device: "data",
  });
  expect(outcome(host, "alice/vm", create({ blocks }))).toMatchObject({ kind: "block-twice" });
  outcome(host, "alice/vm", create({ blocks: blocks.slice(0, 1) }));
  expect(outcome(host, "alice/other", create({ blocks: blocks.slice(0, 1) }))).toEqual({
    kind: "block-in-use",
    name: name("alice/data"),
    by: name("alice/vm"),
  });
  expect(running(host)).toEqual(["alice/=vm"]);
});

test.for([-1, 0])("reference bug 9: %i MB of memory or block storage is refused, and makes no room", (size) => {
  const host = new FakeHost({ ...wide, memory: 10, block: 10 }, everyLaw);
  expect(outcome(host, "vm", create({ memory: size }))).toEqual({ kind: "memory-zero" });
  expect(outcome(host, "data", { kind: "block-add", size, form: "current" })).toEqual({ kind: "block-size-zero" });
  expect(outcome(host, "vm", create({ memory: 11 }))).toMatchObject({ kind: "limit", used: 0, asked: 11 });
});

test("reference bug 10: what ends again and again is started ever more slowly, and destroy wins", () => {
  const delays: number[] = [];
  const host = new FakeHost(wide, (before, event, step, at) => {
    everyLaw(before, event, step, at);
    for (const effect of step.effects) if (effect.kind === "timer") delays.push(effect.delay);
  });
  outcome(host, "vm", create({ failBehaviour: { kind: "restart", codes: [] } }));
  for (let failures = 0; failures < 8; failures++) {
    host.end(0, { kind: "exited", code: 7 });
    if (failures < 7) host.settle();
  }
  expect(delays).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  const client = host.ask(name("vm"), destroy);
  expect(told(host, client)).toBe("destroyed: removed from restarting");
  host.settle();
  expect(running(host)).toEqual([]);
});

test.for(["force create", "restart"] as const)(
  "reference bug 11: %s stops the old unikernel only once the new one is known to be possible",
  (what) => {
    const host = new FakeHost({ ...wide, memory: 50 }, everyLaw);
    outcome(host, "vm", create());
    const [run] = host.guests.keys();
    const command = (memory: number): Command =>
      what === "restart" ? { kind: "unikernel-restart", settings: config({ memory }) } : create({ memory }, true);
    expect(outcome(host, "vm", command(51))).toMatchObject({ kind: "limit", limit: 50, used: 10, asked: 41 });
    const client = host.ask(name("vm"), command(20));
    host.answer(0, { ...well, declares: false });
    expect(told(host, client)).toMatchObject({ kind: "devices-differ" });
    expect([...host.guests.keys()]).toEqual([run]);
  },
);

test("reference bug 11: where the new one cannot start, the old one comes back", () => {
  const host = new FakeHost(wide, everyLaw);
  outcome(host, "vm", create({ memory: 10 }));
  const client = host.ask(name("vm"), create({ memory: 20 }, true));
  host.answer(0, { ...well, image: 2 });
  host.answer(0, { ...well, status: { kind: "signalled", signal: 15 } });
  host.answer(0, { ...well, fine: false });
  expect(told(host, client)).toBeUndefined();
  host.settle();
  const cause = { kind: "host-failed" };
  expect(told(host, client)).toMatchObject({ kind: "start-failed", cause, outcome: "old-runs" });
  expect([...host.guests.values()].map(({ incarnation }) => incarnation.config.memory)).toEqual([10]);
  expect(host.unikernels.get("=vm")?.record).toMatchObject({ config: { memory: 10 }, digest: Uint8Array.of(1, 0, 0) });
  expect(Object.fromEntries(host.uses)).toEqual({ 1: 1, 2: 0 });
});

test.for([
  ["unikernel-destroy", { kind: "unikernel-destroy" }],
  ["unikernel-restart", { kind: "unikernel-restart" }],
] as const)("reference bug 13: %s of what is not there says so, and names it", ([, command]) => {
  const host = new FakeHost(wide, everyLaw);
  outcome(host, "alice/vm", create());
  expect(outcome(host, "alice/vm", destroy)).toBe("destroyed unikernel");
  expect(outcome(host, "alice/vm", command)).toEqual({ kind: "unikernel-not-found", name: name("alice/vm") });
  expect(outcome(host, "alice/vm", command)).toEqual({ kind: "unikernel-not-found", name: name("alice/vm") });
});
