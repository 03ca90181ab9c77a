/** Requests and answers over so few names, policies and settings that they meet. */
import fc from "fast-check";
import type { Command, Level } from "../../src/core/command.ts";
import type { Health } from "../../src/core/health.ts";
import type { Label, Name, Path } from "../../src/core/name.ts";
import { type Policy, unlimited } from "../../src/core/policy.ts";
import type { ExitStatus } from "../../src/core/restart.ts";
import type { UnikernelConfig } from "../../src/core/unikernel.ts";
import { type FakeHost, type Manner, well } from "./fake_host.ts";

export type Action =
  | {
      readonly kind: "ask";
      readonly name: Name;
      readonly command: Command;
      readonly levels: readonly Level[];
      readonly now: number;
    }
  | { readonly kind: "answer"; readonly pick: number; readonly how: Manner }
  | { readonly kind: "end"; readonly pick: number; readonly status: ExitStatus };

export const hostPolicy: Policy = { unikernels: 4, cpuids: [0, 1], memory: 100, block: 6, bridges: ["x", "y"] };

const often = <T>(usual: T, ...others: readonly T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(usual, ...others) });

const label = often(...(["a", "b", "c"] as [Label, Label, Label]));
const path: fc.Arbitrary<Path> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom<Path[]>(["a" as Label], ["a" as Label, "b" as Label]) },
  { weight: 1, arbitrary: fc.array(label, { maxLength: 3 }) },
);

const labels = fc.subarray(["a", "b"]);
const cpuids = fc.oneof({ weight: 3, arbitrary: fc.constant([0, 1]) }, fc.subarray([0, 1]));
const bridges = fc.oneof({ weight: 3, arbitrary: fc.constant(["x", "y"]) }, fc.subarray(["x", "y"]));

const policy: fc.Arbitrary<Policy> = fc
  .record({
    unikernels: often(3, 0, 1, 2, unlimited),
    memory: often(60, 0, 20, 40),
    block: often(4, undefined, 0, 2),
    cpuids,
    bridges,
  })
  .map(({ block, ...rest }) => (block === undefined ? rest : { ...rest, block }));

const settings = fc.record({
  failBehaviour: fc.constantFrom(
    { kind: "quit" } as const,
    { kind: "restart", codes: [] } as const,
    { kind: "restart", codes: [2] } as const,
  ),
  addName: fc.boolean(),
  cpuids: fc.constantFrom([0], [1], [0, 1]),
  memory: fc.oneof({ weight: 20, arbitrary: fc.constantFrom(10, 20, 40) }, { weight: 1, arbitrary: fc.constant(0) }),
  blocks: fc
    .oneof({ weight: 2, arbitrary: fc.constant([]) }, labels)
    .map((names) => names.map((device) => ({ name: device }))),
  bridges: fc
    .oneof(fc.constant([]), fc.subarray(["x", "y"]))
    .map((names) => names.map((bridge) => ({ netif: bridge, bridge }))),
  cpus: fc.constant(1),
});

const config: fc.Arbitrary<UnikernelConfig> = settings.map((given) => ({ ...given, typ: "solo5" }));
const image = { compressed: false, bytes: new Uint8Array() };

/** Commands on one unikernel or block device, and those on a path. */
const create: fc.Arbitrary<Command> = fc.record({
  kind: fc.constant("unikernel-create" as const),
  config,
  image: fc.constant(image),
  replace: fc.boolean(),
});
const onLabel: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: create,
  },
  { weight: 2, arbitrary: fc.constant<Command>({ kind: "unikernel-restart" }) },
  {
    weight: 3,
    arbitrary: settings.map((given): Command => ({ kind: "unikernel-restart", settings: given })),
  },
  { weight: 2, arbitrary: fc.constant<Command>({ kind: "unikernel-destroy" }) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(0, 1, 2, 3).map((size): Command => ({ kind: "block-add", size, form: "current" })),
  },
  { weight: 2, arbitrary: fc.constant<Command>({ kind: "block-remove" }) },
  {
    weight: 3,
    arbitrary: fc.constantFrom<Command[]>(
      { kind: "unikernel-info", form: "current" },
      { kind: "unikernel-get", level: 0 },
      { kind: "block-set", compressed: false },
      { kind: "block-dump", level: 0, form: "current" },
    ),
  },
);
const onPath: fc.Arbitrary<Command> = fc.oneof(
  policy.map((given): Command => ({ kind: "policy-add", policy: given })),
  fc.constantFrom<Command[]>({ kind: "policy-remove" }, { kind: "policy-info" }, { kind: "block-info" }),
);

