import { expect, test } from "vitest";
import { boot, type Stored } from "../../src/core/boot.ts";
import { unikernelInfo, unikernelStatus } from "../../src/core/info.ts";
import { findBlock, findPolicy, findUnikernel, usageAt } from "../../src/core/resources.ts";
import type { Effect } from "../../src/core/state.ts";
import { step } from "../../src/core/supervisor.ts";
import type { UnikernelConfig } from "../../src/core/unikernel.ts";
import { chain, config, create, name, path, policy, wide } from "./fixture.ts";

const nothing: Stored = { policies: [], past: [], unikernels: [], blocks: [] };
const record = (text: string, changes: Partial<UnikernelConfig> = {}, image = 1): Stored["unikernels"][number] => ({
  name: name(text),
  record: { config: config(changes), digest: Uint8Array.of(image) },
});
const prepares = (effects: readonly Effect[]): readonly string[] =>
  effects.flatMap((effect) => (effect.kind === "prepare" ? [effect.name.label ?? ""] : []));

test("boot prepares by ascending startup, an absent one counting 50, equal ones as they were stored", () => {
  const startups = { late: 51, first: 0, absent: undefined, fifty: 50, before: 49 };
  const unikernels = Object.entries(startups).map(([vm, startup]) =>
    record(`alice/${vm}`, startup === undefined ? {} : { startup }),
  );
  expect(prepares(boot(wide, { ...nothing, unikernels }).effects)).toEqual([
    "first",
    "before",
    "absent",
    "fifty",
    "late",
  ]);
});

test("boot keeps policies that are alike once, and the digest of an image", () => {
  const alike = ["alice", "bob"].map((at) => ({ path: path(at), policy: policy({ unikernels: 1 }), notBefore: 7 }));
  const policies = [...alike, { path: path("carol"), policy: policy({ unikernels: 2 }), notBefore: 7 }];
  const unikernels = [record("alice/one", {}, 1), record("bob/two", {}, 1), record("carol/three", {}, 2)];
  const { state, effects } = boot(wide, { ...nothing, policies, unikernels });
  const [alice, bob, carol] = ["alice", "bob", "carol"].map((at) => findPolicy(state.resources, path(at)));
  expect(bob).toBe(alice);
  expect(carol).toEqual(policy({ unikernels: 2 }));
  const images = effects.map((effect) =>
    effect.kind === "prepare" && effect.image.kind === "stored" ? effect.image : undefined,
  );
  expect(images.map((image) => image?.digest)).toEqual([Uint8Array.of(1), Uint8Array.of(1), Uint8Array.of(2)]);
  expect(images[1]?.digest).toBe(images[0]?.digest);
});

test("boot takes the host's policy for the root's, whatever was stored", () => {
  const stored = policy({ unikernels: 1 });
  const policies = [
    { path: [], policy: stored, notBefore: 9_000_000 },
    { path: path("alice"), policy: stored, notBefore: 7 },
  ];
  const { state } = boot(wide, { ...nothing, policies });
  expect(findPolicy(state.resources, [])).toEqual(wide);
  expect(findPolicy(state.resources, path("alice"))).toEqual(stored);
});

test("boot remembers how old a policy is", () => {
  const policies = [{ path: path("alice"), policy: policy(), notBefore: 7 }];
  const { state } = boot(wide, { ...nothing, policies });
  const levels = chain(["alice", policy({ memory: 1 }), 6]);
  const request = { name: name("alice/"), command: { kind: "policy-info" } as const, levels };
  const after = step(state, { kind: "request", client: 1, request, now: 0 });
  expect(findPolicy(after.state.resources, path("alice"))).toEqual(policy());
});

