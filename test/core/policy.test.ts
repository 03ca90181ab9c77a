import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { checkUsable, excess, type Policy, samePolicy, sortedSet, unlimited } from "../../src/core/policy.ts";
import { type ExitStatus, shouldRestart } from "../../src/core/restart.ts";
import type { FailBehaviour } from "../../src/core/unikernel.ts";
import { policy } from "./fixture.ts";
import { property } from "./property.ts";

// What albatross 2.7.2 says of its own policies (see test/vector/README.md).
interface Line {
  readonly rule: string;
  readonly result: string | boolean;
  readonly pp?: string;
  readonly sub?: string;
  readonly super?: string;
  readonly fail_behaviour?: string;
  readonly exit?: string;
}
const lines = readFileSync(join(import.meta.dirname, "../vector/policy_rules.jsonl"), "utf8")
  .split("\n")
  .filter((line) => line !== "")
  .map((line): Line => JSON.parse(line));
const of = (rule: string): readonly Line[] => lines.filter((line) => line.rule === rule);

test.for(of("usable"))("checkUsable agrees with the reference on $policy", (line) => {
  expect(checkUsable(parse(line.pp ?? "")).ok).toBe(line.result === "ok");
});

test.for(of("is_smaller"))("excess agrees with the reference on $sub under $super", (line) => {
  expect(excess(parse(line.sub ?? ""), parse(line.super ?? "")) === undefined).toBe(line.result === "ok");
});

test.for(of("should_restart"))("shouldRestart agrees with the reference on $fail_behaviour after $exit", (line) => {
  expect(shouldRestart(behaviour(line.fail_behaviour ?? ""), exit(line.exit ?? ""))).toBe(line.result);
});

test("the vectors of all three rules are there", () => {
  expect(["usable", "is_smaller", "should_restart"].map((rule) => of(rule).length)).toEqual([4, 22, 29]);
});

test.for([
  [{ unikernels: 0 }, { kind: "no-unikernels" }],
  [{ cpuids: [] }, { kind: "no-cpuids" }],
  [{ memory: 16 }, { kind: "too-little-memory", memory: 16 }],
  [{ block: -1 }, { kind: "negative-block", block: -1 }],
] as const)("checkUsable refuses %j", ([changes, error]) => {
  expect(checkUsable(policy(changes))).toEqual({ ok: false, error });
});

test("checkUsable takes the least that is usable", () => {
  expect(checkUsable(policy({ unikernels: 1, memory: 17, block: 0, bridges: [] })).ok).toBe(true);
});

test.for([
  [{ unikernels: 3 }, { kind: "unikernels", limit: 2, asked: 3 }],
  [{ unikernels: unlimited }, { kind: "unikernels", limit: 2, asked: unlimited }],
  [{ memory: 101 }, { kind: "memory", limit: 100, asked: 101 }],
  [{ block: 11 }, { kind: "block", limit: 10, asked: 11 }],
  [{ cpuids: [0, 3, 4] }, { kind: "cpuids", allowed: [0], asked: [3, 4] }],
  [{ bridges: ["lan", "service"] }, { kind: "bridges", allowed: ["service"], asked: ["lan"] }],
] as const)("excess tells how %j is more", ([changes, more]) => {
  expect(excess(policy(changes), policy())).toEqual(more);
});

test("excess lets nobody give block storage who has none, not even 0 MB", () => {
  const { block: _, ...without } = policy();
  expect(excess(policy({ block: 0 }), without)).toEqual({ kind: "block-not-allowed", asked: 0 });
  expect(excess(without, policy({ block: 0 }))).toBeUndefined();
});

const small = fc
  .record({
    unikernels: fc.constantFrom(0, 1, 2, unlimited),
    memory: fc.nat(2),
    cpuids: fc.subarray([0, 1, 2]),
    bridges: fc.subarray(["x", "y"]),
    block: fc.constantFrom(undefined, 0, 1),
  })
  .map(({ block, ...rest }): Policy => (block === undefined ? rest : { ...rest, block }));

property(
  "excess is a partial order: each within itself, and within what its own limit is within",
  fc.tuple(small, small, small),
  ([a, b, c]) => {
    const within = (sub: Policy, above: Policy): boolean => excess(sub, above) === undefined;
    expect(within(a, a)).toBe(true);
    if (within(a, b) && within(b, c)) expect(within(a, c)).toBe(true);
    expect(within(a, b) && within(b, a)).toBe(samePolicy(a, b));
  },
);

test("sortedSet orders numbers as numbers and drops repetitions", () => {
  expect(sortedSet([10, 9, 10, 1])).toEqual([1, 9, 10]);
});

/** `policy: 1 unikernels 0,1 CPUids 32 MB memory no block, bridges: a, b` */
function parse(text: string): Policy {
  const [, unikernels = "", cpuids = "", memory = "", block, bridges = ""] =
    /^policy: (\S+) unikernels (\S*) CPUids (\S+) MB memory (?:no block|(\S+) MB block)(?:, bridges: (.*))?$/.exec(
      text,
    ) ?? [];
  const words = (list: string, separator: string): string[] => list.split(separator).filter((word) => word !== "");
  const rest = {
    unikernels: unikernels === "4611686018427387903" ? unlimited : Number(unikernels),
    cpuids: words(cpuids, ",").map(Number),
    memory: Number(memory),
    bridges: words(bridges, ", "),
  };
  return block === undefined ? rest : { ...rest, block: Number(block) };
}

/** `restart-2-7-64` or `restart-all` */
function behaviour(text: string): FailBehaviour {
  const [kind, ...codes] = text.split("-");
  if (kind === "quit") return { kind };
  return { kind: "restart", codes: codes.filter((code) => code !== "all").map(Number) };
}

/** `exit 7`, `signal …`, `stop …` */
function exit(text: string): ExitStatus {
  const [kind, number] = text.split(" ");
  return kind === "exit" ? { kind: "exited", code: Number(number) } : { kind: "signalled", signal: 15 };
}
