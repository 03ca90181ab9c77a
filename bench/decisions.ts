/**
 * How long a decision takes, by how much there is on the host.
 *
 * The state is persistent: each measured step starts from the same state, and
 * what comes of it is thrown away.
 *
 * @module
 */
import { boot } from "../src/core/boot.ts";
import type { Command } from "../src/core/command.ts";
import { type Label, type Name, type Path, parseLabel } from "../src/core/name.ts";
import { type Policy, unlimited } from "../src/core/policy.ts";
import type { State } from "../src/core/state.ts";
import { step } from "../src/core/supervisor.ts";
import type { UnikernelConfig } from "../src/core/unikernel.ts";

/** One measured kind of work. */
export interface Figure {
  readonly bench: string;
  /** Unikernels, and as many policies, on the host. */
  readonly size: number;
  /** Microseconds, the median of `rounds` rounds. */
  readonly micros: number;
  readonly perSecond: number;
}

/** Requests of chains of three, at each size: known ones, and one that brings a policy of its own. */
export function measureDecisions(sizes: readonly number[]): readonly Figure[] {
  return sizes.flatMap((size) => {
    const state = crowded(size);
    const name: Name = { path: [label("tenant0"), label("team7")], label: label("another") };
    const stranger: Name = { ...name, path: [label("tenant0"), label("newcomers")] };
    const big: Command = { ...create, config: { ...config, memory: 1_000_000 } };
    return [
      figure("create, accepted", size, () => ask(state, name, create)),
      figure("create, refused", size, () => ask(state, name, big)),
      figure("create, below a new delegation", size, () => ask(state, stranger, create)),
      figure("info of one", size, () => ask(state, name, { kind: "unikernel-info", form: "current" })),
    ];
  });
}

function ask(state: State, name: Name, command: Command): void {
  const levels = name.path.map((at) => ({
    label: at,
    policy,
    notBefore: 1,
    notAfter: 2,
    fingerprint: new Uint8Array(32),
  }));
  step(state, { kind: "request", client: 1, now: 2, request: { name, command, levels } });
}

/** A host with `size` unikernels and policies, a hundred to a tenant, ten of these to a team. */
function crowded(size: number): State {
  const host: Policy = { ...policy, unikernels: unlimited, memory: unlimited };
  const paths = new Map<string, Path>();
  const unikernels = Array.from({ length: size }, (_, index) => {
    const path = [label(`tenant${Math.floor(index / 100)}`), label(`team${Math.floor(index / 10)}`)];
    paths.set(path.join(":"), path);
    return { name: { path, label: label(`vm${index}`) }, record: { config, digest: new Uint8Array(32) } };
  });
  const tenants = Array.from({ length: Math.ceil(size / 100) }, (_, index): Path => [label(`tenant${index}`)]);
  const filler = Array.from(
    { length: size - paths.size - tenants.length },
    (_, index): Path => [label(`other${index}`)],
  );
  const policies = [...paths.values(), ...tenants, ...filler].map((path) => ({ path, policy, notBefore: 1 }));
  return boot(host, { policies, unikernels, past: [], blocks: [] }).state;
}

function figure(bench: string, size: number, work: () => void): Figure {
  const rounds = Array.from({ length: roundCount }, () => {
    const before = process.hrtime.bigint();
    for (let index = 0; index < perRound; index++) work();
    return Number(process.hrtime.bigint() - before) / perRound / 1000;
  });
  const micros = rounds.toSorted((a, b) => a - b)[Math.floor(roundCount / 2)] ?? 0;
  return { bench, size, micros, perSecond: 1_000_000 / micros };
}

function label(text: string): Label {
  const parsed = parseLabel(text);
  if (!parsed.ok) throw new Error(`not a label: ${text}`);
  return parsed.value;
}

const policy: Policy = { unikernels: 1000, cpuids: [0, 1], memory: 100_000, block: 1000, bridges: ["service"] };
const config: UnikernelConfig = {
  typ: "solo5",
  failBehaviour: { kind: "quit" },
  addName: true,
  cpuids: [0],
  memory: 32,
  blocks: [],
  bridges: [{ netif: "service" }],
  cpus: 1,
};
const create: Extract<Command, { kind: "unikernel-create" }> = {
  kind: "unikernel-create",
  config,
  image: { compressed: false, bytes: new Uint8Array(0) },
  replace: false,
};
const roundCount = 21;
const perRound = 2000;
