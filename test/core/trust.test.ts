import fc from "fast-check";
import { expect, test } from "vitest";
import type { Command, Level } from "../../src/core/command.ts";
import { heldAt } from "../../src/core/hold.ts";
import type { Label, Path } from "../../src/core/name.ts";
import { descending, lookup } from "../../src/core/ordered_map.ts";
import { listUnikernels, usageAt } from "../../src/core/resources.ts";
import type { RevocationList, RevocationRules } from "../../src/core/revocation.ts";
import type { Event, State, Step } from "../../src/core/state.ts";
import { FakeHost, well } from "./fake_host.ts";
import { chain, create, name, outcome, path, policy, running, told, wide } from "./fixture.ts";
import { everyLaw } from "./laws.ts";
import { property } from "./property.ts";
import { type Action, act, actions, hostPolicy } from "./requests.ts";

const stop: RevocationRules = { stale: "refuse", grace: 0, stop: true };
const leave: RevocationRules = { ...stop, stop: false };

/** The levels with certificates: each by the authority of the path above, with its notBefore for a serial number. */
function certified(levels: readonly Level[]): readonly Level[] {
  return levels.map((level, index) => {
    const above = levels.slice(0, index).map(({ label }) => label);
    return { ...level, certificate: { issuer: authorityAt(above), serial: String(level.notBefore) } };
  });
}

function authorityAt(above: Path): string {
  return above.length === 0 ? "root" : above.join(":");
}

function list(authority: string, number: number, serials: readonly string[], nextUpdate = 1_000_000): RevocationList {
  const revokedAt = (serial: string): number | undefined => (serials.includes(serial) ? 5 : undefined);
  const digest = `${number} ${serials}`;
  return { authority, issuer: authority, number: BigInt(number), digest, nextUpdate, revokedAt };
}

type Move =
  | Action
  | { readonly kind: "push"; readonly list: RevocationList }
  | { readonly kind: "lock"; readonly lock: boolean; readonly path: Path; readonly owner: Path };

const somePath = fc.constantFrom<Path[]>([], path("a"), path("a/b"), path("b"));
const move: fc.Arbitrary<Move> = fc.oneof(
  fc
    .record({
      above: somePath,
      number: fc.nat(9),
      serials: fc.subarray(["0", "1", "2", "3", "4"]),
    })
    .map(({ above, number, serials }): Move => ({ kind: "push", list: list(authorityAt(above), number, serials) })),
  fc.record({ kind: fc.constant("lock" as const), lock: fc.boolean(), path: somePath, owner: somePath }),
);
const moves = fc
  .tuple(actions, fc.array(fc.tuple(fc.nat(60), move), { maxLength: 12 }))
  .map(([list, more]): readonly Move[] =>
    more.reduce<Move[]>((all, [at, one]) => all.toSpliced(at, 0, one), [...list]),
  );

function carryOut(host: FakeHost, one: Move): void {
  if (one.kind === "push") host.push(one.list);
  else if (one.kind === "lock") {
    const levels = certified(chain(...one.owner.map((label) => [label, policy(), 0] as const)));
    const below = one.path.slice(one.owner.length);
    const command: Command = { kind: one.lock ? "lock" : "unlock", path: below };
    host.ask({ path: one.owner }, command, levels);
  } else if (one.kind === "ask") act(host, { ...one, levels: certified(one.levels) });
  else act(host, one);
}

function trustLaws(before: State, event: Event, step: Step, host: FakeHost): void {
  everyLaw(before, event, step, host);
  const { state } = step;
  for (const [, { path: locked }] of descending(before.locks)) {
    if (lookup(state.locks, locked.join(":")) === undefined) continue;
    const [was, is] = [usageAt(before.resources, locked), usageAt(state.resources, locked)];
    for (const what of ["unikernels", "memory", "block"] as const) {
      expect(is[what], `a locked subtree gained ${what}`).toBeLessThanOrEqual(was[what]);
    }
  }
  for (const [authority, { list: known }] of descending(before.revocation.lists)) {
    const now = lookup(state.revocation.lists, authority)?.list.number ?? -1n;
    expect(now >= known.number, "a list's number went back").toBe(true);
  }
  for (const { name: at, value } of listUnikernels(state.resources, [])) {
    const { phase } = value.unikernel;
    const ending = "next" in phase && (phase.next?.kind === "hold" || phase.next?.kind === "destroy");
    const held = heldAt(state.resources, state.revocation, at.path) !== undefined;
    if (held) expect(phase.kind === "held" || ending, "it runs below what is revoked").toBe(true);
    else expect(phase.kind, "held for nothing").not.toBe("held");
  }
}

