/**
 * The first moments of a start that matters to what was there before: a
 * replacement, a restart, a start with the daemon. Until it has proved that it
 * can run, the store keeps what it replaces, and that comes back if it cannot.
 *
 * A unikernel that was never there before has no trial: its reply tells that
 * its tender started.
 *
 * @module
 */
import { claimMacs, releaseMacs } from "./macs.ts";
import type { Name } from "./name.ts";
import type { Refusal } from "./refusal.ts";
import { putUnikernel } from "./resources.ts";
import type { Effect, Event, Incarnation, Phase, State, Step, Unikernel, Waits } from "./state.ts";
import { answer, chargeOf, find, preceded, put, refuse, removed, start, takeBack, tell, wait } from "./transition.ts";

export type Starting = Extract<Phase, { kind: "starting" }>;
export type Trying = Extract<Phase, { kind: "trying" }>;

/** The tender runs: a trial begins, or where there is none it is there. */
export function enter(state: State, name: Name, unikernel: Unikernel, phase: Starting, now: number): Step {
  const { run, client, previous, grants, trial, first, cause, health } = phase;
  const happened = tell(name, { kind: first || previous !== undefined ? "created" : "restarted" });
  if (!trial) {
    const running: Unikernel = { ...unikernel, started: now, phase: { kind: "running", run } };
    return { state: put(state, name, running), effects: [...answer(client, "created unikernel"), ...happened] };
  }
  const waits = cause !== undefined || client === undefined ? {} : { client };
  const trying: Phase = {
    kind: "trying",
    run,
    first,
    ...(health === undefined ? {} : { health }),
    ...waits,
    ...(previous === undefined ? {} : { previous }),
    ...(grants === undefined ? {} : { grants }),
  };
  const { current } = unikernel;
  const asked = health === undefined ? {} : { health, ...(current === undefined ? {} : { incarnation: current }) };
  const told = cause === undefined ? [] : refuse(client, { kind: "start-failed", cause, outcome: "old-runs" });
  return {
    state: put(state, name, { ...unikernel, started: now, phase: trying }),
    effects: [...told, ...happened, { kind: "trial", name, run, since: now, ...asked }],
  };
}

/** It can run: what it replaced goes. */
export function prove(state: State, name: Name, unikernel: Unikernel, phase: Trying): Step {
  const settled = settle(state, name, unikernel, phase);
  return {
    state: put(settled.state, name, { ...unikernel, phase: { kind: "running", run: phase.run } }),
    effects: [...settled.effects, ...answer(phase.client, "created unikernel")],
  };
}

/** It stands, or is to go without what it replaced: record, addresses and demand are its own from now on. */
export function settle(state: State, name: Name, unikernel: Unikernel, phase: Starting | Trying): Step {
  const { current } = unikernel;
  const { previous } = phase;
  if (current === undefined) return { state, effects: [] };
  const record = { config: current.config, digest: current.digest };
  const commit: Effect = { kind: "commit", changes: [{ kind: "unikernel", name, record }] };
  if (previous === undefined) return { state, effects: isUnwritten(phase) ? [commit] : [] };
  const resources = putUnikernel(state.resources, name, { demand: chargeOf(state, current), unikernel });
  return {
    state: dropMacs({ ...state, resources }, name, previous, current),
    effects: [commit, ...released(previous)],
  };
}

/** Whether the store knows nothing of it yet: a first start that is to show its health is forgotten with its daemon. */
export function isUnwritten({ first, health }: Pick<Waits, "first" | "health">): boolean {
  return first && health !== undefined;
}

/** It is not healthy: it is stopped, and fails then. */
export function unhealthy(state: State, { name, run, fault }: Extract<Event, { kind: "unhealthy" }>): Step {
  const unikernel = find(state, name);
  const phase = unikernel?.phase;
  if (unikernel === undefined || phase?.kind !== "trying" || phase.run !== run || state.stopping)
    return { state, effects: [] };
  const within = phase.health?.within ?? 0;
  const failed: Refusal = { kind: "unhealthy", within, ...(fault === undefined ? {} : { fault }) };
  return {
    state: put(state, name, { ...unikernel, phase: { ...phase, failed } }),
    effects: [{ kind: "stop", name, run }],
  };
}

/**
 * It cannot run: what ran before comes back, a first start is forgotten, any other is tried again after a while.
 *
 * @param cause - why
 */
export function fail(before: State, name: Name, unikernel: Unikernel, phase: Starting | Trying, cause: Refusal): Step {
  const { client, previous, grants } = phase;
  const { state, effects } = takeBack(before, grants);
  const { current } = unikernel;
  if (previous !== undefined) {
    const restored = current === undefined ? state : dropMacs(state, name, current, previous);
    if (phase.kind === "starting" && phase.next?.kind === "hold") {
      const held: Unikernel = { ...unikernel, current: previous, phase: { kind: "held" } };
      const resources = putUnikernel(restored.resources, name, {
        demand: chargeOf(restored, previous),
        unikernel: held,
      });
      const told = [...refuse(client, cause), ...tell(name, { kind: "held" })];
      return { state: { ...restored, resources }, effects: [...effects, ...released(current), ...told] };
    }
    const waits = client === undefined ? {} : { client, cause };
    return preceded(
      [...effects, ...released(current)],
      start(restored, name, unikernel, previous, { ...waits, first: false, trial: true }),
    );
  }
  if (phase.first) return removed(state, name, unikernel, [...effects, ...refuse(client, cause)]);
  const earlier = phase.kind === "starting" ? phase.cause : undefined;
  const refusal = { kind: "start-failed", cause: earlier ?? cause, outcome: earlier ? "old-waits" : "waits" } as const;
  const waiting = wait(state, name, unikernel, unikernel.failures + 1, phase.kind === "trying" || phase.trial);
  return preceded([...effects, ...refuse(client, refusal)], waiting);
}

/** The state with the addresses of `kept` alone, of those that `gone` and `kept` had together. */
export function dropMacs(state: State, name: Name, gone: Incarnation, kept: Incarnation | undefined): State {
  const rest = releaseMacs(state.macs, name, gone.devices);
  const claimed = claimMacs(rest, name, kept?.devices ?? []);
  return { ...state, macs: claimed.ok ? claimed.value : rest };
}

export function released(incarnation: Incarnation | undefined): readonly Effect[] {
  return incarnation === undefined ? [] : [{ kind: "release-image", digest: incarnation.digest }];
}
