import fc from "fast-check";
import { expect, test } from "vitest";
import type { Command, Level } from "../../src/core/command.ts";
import { describeRefusal } from "../../src/core/describe.ts";
import { describeRoom } from "../../src/core/describe_explanation.ts";
import { type Explanation, roomIn } from "../../src/core/explanation.ts";
import { permissions } from "../../src/core/permission.ts";
import { usageAt } from "../../src/core/resources.ts";
import { step } from "../../src/core/supervisor.ts";
import { FakeHost, well } from "./fake_host.ts";
import { chain, create, destroy, name, outcome, path, policy, wide } from "./fixture.ts";
import { property } from "./property.ts";
import { act, actions, ask, hostPolicy } from "./requests.ts";

const narrowing = fc.option(fc.subarray([...permissions], { minLength: permissions.length - 3 }), { nil: undefined });

property(
  "explain's verdict is the request's own decision, and the state stays what it was",
  fc.tuple(actions, ask, narrowing),
  ([past, asking, permitted]) => {
    const host = new FakeHost(hostPolicy);
    for (const one of past) act(host, one);
    if (asking.kind !== "ask") throw new Error("not asked");
    const { command, now } = asking;
    const request = {
      name: asking.name,
      levels: asking.levels,
      ...(permitted === undefined ? {} : { permissions: permitted }),
    };
    const before = host.state;
    const put = (what: Command) =>
      step(before, { kind: "request", client: 1_000_000, request: { ...request, command: what }, now });
    const explained = put({ kind: "explain", command });
    const real = put(command);
    expect(explained.state).toBe(before);
    const [answer, ...others] = explained.effects;
    expect(others).toEqual([]);
    if (answer?.kind !== "reply" || !answer.reply.ok || answer.reply.success.kind !== "explanation") {
      throw new Error("no explanation");
    }
    const { refused, levels } = answer.reply.success.explanation;
    const refusal = real.effects.flatMap((effect) =>
      effect.kind === "reply" && effect.client === 1_000_000 && !effect.reply.ok ? [effect.reply.refusal] : [],
    )[0];
    expect(refused?.text).toBe(refusal && describeRefusal(refusal));
    expect(refused?.kind).toBe(refusal?.kind);
    if (refusal !== undefined || command.kind !== "block-add") return;
    for (const { path: at, usage } of levels) expect(usage?.after).toEqual(usageAt(real.state.resources, at));
  },
  300,
);

function explained(host: FakeHost, text: string, command: Command, levels: readonly Level[] = []): Explanation {
  const told = outcome(host, text, { kind: "explain", command }, levels);
  if (typeof told !== "object" || told === null || !("explanation" in told)) throw new Error(JSON.stringify(told));
  return told.explanation as Explanation;
}

test("explain tells each level's use, and what fits in all of them", () => {
  const host = new FakeHost(wide);
  const levels = chain(
    ["alice", policy({ unikernels: 2, memory: 100 })],
    ["bob", policy({ unikernels: 2, memory: 70 })],
  );
  expect(outcome(host, "alice/bob/one", create({ memory: 40 }), levels)).toBe("created unikernel");
  const told = explained(host, "alice/bob/two", create({ memory: 64 }), levels);
  expect(told.refused).toEqual({
    kind: "limit",
    text: "cannot exceed the policy of alice: 100 MB of memory allowed, 40 used, 64 more asked for",
    path: path("alice"),
  });
  expect(
    told.levels.map((level) => [level.path.join(":"), level.usage?.used.memory, level.usage?.after.memory]),
  ).toEqual([
    ["alice", 40, 104],
    ["alice:bob", 40, 104],
  ]);
  expect(roomIn(told.levels).map(describeRoom)).toEqual([
    "at most 1 unikernel more at alice",
    "at most 30 MB of memory more at alice:bob",
    "at most 10 MB of block storage more at alice",
  ]);
});

test("explain tells a chain nothing of the host but where the host refuses", () => {
  const host = new FakeHost({ ...wide, memory: 50 });
  const levels = chain(["alice", policy({ memory: 100 })]);
  const fine = explained(host, "alice/vm", create({ memory: 50 }), levels);
  expect([fine.refused, fine.levels.map((level) => level.path)]).toEqual([undefined, [path("alice")]]);
  const over = explained(host, "alice/vm", create({ memory: 51 }), levels);
  expect([over.refused?.path, over.levels.map((level) => level.path)]).toEqual([[], [[], path("alice")]]);
  expect(explained(host, "alice/vm", create({ memory: 50 })).levels.map((level) => level.path)).toEqual([[]]);
});

test("explain tells which policy is in force where a certificate's own is not", () => {
  const host = new FakeHost(wide);
  outcome(host, "alice/", { kind: "policy-info" }, chain(["alice", policy({ unikernels: 3 }), 5]));
  const [level] = explained(host, "alice/vm", create(), chain(["alice", policy({ unikernels: 9 }), 4])).levels;
  expect([level?.policy?.unikernels, level?.given?.unikernels]).toEqual([3, 9]);
});

test("explain names the level that does not permit, and then nothing of what is used, unless info is permitted", () => {
  const host = new FakeHost(wide);
  const [alice] = chain(["alice", policy()]);
  if (alice === undefined) throw new Error("no level");
  for (const [permitted, told] of [
    [["console"], false],
    [["console", "info"], true],
  ] as const) {
    const { refused, levels } = explained(host, "alice/vm", destroy, [{ ...alice, permissions: permitted }]);
    expect([refused?.kind, refused?.path]).toEqual(["not-permitted", path("alice")]);
    expect(levels.map((level) => level.usage !== undefined)).toEqual([told]);
  }
});

test("explain of what others than the supervisor decide tells whether it is permitted", () => {
  const host = new FakeHost(wide);
  const [alice] = chain(["alice", policy()]);
  if (alice === undefined) throw new Error("no level");
  const follow: Command = { kind: "console-subscribe", from: { kind: "count", count: 1 } };
  expect(explained(host, "alice/vm", follow, [alice]).refused).toBeUndefined();
  expect(explained(host, "alice/vm", follow, [{ ...alice, permissions: ["info"] }]).refused?.kind).toBe(
    "not-permitted",
  );
  expect(explained(host, "alice/vm", follow, [alice]).unchecked).toEqual(["console"]);
});

test("explain tells of a lock on the way", () => {
  const host = new FakeHost(wide);
  outcome(host, "", { kind: "lock", path: path("alice/bob") });
  const levels = chain(["alice", policy()]);
  const told = explained(host, "alice/bob/vm", create(), levels);
  expect([told.refused?.kind, told.levels.map((level) => level.lockedBy)]).toEqual(["locked", [undefined, []]]);
});

test("explain of a destruction tells what is used afterwards", () => {
  const host = new FakeHost(wide);
  const client = host.ask(name("alice/vm"), create({ memory: 40 }), chain(["alice", policy()]));
  host.answer(0, well);
  host.settle();
  expect(host.replies.has(client)).toBe(true);
  const [level] = explained(host, "alice/vm", destroy, chain(["alice", policy()])).levels;
  expect(level?.usage).toEqual({
    used: { unikernels: 1, memory: 40, block: 0 },
    after: { unikernels: 0, memory: 0, block: 0 },
  });
});