function lawsHold(rules: RevocationRules): (list: readonly Move[]) => void {
  return (moves) => {
    const host = new FakeHost(hostPolicy, trustLaws, undefined, undefined, rules);
    for (const one of moves) carryOut(host, one);
    host.settle();
    expect(new Set(host.replies.keys()), "everyone is answered").toEqual(new Set(host.asked.keys()));
    const held = host.runningNames().filter((one) => isHeld(host, one) && !isStuck(host, one));
    if (rules.stop) expect(held, "what is held does not run, but for what the kernel does not let go of").toEqual([]);
    // Nothing is revoked any more: what was held runs again.
    for (const [authority] of descending(host.state.revocation.lists)) host.push(list(authority, 10, []));
    host.settle();
    const there = listUnikernels(host.state.resources, []).map(({ value }) => value.unikernel.phase);
    expect(there.filter((phase) => phase.kind !== "running" && !("stuck" in phase))).toEqual([]);
  };
}

function isStuck(host: FakeHost, running: string): boolean {
  const stuck = listUnikernels(host.state.resources, []).filter(({ value }) => "stuck" in value.unikernel.phase);
  return stuck.some(({ name: { path, label } }) => [...path, `=${label}`].join("/") === running);
}

function isHeld(host: FakeHost, running: string): boolean {
  const labels = running.split("/").slice(0, -1) as Label[];
  return heldAt(host.state.resources, host.state.revocation, labels) !== undefined;
}

property(
  "step keeps every law, whatever is locked and revoked, where what is revoked stops",
  moves,
  lawsHold(stop),
  150,
);
property("step keeps every law, whatever is locked and revoked, where it is left", moves, lawsHold(leave), 40);

property("boot holds what was held, and runs all the rest", moves, (list) => {
  const before = new FakeHost(hostPolicy, undefined, undefined, undefined, stop);
  for (const one of list) carryOut(before, one);
  const { state } = before;
  const grants = [...descendingGrants(state)];
  const stored = {
    policies: grants,
    unikernels: [...before.unikernels.values()],
    blocks: [],
    locks: descending(state.locks).map(([, lock]) => lock),
    lists: descending(state.revocation.lists).map(([, kept]) => kept),
  };
  const after = new FakeHost(hostPolicy, undefined, stored, undefined, stop);
  after.settle(well);
  for (const key of after.unikernels.keys()) {
    expect(after.runningNames().includes(key), `${key} runs`).toBe(!isHeld(after, key));
  }
  expect(descending(after.state.locks)).toEqual(descending(state.locks));
});

function* descendingGrants({ resources }: State): Generator<Stored> {
  const all: [Path, State["resources"]][] = [[[], resources]];
  for (const [at, node] of all) {
    if (node.grant !== undefined && at.length > 0) yield { path: at, ...node.grant };
    for (const [label, child] of descending(node.children)) all.push([[...at, label], child]);
  }
}

type Stored = { readonly path: Path } & NonNullable<State["resources"]["grant"]>;

const alice = certified(chain(["alice", policy(), 1]));
const bob = certified(chain(["alice", policy(), 1], ["bob", policy(), 1]));
const info: Command = { kind: "unikernel-info", form: "current" };

function revokedHost(rules: RevocationRules): FakeHost {
  const host = new FakeHost(wide, undefined, undefined, undefined, rules);
  outcome(host, "alice/bob/vm", create(), bob);
  outcome(host, "alice/vm", create(), alice);
  host.push(list("alice", 1, ["1"]));
  host.settle();
  return host;
}

