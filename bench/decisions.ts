/**
 * How long a decision takes, by how much there is on the host.
 *
 * The state is persistent: each measured step starts from the same state, and
 * what comes of it is thrown away.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { boot } from "../src/core/boot.ts";
import type { Command } from "../src/core/command.ts";
import { type Label, type Name, type Path, parseLabel } from "../src/core/name.ts";
import { type Policy, unlimited } from "../src/core/policy.ts";
import type { Event, State } from "../src/core/state.ts";
import { step } from "../src/core/supervisor.ts";
import type { UnikernelConfig } from "../src/core/unikernel.ts";
import { collectAll } from "../src/host/collect.ts";

/** One measured kind of work. */
export interface Figure {
  readonly bench: string;
  /** Unikernels, and as many policies, on the host. */
  readonly size: number;
  /** Microseconds of processor time, the least of `roundCount` rounds: what else the machine does is not ours. */
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
    const measure = (bench: string, ...events: readonly Event[]): Figure => figure(bench, size, state, events);
    // Far apart from one to the next, so that hardly any finds what it needs in the processor's caches.
    const everywhere = Array.from({ length: perRound }, (_, index) =>
      request({ ...name, path: pathOf((index * 7919) % size) }, create),
    );
    // What setting up left behind is nobody's request.
    collectAll();
    return [
      measure("create, accepted", request(name, create)),
      measure("create, accepted, anywhere", ...everywhere),
      measure("create, refused", request(name, big)),
      measure("create, below a new delegation", request(stranger, create)),
      measure("info of one", request(name, { kind: "unikernel-info", form: "current" })),
    ];
  });
}

function request(name: Name, command: Command): Event {
  const rest = { policy, notBefore: 1, notAfter: 2, fingerprint: new Uint8Array(32) };
  const levels = name.path.map((at) => ({ label: at, ...rest }));
  return { kind: "request", client: 1, now: 2, request: { name, command, levels } };
}

/** A host with `size` unikernels and policies, a hundred to a tenant, which all run its image, ten of these to a team. */
function crowded(size: number): State {
  const host: Policy = { ...policy, unikernels: unlimited, memory: unlimited };
  const paths = new Map<string, Path>();
  const unikernels = Array.from({ length: size }, (_, index) => {
    const path = pathOf(index);
    paths.set(path.join(":"), path);
    const digest = sha256(`image of ${path[0]}`);
    return { name: { path, label: label(`vm${index}`) }, record: { config, digest } };
  });
  const tenants = Array.from({ length: Math.ceil(size / 100) }, (_, index): Path => [label(`tenant${index}`)]);
  const filler = Array.from(
    { length: size - paths.size - tenants.length },
    (_, index): Path => [label(`other${index}`)],
  );
  const policies = [...paths.values(), ...tenants, ...filler].map((path) => ({ path, policy, notBefore: 1 }));
  return boot(host, { policies, unikernels, past: [], blocks: [] }).state;
}

/** Where a unikernel is. */
function pathOf(index: number): Path {
  return [label(`tenant${Math.floor(index / 100)}`), label(`team${Math.floor(index / 10)}`)];
}

function figure(bench: string, size: number, state: State, events: readonly Event[]): Figure {
  const rounds = Array.from({ length: roundCount }, () => {
    const before = process.cpuUsage();
    for (let done = 0; done < perRound; done += events.length) for (const event of events) step(state, event);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / perRound;
  });
  const micros = Math.min(...rounds);
  return { bench, size, micros, perSecond: 1_000_000 / micros };
}

function sha256(text: string): Uint8Array {
  return Uint8Array.from(createHash("sha256").update(text).digest());
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
const perRound = 5000;
