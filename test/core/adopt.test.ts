/** What becomes of guests that a daemon left behind: the store says what there is to be, the host what there is. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { boot, type Found, fateOf } from "../../src/core/boot.ts";
import type { Label } from "../../src/core/name.ts";
import { findUnikernel } from "../../src/core/resources.ts";
import { shouldRestart } from "../../src/core/restart.ts";
import type { Effect, Incarnation } from "../../src/core/state.ts";
import type { UnikernelConfig } from "../../src/core/unikernel.ts";
import { FakeHost } from "./fake_host.ts";
import { config, destroy, name, outcome, running, wide } from "./fixture.ts";
import { everyLaw } from "./laws.ts";
import { flatten, spellName } from "./naive.ts";
import { property } from "./property.ts";
import { act, hostPolicy, lives } from "./requests.ts";

const vm = name("alice/vm");
const again: Partial<UnikernelConfig> = { failBehaviour: { kind: "restart", codes: [] } };
const nothing = { policies: [], unikernels: [], blocks: [] };

function incarnation(changes: Partial<UnikernelConfig> = {}, image = 1): Incarnation {
  const mac = Uint8Array.of(0, 0x80, 0x41, 0, 0, 1);
  const devices = (changes.bridges ?? []).map(
    ({ netif }) => ({ kind: "net", device: netif, bridge: netif, mac }) as const,
  );
  return {
    config: config(changes),
    digest: Uint8Array.of(image),
    tender: { kind: "spt", path: "/solo5-spt" },
    devices,
  };
}

function left(what: Incarnation | undefined, changes: Partial<Found> = {}): Found {
  return { name: vm, stopping: false, started: 1000, ...(what && { incarnation: what }), ...changes };
}

const exit = (code: number): Pick<Found, "end"> => ({ end: { status: { kind: "exited", code }, at: 5000 } });
const stored = ({ config: kept, digest }: Incarnation) => ({
  ...nothing,
  unikernels: [{ name: vm, record: { config: kept, digest } }],
});
const kinds = (effects: readonly Effect[]): readonly string[] => effects.map(({ kind }) => kind);

test("boot adopts what runs as it is stored: since when it ran, its addresses, its image", () => {
  const what = incarnation({ bridges: [{ netif: "service" }], ...again });
  const host = new FakeHost(wide, everyLaw, stored(what), [left(what)]);
  expect(findUnikernel(host.state.resources, vm)?.unikernel).toMatchObject({
    started: 1000,
    phase: { kind: "running" },
  });
  expect(host.pending).toEqual([]);
  expect(running(host)).toEqual(["alice/=vm"]);
  expect(outcome(host, "alice/vm", destroy)).toBe("destroyed unikernel");
  expect([host.state.macs, host.uses.get(1), running(host)]).toEqual([undefined, 0, []]);
});

test("boot keeps of what it adopts what is stored, and no second copy", () => {
  const kept = stored(incarnation(again));
  const { state } = boot(wide, kept, [left(incarnation(again))]);
  const current = findUnikernel(state.resources, vm)?.unikernel.current;
  expect(current).toEqual(incarnation(again));
  expect(current?.config).toBe(kept.unikernels[0]?.record.config);
  expect(current?.digest).toBe(kept.unikernels[0]?.record.digest);
});

test.for([
  ["is of another image", incarnation({}, 2), {}],
  ["has other settings", incarnation({ arguments: ["other"] }), {}],
  ["cannot be told what it is", undefined, {}],
  ["was told to end", incarnation(), { stopping: true }],
  ["was told to end and has", incarnation(), { stopping: true, ...exit(0) }],
  ["could not start", incarnation(), { end: { status: { kind: "exited", code: 1 }, at: 1499 } }],
  ["ended, nobody knows how", incarnation(), { end: { status: { kind: "unknown" }, at: 0 } }],
  ["was of another image and ended", incarnation({}, 2), exit(0)],
] as const)("boot starts what is stored anew where what is found %s", ([, what, changes]) => {
  const { before, effects } = boot(wide, stored(incarnation()), [left(what, changes)]);
  expect(kinds(before)).toEqual(["hold-image", "discard"]);
  expect(kinds(effects)).toEqual(["prepare"]);
});

test("boot ends a guest that nothing is stored of", () => {
  const { state, before, effects } = boot(wide, nothing, [left(incarnation())]);
  expect([before, effects]).toEqual([[{ kind: "discard", name: vm }], []]);
  expect(findUnikernel(state.resources, vm)).toBeUndefined();
});

test("boot takes what quit while nobody looked away, with all it had", () => {
  const what = incarnation({ bridges: [{ netif: "service" }] });
  const host = new FakeHost(wide, everyLaw, stored(what), [left(what, exit(0))]);
  expect([running(host), host.unikernels.size, host.uses.get(1), host.state.macs]).toEqual([[], 0, 0, undefined]);
  expect([host.pending, host.left.size]).toEqual([[], 0]);
});

test("boot writes down what is gone before anybody is served, who may make it anew", () => {
  const { before, effects } = boot(wide, stored(incarnation()), [left(incarnation(), exit(0))]);
  expect(before).toContainEqual({ kind: "commit", changes: [{ kind: "unikernel", name: vm }] });
  expect(kinds(effects)).not.toContain("commit");
});

test("boot lets what is to restart wait for its back-off first", () => {
  const what = incarnation(again);
  const host = new FakeHost(wide, everyLaw, stored(what), [left(what, exit(3))]);
  expect(host.pending).toMatchObject([{ kind: "timer", delay: 1000 }]);
  host.settle();
  expect(running(host)).toEqual(["alice/=vm"]);
});

test("boot starts what did not know --name once more without, and stores that", () => {
  const what = incarnation({ addName: true });
  const host = new FakeHost(wide, everyLaw, stored(what), [left(what, exit(64))]);
  expect(host.unikernels.get("alice/=vm")?.record.config.addName).toBe(false);
  host.settle();
  expect(running(host)).toEqual(["alice/=vm"]);
});

/** What the host does to a guest while no daemon runs. */
const meanwhile = fc.oneof(
  fc.constant("runs" as const),
  fc.constant("lost" as const),
  fc.integer({ min: 0, max: 66 }).map((code) => ({ kind: "exited", code }) as const),
  fc.constant({ kind: "signalled", signal: 9 } as const),
  fc.constant({ kind: "unknown" } as const),
);

