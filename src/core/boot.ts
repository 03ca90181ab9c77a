/**
 * The supervisor's first state: what was stored, what the host has, and what an
 * earlier daemon left running on it.
 *
 * The store says what there is to be; what is found only says whether it runs
 * already. A guest is adopted if it is what the store means by its name. One
 * that ended while nobody looked ends now. Everything else is cleared away, and
 * what is stored starts, in the order of its startup.
 *
 * @module
 */
import { type Bounds, defaultBounds, putGrant } from "./delegation.ts";
import { settleAll } from "./hold.ts";
import { exited } from "./life.ts";
import type { Lock, Locks } from "./lock.ts";
import { claimMacs } from "./macs.ts";
import { type Name, type Path, printName, printPath } from "./name.ts";
import { insert } from "./ordered_map.ts";
import { type Memory, putMemory } from "./past.ts";
import type { Policy } from "./policy.ts";
import { empty, putBlock, putUnikernel, type Resources } from "./resources.ts";
import { couldNotStart, type ExitStatus, trialTime } from "./restart.ts";
import { type CertificateId, type KeptList, type Revocation, type RevocationRules, usualRules } from "./revocation.ts";
import { sharing } from "./sharing.ts";
import type { Effect, Incarnation, Phase, State, Step, StoredUnikernel, Unikernel } from "./state.ts";
import { chargeOf, expectedOf } from "./transition.ts";
import { type Demand, updateAt, withPast } from "./trie.ts";

export interface Stored {
  readonly policies: readonly {
    readonly path: Path;
    readonly policy: Policy;
    readonly notBefore: number;
    readonly certificate?: CertificateId | undefined;
  }[];
  /** Of policies that went; paths begin at the root. */
  readonly past?: readonly Memory[];
  /** `macs`: as in `Prepared`; absent: it has no bridge. */
  readonly unikernels: readonly {
    readonly name: Name;
    readonly record: StoredUnikernel;
    readonly macs?: readonly Uint8Array[];
  }[];
  /** What the host charges for tenders, where it does. */
  readonly overheads?: State["overheads"];
  /** Found in the block directory; sizes in MB. */
  readonly blocks: readonly { readonly name: Name; readonly size: number }[];
  readonly locks?: readonly Lock[];
  readonly lists?: readonly KeptList[];
}

/** A guest that an earlier daemon left on the host. */
export interface Found {
  readonly name: Name;
  /** Absent where it cannot be told. */
  readonly incarnation?: Incarnation;
  /** Ms since the Unix epoch. */
  readonly started?: number;
  /** Whether it was told to end: its end then says nothing about what should become of it. */
  readonly stopping: boolean;
  /** How and when, ms since the Unix epoch, it ended; absent while it runs. */
  readonly end?: { readonly status: ExitStatus; readonly at: number };
}

/** What becomes of a stored unikernel. */
export type Fate =
  /** It runs, and nobody notices anything. */
  | { readonly kind: "adopt"; readonly incarnation: Incarnation }
  /** It ran, and ended while nobody looked. */
  | { readonly kind: "end"; readonly incarnation: Incarnation; readonly status: ExitStatus; readonly at: number }
  /** It is started, once what was found in its place is gone. */
  | { readonly kind: "start" };

export interface Boot extends Step {
  /** Done before anybody is served. */
  readonly before: readonly Effect[];
}

/** Reserves all that was stored, asking no policy: what was there stays. Its images are held from the start. */
export function boot(
  host: Policy,
  stored: Stored,
  found: readonly Found[] = [],
  rules: RevocationRules = usualRules,
  bounds: Bounds = defaultBounds,
): Boot {
  const digestOf = sharing((digest: Uint8Array) => digest.join());
  const inOrder = stored.unikernels.toSorted((a, b) => startup(a.record) - startup(b.record));
  const guests = new Map(found.map((one) => [printName(one.name), one]));
  const trust = { revocation: revocationOf(stored, rules), locks: locksOf(stored) };
  const charges = stored.overheads === undefined ? {} : { overheads: stored.overheads };
  let state: State = {
    resources: reserve(host, stored),
    macs: undefined,
    counter: 0,
    stopping: false,
    bounds,
    ...charges,
    ...trust,
  };
  const holds: Effect[] = [];
  const before: Effect[] = [];
  const effects: Effect[] = [];
  for (const { name, record: read, macs = none } of inOrder) {
    const record = { config: read.config, digest: digestOf(read.digest) };
    const guest = guests.get(printName(name));
    guests.delete(printName(name));
    holds.push({ kind: "hold-image", digest: record.digest });
    const fate = fateOf(record, guest);
    state =
      fate.kind === "start"
        ? prepare(state, name, record, macs)
        : resume(state, name, { ...fate.incarnation, ...record }, guest);
    const { counter: number } = state;
    if (fate.kind === "adopt") before.push({ kind: "adopt", name, run: number });
    else if (fate.kind === "start") {
      const image = { kind: "stored", digest: record.digest } as const;
      effects.push({ kind: "prepare", name, job: number, config: record.config, image });
      if (guest !== undefined) before.push({ kind: "discard", name });
    } else {
      const ended = exited(state, { kind: "exited", name, run: number, status: fate.status, now: fate.at });
      ({ state } = ended);
      effects.push(...ended.effects, { kind: "discard", name });
    }
  }
  for (const { name } of guests.values()) before.push({ kind: "discard", name });
  const settled = settleAll({ state, effects });
  // Whoever is served may make anew what is gone: what is stored of it then must not go behind that.
  const isCommit = ({ kind }: Effect): boolean => kind === "commit";
  return {
    state: settled.state,
    before: [...holds, ...before, ...settled.effects.filter(isCommit)],
    effects: settled.effects.filter((effect) => !isCommit(effect)),
  };
}