test("boot keeps what no longer fits a smaller host, and lets nothing more in", () => {
  const unikernels = [record("a", { memory: 60 }), record("b", { memory: 60, cpuids: [7] })];
  const { state, effects } = boot(policy({ memory: 100, unikernels: 3 }), { ...nothing, unikernels });
  expect(prepares(effects)).toEqual(["a", "b"]);
  expect(usageAt(state.resources, [])).toEqual({ unikernels: 2, memory: 120, block: 0 });
  const request = { name: name("c"), command: create({ memory: 1 }), levels: [] };
  expect(step(state, { kind: "request", client: 1, request, now: 0 }).effects).toMatchObject([
    { kind: "reply", reply: { ok: false, refusal: { kind: "limit", limit: 100, used: 120, asked: 1 } } },
  ]);
});

test("boot counts block devices and knows who uses them", () => {
  const blocks = [
    { name: name("alice/data"), size: 3 },
    { name: name("alice/free"), size: 4 },
  ];
  const unikernels = [record("alice/vm", { blocks: [{ name: "storage", device: "data" }] })];
  const { state } = boot(wide, { ...nothing, blocks, unikernels });
  expect(usageAt(state.resources, path("alice")).block).toBe(7);
  expect(findBlock(state.resources, name("alice/data"))).toEqual({ size: 3, state: "ready", usedBy: "vm" });
  expect(findBlock(state.resources, name("alice/free"))?.usedBy).toBeUndefined();
});

test("boot does not forget a unikernel that cannot be prepared: it is tried again, and can be destroyed", () => {
  const first = boot(wide, { ...nothing, unikernels: [record("alice/vm")] });
  const [prepare] = first.effects;
  expect(first.before).toEqual([{ kind: "hold-image", digest: Uint8Array.of(1) }]);
  const job = prepare?.kind === "prepare" ? prepare.job : -1;
  const refusal = { kind: "host-failed", doing: "x", problem: "y" } as const;
  const failed = step(first.state, { kind: "prepare-failed", name: name("alice/vm"), job, refusal });
  expect(failed.effects).toMatchObject([{ kind: "timer", delay: 1000 }]);
  expect(findUnikernel(failed.state.resources, name("alice/vm"))).toBeDefined();
  const [timer] = failed.effects;
  const run = timer?.kind === "timer" ? timer.run : -1;
  const again = step(failed.state, { kind: "due", name: name("alice/vm"), run });
  expect(again.effects).toMatchObject([{ kind: "prepare", image: { kind: "stored", digest: Uint8Array.of(1) } }]);
  const request = { name: name("alice/vm"), command: { kind: "unikernel-destroy" } as const, levels: [] };
  const destroyed = step(failed.state, { kind: "request", client: 1, request, now: 0 });
  expect(destroyed.effects).toContainEqual({
    kind: "commit",
    changes: [{ kind: "unikernel", name: name("alice/vm") }],
  });
  expect(destroyed.effects).toContainEqual({ kind: "release-image", digest: Uint8Array.of(1) });
  expect(findUnikernel(destroyed.state.resources, name("alice/vm"))).toBeUndefined();
});

test("boot tells at once of what is stored, before its image is looked at", () => {
  const mac = Uint8Array.of(0, 0x80, 0x41, 1, 2, 3);
  const settings: Partial<UnikernelConfig> = {
    blocks: [{ name: "storage", device: "data", sectorSize: 4096 }],
    bridges: [{ netif: "eth", bridge: "service" }],
    arguments: ["-v"],
  };
  const unikernels = [{ ...record("alice/vm", settings), macs: [mac] }];
  const { state } = boot(wide, { ...nothing, blocks: [{ name: name("alice/data"), size: 3 }], unikernels });
  const told = {
    digest: Uint8Array.of(1),
    arguments: ["-v"],
    blocks: [{ unikernelDevice: "storage", hostDevice: "data", sectorSize: 4096, size: 3 }],
    bridges: [{ unikernelDevice: "eth", hostDevice: "service", mac }],
  };
  const info = unikernelInfo(state, name("alice/"), "current");
  expect(info).toMatchObject({ unikernels: [{ name: name("vm"), value: told }] });
  expect(info).not.toHaveProperty("unikernels.0.value.started");
  expect(unikernelStatus(state, name("alice/vm"))).toMatchObject({
    unikernels: [{ value: { info: told, phase: "starting" } }],
  });
});