property(
  "boot adopts what runs as stored, restarts nothing of it, and loses nothing but what quit, wherever the daemon was killed",
  fc.tuple(lives, fc.array(meanwhile, { minLength: 1, maxLength: 4 })),
  ([list, events]) => {
    const killed = new FakeHost(hostPolicy, everyLaw);
    for (const one of list) act(killed, one);
    const stops = killed.pending.flatMap((effect) => (effect.kind === "stop" ? [effect.run] : []));
    const found = [...killed.guests].flatMap(([run, guest], index): readonly Found[] => {
      const event = events[index % events.length];
      const one = { name: guest.name, incarnation: guest.incarnation, started: 1, stopping: stops.includes(run) };
      if (event === undefined || event === "lost") return [];
      return [event === "runs" ? one : { ...one, end: { status: event, at: 2 } }];
    });
    const blocks = [...flatten(killed.state.resources).blocks.values()].map(({ path, label, value: { size } }) => {
      return { name: { path: path.split("/").slice(0, -1) as Label[], label }, size };
    });
    const unikernels = [...killed.unikernels.values()];
    const host = new FakeHost(hostPolicy, undefined, { policies: [], unikernels, blocks }, found);
    const adopted = new Set(host.runningNames());
    const started = new Set(host.guests.keys());
    for (const { name: at, record } of unikernels) {
      const key = spellName(at);
      const one = found.find((other) => spellName(other.name) === key);
      const fate = fateOf(record, one);
      expect(adopted.has(key), `${key} runs from the first`).toBe(
        fate.kind === "adopt" || isNameless(fate, record.config),
      );
      const gone =
        fate.kind === "end" &&
        !shouldRestart(record.config.failBehaviour, fate.status) &&
        !isNameless(fate, record.config);
      expect(host.unikernels.has(key), `${key} is stored`).toBe(!gone);
    }
    host.settle();
    expect(new Set(host.runningNames())).toEqual(new Set(host.unikernels.keys()));
    expect(
      [...started].filter((run) => !host.guests.has(run)),
      "adopted, and started again",
    ).toEqual([]);
    expect(host.left.size, "left, and neither adopted nor discarded").toBe(0);
  },
  200,
);

function isNameless(fate: ReturnType<typeof fateOf>, { addName }: UnikernelConfig): boolean {
  return fate.kind === "end" && addName && fate.status.kind === "exited" && fate.status.code === 64;
}