/** What is found decides only where it is what is stored, and ended of its own accord, having shown that it can run. */
export function fateOf(record: StoredUnikernel, found: Found | undefined): Fate {
  const { incarnation, end, started = 0, stopping = false } = found ?? {};
  if (incarnation === undefined || stopping || !isOf(record, incarnation)) return { kind: "start" };
  if (end === undefined) return { kind: "adopt", incarnation };
  const atOnce = couldNotStart(end.status) && end.at - started < trialTime;
  return atOnce || end.status.kind === "unknown" ? { kind: "start" } : { kind: "end", incarnation, ...end };
}

function isOf({ config, digest }: StoredUnikernel, incarnation: Incarnation): boolean {
  return sameValue(digest, incarnation.digest) && sameValue(config, incarnation.config);
}

function reserve(host: Policy, { policies, past = [], blocks }: Stored): Resources<Unikernel> {
  const first = { policy: host, notBefore: 0, used: 0, shared: true, certificate: undefined };
  let resources: Resources<Unikernel> = putGrant(empty, [], first);
  const policyOf = sharing((policy: Policy) => JSON.stringify(policy));
  for (const { path, policy, notBefore, certificate } of policies) {
    const grant = { policy: policyOf(policy), notBefore, used: 0, shared: true, certificate };
    if (path.length > 0) resources = putGrant(resources, path, grant);
  }
  for (const { path, kind, time } of past) {
    const memory = { path: path.slice(1), kind, time };
    resources = updateAt(resources, path.slice(0, 1), (node) => withPast(node, putMemory(node.past, memory)));
  }
  for (const { name, size } of blocks) resources = putBlock(resources, name, { size, state: "ready" });
  return resources;
}

function prepare(state: State, name: Name, { config, digest }: StoredUnikernel, macs: readonly Uint8Array[]): State {
  const job = state.counter + 1;
  const change = { job, config, image: { kind: "stored", digest }, grants: none, macs } as const;
  return enter({ ...state, counter: job }, name, expectedOf(state, config), { phase: preparing, failures: 0, change });
}

/** It runs, as far as the state goes. `current` says what is stored, and is made of it: neither is kept twice. */
function resume(state: State, name: Name, current: Incarnation, guest: Found | undefined): State {
  const run = state.counter + 1;
  const macs = claimMacs(state.macs, name, current.devices);
  const since = guest?.started === undefined ? {} : { started: guest.started };
  const unikernel: Unikernel = { current, phase: { kind: "running", run }, failures: 0, ...since };
  const claimed = { ...state, counter: run, macs: macs.ok ? macs.value : state.macs };
  return enter(claimed, name, chargeOf(state, current), unikernel);
}

function enter(state: State, name: Name, demand: Demand, unikernel: Unikernel): State {
  return { ...state, resources: putUnikernel(state.resources, name, { demand, unikernel }) };
}

/** Whether two values of records, lists and bytes say the same. */
function sameValue(a: unknown, b: unknown): boolean {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  const [left, right] = [new Map(Object.entries(a)), new Map(Object.entries(b))];
  return (
    left.size === right.size && [...left].every(([key, value]) => right.has(key) && sameValue(value, right.get(key)))
  );
}

function revocationOf({ lists = [] }: Stored, rules: RevocationRules): Revocation {
  let all: Revocation["lists"];
  for (const kept of lists) all = insert(all, kept.list.authority, kept);
  return { rules, lists: all };
}

function locksOf({ locks = [] }: Stored): Locks {
  let all: Locks;
  for (const lock of locks) all = insert(all, printPath(lock.path), lock);
  return all;
}

function startup({ config }: StoredUnikernel): number {
  return config.startup ?? defaultStartup;
}

const preparing: Phase = { kind: "preparing" };

const none: readonly never[] = [];

/** Between the first (0) and the last, as albatross counts an absent startup. */
const defaultStartup = 50;
