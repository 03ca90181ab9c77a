/** Faults of the reference that a pure core can have, each by its number: from 24 on. */
import { expect, test } from "vitest";
import { findPolicy, usageAt } from "../../src/core/resources.ts";
import { FakeHost, well } from "./fake_host.ts";
import { chain, config, create, destroy, name, outcome, path, policy, running, told, wide } from "./fixture.ts";
import { everyLaw } from "./laws.ts";

const info = { kind: "unikernel-info", form: "current" } as const;
const small = policy({ unikernels: 1 });
const large = policy({ unikernels: 5 });
const alice = path("alice");

test("reference bug 24: an older certificate's policy is ignored, and the one in force decides", () => {
  const host = new FakeHost(wide, everyLaw);
  outcome(host, "alice/", info, chain(["alice", small, 20]));
  expect(outcome(host, "alice/vm1", create(), chain(["alice", large, 19]))).toBe("created unikernel");
  expect(outcome(host, "alice/vm2", create(), chain(["alice", large, 19]))).toMatchObject({ kind: "limit", limit: 1 });
  expect(findPolicy(host.state.resources, alice)).toEqual(small);
});

test("reference bug 24: of two certificates of one time the later request wins", () => {
  const host = new FakeHost(wide, everyLaw);
  outcome(host, "alice/", info, chain(["alice", small, 20]));
  outcome(host, "alice/", info, chain(["alice", large, 20]));
  expect(findPolicy(host.state.resources, alice)).toEqual(large);
  outcome(host, "alice/", info, chain(["alice", small, 20]));
  expect(findPolicy(host.state.resources, alice)).toEqual(small);
});

test("reference bug 24: a local policy counts as one of now", () => {
  const host = new FakeHost(wide, everyLaw);
  host.ask(name("alice/"), { kind: "policy-add", policy: small }, [], 100);
  outcome(host, "alice/", info, chain(["alice", large, 99]));
  expect(findPolicy(host.state.resources, alice)).toEqual(small);
  outcome(host, "alice/", info, chain(["alice", large, 101]));
  expect(findPolicy(host.state.resources, alice)).toEqual(large);
  host.ask(name("alice/"), { kind: "policy-add", policy: small }, [], 50);
  expect(findPolicy(host.state.resources, alice)).toEqual(small);
});

test("reference bug 24: a newer certificate of the same policy makes the older ones void", () => {
  const host = new FakeHost(wide, everyLaw);
  outcome(host, "alice/", info, chain(["alice", small, 20]));
  outcome(host, "alice/", info, chain(["alice", small, 30]));
  outcome(host, "alice/", info, chain(["alice", large, 25]));
  expect(findPolicy(host.state.resources, alice)).toEqual(small);
  expect(host.policies.get("alice/")?.notBefore).toBe(30);
});

test("reference bug 28: a MAC address taken on the same bridge is refused, and says by whom", () => {
  const host = new FakeHost(wide, everyLaw);
  const on = (bridge: string) => create({ bridges: [{ netif: "eth", bridge }] });
  const first = host.ask(name("alice/a"), on("service"));
  host.answer(0);
  host.answer(0);
  expect(told(host, first)).toBe("created unikernel");
  const second = host.ask(name("alice/b"), on("service"));
  host.answer(0);
  const mac = Uint8Array.of(0, 0x80, 0x41, 0, 0, 1);
  expect(told(host, second)).toEqual({ kind: "mac-taken", bridge: "service", mac, by: name("alice/a") });
  const elsewhere = host.ask(name("alice/b"), on("other"));
  host.answer(0);
  host.answer(0);
  expect(told(host, elsewhere)).toBe("created unikernel");
  outcome(host, "alice/a", destroy);
  const third = host.ask(name("alice/c"), on("service"));
  host.answer(0);
  host.answer(0);
  expect(told(host, third)).toBe("created unikernel");
});

