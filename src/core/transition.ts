/**
 * The moves that every change of a unikernel's life is made of.
 *
 * @module
 */
import { undoGrants } from "./delegation.ts";
import type { Happening } from "./happening.ts";
import { releaseMacs } from "./macs.ts";
import type { Name } from "./name.ts";
import type { Refusal } from "./refusal.ts";
import { findUnikernel, putUnikernel, removeUnikernel } from "./resources.ts";
import { backOff } from "./restart.ts";
import type {
  ClientId,
  Effect,
  Incarnation,
  Next,
  Phase,
  Reply,
  State,
  Step,
  StoreChange,
  Unikernel,
  Waits,
} from "./state.ts";
import type { Demand, GrantChange } from "./trie.ts";
import { type BlockAttachment, hostDevice, type Settings } from "./unikernel.ts";

export function find(state: State, name: Name): Unikernel | undefined {
  return findUnikernel(state.resources, name)?.unikernel;
}

/** The state with the unikernel in place of what was known of it; its demand stays. */
export function put(state: State, name: Name, unikernel: Unikernel): State {
  const demand = findUnikernel(state.resources, name)?.demand;
  if (demand === undefined) return state;
  return { ...state, resources: putUnikernel(state.resources, name, { demand, unikernel }) };
}

/** The state with what the unikernel takes set anew: no more than it had. */
export function putDemand(state: State, name: Name, demand: Demand): State {
  const unikernel = find(state, name);
  return unikernel === undefined
    ? state
    : { ...state, resources: putUnikernel(state.resources, name, { demand, unikernel }) };
}

/** Stops a running unikernel, with what is to come then. */
export function stop(state: State, name: Name, unikernel: Unikernel, run: number, next: Next): Step {
  return {
    state: put(state, name, { ...unikernel, phase: { kind: "stopping", run, next } }),
    effects: [{ kind: "stop", name, run }],
  };
}

/** Starts an incarnation; what a previous one that may come back, or a change in preparation, needs stays reserved. */
export function start(state: State, name: Name, unikernel: Unikernel, incarnation: Incarnation, waits: Waits): Step {
  const run = state.counter + 1;
  const phase: Phase = { kind: "starting", run, ...waits };
  const { previous } = waits;
  const { change } = unikernel;
  const own = chargeOf(state, incarnation);
  const coming = change === undefined ? own : largerDemand(own, expectedOf(state, change.config));
  const resources = putUnikernel(state.resources, name, {
    demand: previous === undefined ? coming : largerDemand(chargeOf(state, previous), coming),
    unikernel: { ...unikernel, current: incarnation, phase },
  });
  return { state: { ...state, resources, counter: run }, effects: [{ kind: "start", name, run, incarnation }] };
}

/** Starts what nobody waits for: what it was, or at a start of the daemon what is still to be prepared. */
export function startAgain(state: State, name: Name, unikernel: Unikernel, trial: boolean): Step {
  const { current, change } = unikernel;
  if (current !== undefined) return start(state, name, unikernel, current, { first: false, trial });
  if (change === undefined) return { state, effects: [] };
  const job = state.counter + 1;
  const again = put(state, name, { ...unikernel, phase: { kind: "preparing" }, change: { ...change, job } });
  const { config, image } = change;
  return { state: { ...again, counter: job }, effects: [{ kind: "prepare", name, job, config, image }] };
}

/** Waits for the back-off, then starts again. */
export function wait(state: State, name: Name, unikernel: Unikernel, failures: number, trial: boolean): Step {
  const run = state.counter + 1;
  const next: Unikernel = { ...unikernel, failures, phase: { kind: "waiting", run, trial } };
  return {
    state: { ...put(state, name, next), counter: run },
    effects: [{ kind: "timer", name, run, delay: backOff(failures) }],
  };
}

/** The unikernel is gone, from memory and from disk, before the effects behind it. */
export function removed(state: State, name: Name, unikernel: Unikernel, effects: readonly Effect[]): Step {
  const resources = removeUnikernel(state.resources, name);
  const { current } = unikernel;
  return {
    state: {
      ...state,
      resources: resources.ok ? resources.value : state.resources,
      macs: releaseMacs(state.macs, name, current?.devices ?? []),
    },
    effects: [
      { kind: "commit", changes: [{ kind: "unikernel", name }] },
      ...(current ? [{ kind: "release-image", digest: current.digest } as const] : []),
      ...effects,
    ],
  };
}

/** One effect in front of a step's own. */
export function preceded(effects: readonly Effect[], step: Step): Step {
  return effects.length === 0 ? step : { ...step, effects: [...effects, ...step.effects] };
}

/** The state without the policies that a refused request had brought. */
export function takeBack(state: State, grants: readonly GrantChange[] | undefined): Step {
  const undone = undoGrants(state.resources, grants ?? []);
  return { state: { ...state, resources: undone.resources }, effects: commitGrants(undone.changes) };
}

/** The commit of policies that changed, where any did. */
export function commitGrants(grants: readonly GrantChange[]): readonly Effect[] {
  if (grants.length === 0) return [];
  return [{ kind: "commit", changes: grants.flatMap(storeGrant) }];
}

function storeGrant({ path, after, memories = [] }: GrantChange): readonly StoreChange[] {
  const policy: StoreChange = after === undefined ? { kind: "policy", path } : { kind: "policy", path, grant: after };
  const past = memories.map((memory): StoreChange => {
    return { kind: "past", memory: { ...memory, path: [...path.slice(0, 1), ...memory.path] } };
  });
  return [policy, ...past];
}

export function tell(name: Name, happening: Happening): readonly Effect[] {
  return [{ kind: "tell", name, happening }];
}

export function answer(client: ClientId | undefined, text: string): readonly Effect[] {
  return replies(client === undefined ? [] : [client], { ok: true, success: { kind: "string", text } });
}

export function refuse(client: ClientId | undefined, refusal: Refusal): readonly Effect[] {
  return replies(client === undefined ? [] : [client], { ok: false, refusal });
}

export function replies(clients: readonly ClientId[], reply: Reply): readonly Effect[] {
  return clients.map((client) => ({ kind: "reply", client, reply }));
}

/** What is reserved for what is still to be prepared: only the image tells which tender it needs, so with the largest. */
export function expectedOf({ overheads }: State, settings: Settings): Demand {
  return overheads === undefined ? settings : withMemory(settings, Math.max(0, ...Object.values(overheads)));
}

/** What an incarnation takes, its tender's own included where that is charged. */
export function chargeOf({ overheads }: State, { config, tender }: Incarnation): Demand {
  return withMemory(config, overheads?.[tender.kind] ?? 0);
}

function withMemory(settings: Settings, more: number): Demand {
  const { memory, cpuids, bridges, blocks } = settings;
  return more === 0 ? settings : { memory: memory + more, cpuids, bridges, blocks };
}

/** What one unikernel must be charged with while another is prepared to replace it. */
export function largerDemand(old: Demand, next: Demand): Demand {
  return {
    memory: Math.max(old.memory, next.memory),
    cpuids: next.cpuids,
    bridges: next.bridges,
    blocks: [...next.blocks, ...old.blocks.filter((one) => !next.blocks.some((other) => isSameDevice(one, other)))],
  };
}

function isSameDevice(one: BlockAttachment, other: BlockAttachment): boolean {
  return hostDevice(one) === hostDevice(other);
}