const time = fc.nat(4);

export const ask: fc.Arbitrary<Action> = fc
  .record({
    path,
    label,
    target: fc.oneof(
      { weight: 20, arbitrary: onLabel.map((command) => ({ command, named: true })) },
      { weight: 3, arbitrary: onPath.map((command) => ({ command, named: false })) },
      { weight: 1, arbitrary: onLabel.map((command) => ({ command, named: false })) },
    ),
    chained: fc.boolean(),
    policies: fc.array(fc.tuple(policy, time), { minLength: 3, maxLength: 3 }),
    now: time,
  })
  .map(({ path: at, label: last, target: { command, named }, chained, policies, now }) => {
    const local = !chained || command.kind === "policy-add" || command.kind === "policy-remove";
    const levels = at.flatMap((one, depth): readonly Level[] => {
      const [granted, notBefore] = policies[depth] ?? [];
      if (granted === undefined || notBefore === undefined || local) return [];
      return [{ label: one, policy: granted, notBefore, notAfter: 1000, fingerprint: new Uint8Array(32) }];
    });
    return { kind: "ask", name: named ? { path: at, label: last } : { path: at }, command, levels, now };
  });

const status: fc.Arbitrary<ExitStatus> = fc.constantFrom<ExitStatus[]>(
  { kind: "exited", code: 0 },
  { kind: "exited", code: 1 },
  { kind: "exited", code: 2 },
  { kind: "exited", code: 64 },
  { kind: "signalled", signal: 11 },
  { kind: "unknown" },
);

export const manner: fc.Arbitrary<Manner> = fc.record({
  fine: often(true, false),
  image: fc.constantFrom(1, 2),
  mac: fc.constantFrom(1, 2),
  declares: often(true, true, false),
  status,
  stuck: often(false, false, false, true),
});

const answer: fc.Arbitrary<Action> = fc.record({
  kind: fc.constant("answer" as const),
  pick: fc.nat(5),
  how: manner,
});
const end: fc.Arbitrary<Action> = fc.record({ kind: fc.constant("end" as const), pick: fc.nat(3), status });

/** Whatever there is, anywhere. */
export const actions: fc.Arbitrary<Action[]> = fc.array(
  fc.oneof({ weight: 6, arbitrary: ask }, { weight: 6, arbitrary: answer }, { weight: 2, arbitrary: end }),
  { maxLength: 60, size: "max" },
);

const life = settings.map((given) => ({ ...given, memory: Math.max(10, given.memory) }));

const health: fc.Arbitrary<{ readonly health?: Health }> = fc.constantFrom(
  {},
  {},
  { health: { within: 1000 } },
  { health: { within: 1000, pattern: "ready" } },
  { health: { within: 1000, probe: "tcp:80" } },
);

/** Two unikernels that are created, replaced, restarted and destroyed over each other; those at `a` have block devices. */
export const lives: fc.Arbitrary<Action[]> = fc
  .array(
    fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          kind: fc.constant("ask" as const),
          name: often<Name>(
            { path: ["a" as Label], label: "a" as Label },
            { path: ["a" as Label], label: "b" as Label },
          ),
          command: fc.oneof(
            {
              weight: 5,
              arbitrary: fc.tuple(life, often(true, false), health).map(([given, replace, more]): Command => {
                return { kind: "unikernel-create", config: { ...given, typ: "solo5" }, image, replace, ...more };
              }),
            },
            { weight: 1, arbitrary: life.map((given): Command => ({ kind: "unikernel-restart", settings: given })) },
            fc.constantFrom<Command[]>({ kind: "unikernel-restart" }, { kind: "unikernel-destroy" }),
          ),
          levels: fc.constant([]),
          now: time,
        }),
      },
      { weight: 6, arbitrary: answer },
      { weight: 1, arbitrary: end },
    ),
    { maxLength: 40, size: "max" },
  )
  .map((list) => [...devices, ...list]);

const devices: readonly Action[] = (["a", "b"] as Label[]).flatMap((one): readonly Action[] => [
  {
    kind: "ask",
    name: { path: ["a" as Label], label: one },
    command: { kind: "block-add", size: 1, form: "current" },
    levels: [],
    now: 0,
  },
  { kind: "answer", pick: 0, how: well },
]);

export function act(host: FakeHost, done: Action): void {
  switch (done.kind) {
    case "ask":
      host.ask(done.name, done.command, done.levels, done.now);
      return;
    case "answer":
      host.answer(done.pick, done.how);
      return;
    case "end":
      host.end(done.pick, done.status);
      return;
  }
}