test("reference bug 32: two destroys at once are both answered", () => {
  const host = new FakeHost(wide, everyLaw);
  outcome(host, "vm", create());
  const both = [host.ask(name("vm"), destroy), host.ask(name("vm"), destroy)];
  host.settle();
  expect(both.map((client) => told(host, client))).toEqual(["destroyed unikernel", "destroyed unikernel"]);
});

test("reference bug 32: two destroys that overtake a start are both answered, and so is who asked for the start", () => {
  const host = new FakeHost(wide, everyLaw);
  const creator = host.ask(name("vm"), create());
  host.answer(0);
  const both = [host.ask(name("vm"), destroy), host.ask(name("vm"), destroy)];
  host.settle();
  expect(told(host, creator)).toBe("created unikernel");
  expect(both.map((client) => told(host, client))).toEqual(["destroyed unikernel", "destroyed unikernel"]);
  expect(running(host)).toEqual([]);
});

test("reference bug 35: certificates that raise two levels at once are accepted", () => {
  const host = new FakeHost(wide, everyLaw);
  outcome(host, "alice/bob/", info, chain(["alice", small, 1], ["bob", small, 1]));
  const raised = chain(["alice", large, 2], ["bob", large, 2]);
  expect(outcome(host, "alice/bob/vm1", create(), raised)).toBe("created unikernel");
  expect(outcome(host, "alice/bob/vm2", create(), raised)).toBe("created unikernel");
  expect(findPolicy(host.state.resources, path("alice/bob"))).toEqual(large);
});

test("reference bug 35: a chain whose lower policy is more than its upper one brings neither into force", () => {
  const host = new FakeHost(wide, everyLaw);
  expect(outcome(host, "alice/bob/vm", create(), chain(["alice", small, 1], ["bob", large, 1]))).toEqual({
    kind: "policy-exceeds",
    path: path("alice/bob"),
    above: alice,
    excess: { kind: "unikernels", limit: 1, asked: 5 },
  });
  expect(findPolicy(host.state.resources, alice)).toBeUndefined();
});

test("a request whose chain cannot be applied is carried out where it takes nothing", () => {
  const host = new FakeHost(wide, everyLaw);
  const block = { kind: "block-add", size: 1, form: "current" } as const;
  outcome(host, "alice/bob/vm", create());
  outcome(host, "alice/bob/data", block);
  outcome(host, "alice/", { kind: "policy-add", policy: small });
  const broken = chain(["alice", small, 0], ["bob", large, 1]);
  const refused = { kind: "policy-exceeds" };
  expect(outcome(host, "alice/bob/new", create(), broken)).toMatchObject(refused);
  expect(outcome(host, "alice/bob/vm", create({}, true), broken)).toMatchObject(refused);
  const settings = { kind: "unikernel-restart", settings: config({ memory: 1 }) } as const;
  expect(outcome(host, "alice/bob/vm", settings, broken)).toMatchObject(refused);
  expect(outcome(host, "alice/bob/more", block, broken)).toMatchObject(refused);
  expect(outcome(host, "alice/bob/", info, broken)).toMatchObject({ kind: "unikernels" });
  expect(outcome(host, "alice/bob/", { kind: "policy-info" }, broken)).toMatchObject({ kind: "policies" });
  expect(outcome(host, "alice/bob/vm", { kind: "unikernel-restart" }, broken)).toBe("created unikernel");
  expect(outcome(host, "alice/bob/data", { kind: "block-remove" }, broken)).toBe("removed block");
  expect(outcome(host, "alice/bob/vm", destroy, broken)).toBe("destroyed unikernel");
  expect(findPolicy(host.state.resources, path("alice/bob"))).toBeUndefined();
});