test("step refuses a chain with a revoked delegation, whatever it asks, and says which, when and by which list", () => {
  const host = revokedHost(leave);
  const refusal = {
    kind: "certificate-revoked",
    whose: { kind: "delegate", path: path("alice/bob") },
    serial: "1",
    time: 5,
    issuer: "alice",
    number: 1n,
  };
  expect(outcome(host, "alice/bob/", info, bob)).toEqual(refusal);
  expect(outcome(host, "alice/bob/vm", { kind: "unikernel-destroy" }, bob)).toEqual(refusal);
  expect(outcome(host, "alice/", info, alice)).toMatchObject({ kind: "unikernels" });
  expect(running(host)).toEqual(["alice/=vm", "alice/bob/=vm"]);
});

test("step stops what is below a revoked delegation, holds it, and starts it when a newer certificate comes", () => {
  const host = revokedHost(stop);
  expect(running(host)).toEqual(["alice/=vm"]);
  expect(outcome(host, "alice/bob/vm", create({}, true), alice)).toMatchObject({
    kind: "held",
    path: ["alice", "bob"],
  });
  expect(outcome(host, "alice/bob/vm", { kind: "unikernel-restart" })).toMatchObject({ kind: "held" });
  const renewed = certified(chain(["alice", policy(), 1], ["bob", policy(), 2]));
  outcome(host, "alice/bob/", info, renewed);
  expect(running(host)).toEqual(["alice/=vm", "alice/bob/=vm"]);
});

test.for([
  ["a local command", (host: FakeHost) => outcome(host, "alice/bob/", { kind: "policy-add", policy: policy() })],
  ["a newer list without it", (host: FakeHost) => host.push(list("alice", 2, []))],
] as const)("step starts what was held again by %s", ([, act]) => {
  const host = revokedHost(stop);
  act(host);
  host.settle();
  expect(running(host)).toEqual(["alice/=vm", "alice/bob/=vm"]);
});

test("step destroys what is held", () => {
  const host = revokedHost(stop);
  expect(outcome(host, "alice/bob/vm", { kind: "unikernel-destroy" }, alice)).toBe("destroyed unikernel");
  host.push(list("alice", 2, []));
  host.settle();
  expect(running(host)).toEqual(["alice/=vm"]);
});

test("step takes no older list, no other one of the same number, and the same one again", () => {
  const host = new FakeHost(wide);
  const push = (one: RevocationList): unknown => told(host, host.push(one));
  expect(push(list("alice", 3, ["1"]))).toBe("took revocation list 3 of alice");
  expect(push(list("alice", 2, []))).toEqual({ kind: "revocations-older", issuer: "alice", number: 2n, known: 3n });
  expect(push(list("alice", 3, []))).toMatchObject({ kind: "revocations-older", number: 3n });
  expect(push(list("alice", 3, ["1"]))).toBe("no modification of revocation list 3 of alice");
});

test("step refuses whoever comes from an authority whose list is stale, but for the one who renews it", () => {
  const host = new FakeHost(wide, undefined, undefined, undefined, { ...leave, grace: 10 });
  const mine = { levels: alice, certificates: [{ issuer: "alice", serial: "77" }] };
  const ask = (now: number): unknown => {
    const client = host.asked.size + 1;
    host.asked.set(client, { name: name("alice/"), command: info });
    host.tell({ kind: "request", client, request: { name: name("alice/"), command: info, ...mine }, now });
    return told(host, client);
  };
  expect(told(host, host.push(list("alice", 1, ["9"], 100), mine))).toBe("took revocation list 1 of alice");
  expect(ask(110)).toMatchObject({ kind: "unikernels" });
  expect(ask(111)).toEqual({ kind: "revocations-stale", issuer: "alice", number: 1n, nextUpdate: 100 });
  host.now = 111;
  expect(told(host, host.push(list("alice", 2, ["9"], 105), mine))).toBe("took revocation list 2 of alice");
  expect(told(host, host.push(list("alice", 3, ["77"], 500), mine))).toMatchObject({ kind: "certificate-revoked" });
  expect(told(host, host.push(list("alice", 3, ["9"], 500), mine))).toBe("took revocation list 3 of alice");
  expect(ask(500)).toMatchObject({ kind: "unikernels" });
  expect(told(host, host.push(list("root", 1, []), mine))).toEqual({ kind: "revocations-foreign", issuer: "root" });
});