test("a path over its smaller policy keeps what runs, and takes nothing more until it fits", () => {
  const host = new FakeHost(wide, everyLaw);
  for (const vm of ["a", "b", "c"]) outcome(host, `alice/bob/${vm}`, create());
  expect(outcome(host, "alice/", { kind: "policy-add", policy: policy({ unikernels: 2, memory: 15 }) })).toBe(
    "added policy",
  );
  expect(running(host)).toHaveLength(3);
  expect(outcome(host, "alice/bob/d", create())).toMatchObject({ kind: "limit", limit: 2, used: 3, asked: 1 });
  expect(outcome(host, "alice/bob/a", create({ memory: 9 }, true))).toBe("created unikernel");
  expect(outcome(host, "alice/bob/a", create({ memory: 10 }, true))).toMatchObject({
    kind: "limit",
    used: 29,
    asked: 1,
  });
  outcome(host, "alice/bob/b", destroy);
  outcome(host, "alice/bob/c", destroy);
  expect(outcome(host, "alice/bob/d", create({ memory: 6 }))).toBe("created unikernel");
});

test.for(["at once", "in preparing", "at its devices", "at the start"] as const)(
  "a create that is refused %s leaves no policy of its chain behind",
  (when) => {
    const host = new FakeHost(wide, everyLaw);
    const memory = when === "at once" ? 101 : 10;
    const client = host.ask(name("alice/bob/vm"), create({ memory }), chain(["alice", large], ["bob", small]));
    if (when === "at the start") host.answer(0);
    host.answer(0, { ...well, declares: when !== "at its devices", fine: when === "at its devices" });
    expect(host.replies.get(client)?.ok).toBe(false);
    expect(host.policies.size).toBe(0);
    expect(findPolicy(host.state.resources, alice)).toBeUndefined();
    expect(findPolicy(host.state.resources, path("alice/bob"))).toBeUndefined();
  },
);

test("a policy stays although the create that brought it is refused, where another request came through it since", () => {
  const host = new FakeHost(wide, everyLaw);
  const levels = chain(["alice", large]);
  host.ask(name("alice/a"), create(), levels);
  host.ask(name("alice/b"), create(), levels);
  host.answer(0, { ...well, fine: false });
  host.settle();
  expect(running(host)).toEqual(["alice/=b"]);
  expect(findPolicy(host.state.resources, alice)).toEqual(large);
});

test("a block device that the host cannot make leaves no policy of its chain behind, and no space taken", () => {
  const host = new FakeHost(wide, everyLaw);
  const client = host.ask(name("alice/data"), { kind: "block-add", size: 4, form: "current" }, chain(["alice", large]));
  host.answer(0, { ...well, fine: false });
  expect(told(host, client)).toMatchObject({ kind: "host-failed" });
  expect(host.policies.size).toBe(0);
  expect(usageAt(host.state.resources, []).block).toBe(0);
});

test("a block device that the host cannot remove stays, and can be used on", () => {
  const host = new FakeHost(wide, everyLaw);
  outcome(host, "alice/data", { kind: "block-add", size: 4, form: "current" });
  const client = host.ask(name("alice/data"), { kind: "block-remove" });
  host.answer(0, { ...well, fine: false });
  expect(told(host, client)).toMatchObject({ kind: "host-failed" });
  expect(usageAt(host.state.resources, []).block).toBe(4);
  expect(outcome(host, "alice/vm", create({ blocks: [{ name: "data" }] }))).toBe("created unikernel");
});

test.for([0, 1, 2])(
  "a create that a destroy overtakes after %i answers of the host leaves no policy of its chain",
  (answers) => {
    const host = new FakeHost(wide, everyLaw);
    outcome(host, "alice/vm", create());
    const creator = host.ask(name("alice/vm"), create({}, true), chain(["alice", large]));
    for (let left = answers; left > 0; left--) host.answer(0);
    outcome(host, "alice/vm", destroy);
    const refused = answers < 2;
    expect(host.replies.get(creator)?.ok).toBe(!refused);
    expect(host.policies.size).toBe(refused ? 0 : 1);
  },
);