test("a lock refuses its subtree everything, and everybody else what takes resources there", () => {
  const host = new FakeHost(wide);
  outcome(host, "alice/bob/vm", create(), bob);
  expect(outcome(host, "alice/", { kind: "lock", path: path("bob") }, alice)).toBe("locked alice:bob");
  const locked = { kind: "locked", path: ["alice", "bob"], owner: ["alice"] };
  expect(outcome(host, "alice/bob/", info, bob)).toEqual(locked);
  expect(outcome(host, "alice/bob/", { kind: "unlock", path: [] }, bob)).toEqual(locked);
  expect(outcome(host, "alice/bob/x", create(), alice)).toEqual(locked);
  expect(outcome(host, "alice/bob/x", create())).toEqual(locked);
  expect(outcome(host, "alice/bob/", info, alice)).toMatchObject({ kind: "unikernels" });
  expect(running(host)).toEqual(["alice/bob/=vm"]);
  expect(outcome(host, "alice/", { kind: "unlock", path: path("bob") }, alice)).toBe("unlocked alice:bob");
  expect(outcome(host, "alice/bob/x", create(), bob)).toBe("created unikernel");
});

test("a lock belongs to the highest who set it: nobody below unlocks it", () => {
  const host = new FakeHost(wide);
  const carol: Command = { kind: "lock", path: path("carol") };
  expect(outcome(host, "alice/bob/", carol, bob)).toBe("locked alice:bob:carol");
  expect(outcome(host, "alice/", { kind: "lock", path: path("bob/carol") }, alice)).toBe("locked alice:bob:carol");
  expect(outcome(host, "alice/bob/", carol, bob)).toBe("locked alice:bob:carol");
  const above = { kind: "locked-above", path: ["alice", "bob", "carol"], owner: ["alice"] };
  expect(outcome(host, "alice/bob/", { kind: "unlock", path: path("carol") }, bob)).toEqual(above);
  expect(outcome(host, "", { kind: "unlock", path: path("alice/bob/carol") })).toBe("unlocked alice:bob:carol");
  const missing = { kind: "lock-not-found", path: ["alice", "bob", "carol"] };
  expect(outcome(host, "alice/bob/", { kind: "unlock", path: path("carol") }, bob)).toEqual(missing);
});

test("a delegate locks what is strictly below him alone", () => {
  const host = new FakeHost(wide);
  const refusal = { kind: "lock-not-below", path: ["alice"] };
  expect(outcome(host, "alice/", { kind: "lock", path: [] }, alice)).toEqual(refusal);
  expect(outcome(host, "", { kind: "lock", path: [] })).toBe("locked the host");
  expect(outcome(host, "alice/", info, alice)).toEqual({ kind: "locked", path: [], owner: [] });
  expect(outcome(host, "vm", create())).toEqual({ kind: "locked", path: [], owner: [] });
});

test("nobody locks or unlocks a path that a listing of the locks or the audit log could not spell", () => {
  const host = new FakeHost(wide);
  const deep = Array.from({ length: 63 }, () => "x").join("/");
  expect(outcome(host, "alice/", { kind: "lock", path: path(deep) }, alice)).toMatch(/^locked alice:x/);
  for (const kind of ["lock", "unlock"] as const) {
    const refusal = { kind: "lock-too-deep", depth: 65, limit: 64 };
    expect(outcome(host, "alice/", { kind, path: path(`${deep}/y`) }, alice)).toEqual(refusal);
  }
});

test("nobody who sets locks without end crowds out those above or beside him", () => {
  const host = new FakeHost(wide);
  for (let index = 0; index < 100; index++) outcome(host, "alice/bob/", { kind: "lock", path: path(`c${index}`) }, bob);
  const one: Command = { kind: "lock", path: path("d") };
  expect(outcome(host, "alice/bob/", one, bob)).toEqual({ kind: "too-many-locks", path: ["alice", "bob"], limit: 100 });
  const carol = certified(chain(["alice", policy(), 1], ["carol", policy(), 1]));
  expect(outcome(host, "alice/carol/", one, carol)).toBe("locked alice:carol:d");
  expect(outcome(host, "alice/", { kind: "lock", path: path("bob") }, alice)).toBe("locked alice:bob");
  expect(outcome(host, "alice/", { kind: "locks" }, alice)).toMatchObject({ kind: "locks", locks: { length: 102 } });
});
