/**
 * Unikernels of delegates who were taken back, where the host wants them stopped.
 *
 * Nothing is listed anywhere: a unikernel is held exactly while the policy in
 * force at its path, or at one above it, came with a certificate that is
 * revoked. It therefore stays so over a restart, and runs again when a
 * certificate that counts (or a local command) brings a policy for the path, or
 * when a newer list no longer has the old one.
 *
 * @module
 */
import { dropNext, refuseNext } from "./life.ts";
import type { Name, Path } from "./name.ts";
import type { Refusal } from "./refusal.ts";
import { findGrant, listUnikernels, type Resources } from "./resources.ts";
import { unreachable } from "./result.ts";
import { findRevocation, type Revocation } from "./revocation.ts";
import type { Effect, State, Step, Unikernel } from "./state.ts";
import {
  chargeOf,
  find,
  largerDemand,
  preceded,
  put,
  putDemand,
  refuse,
  removed,
  startAgain,
  stop,
  takeBack,
  tell,
} from "./transition.ts";
import { prove } from "./trial.ts";
import { firstTo, walk } from "./trie.ts";

/** Why nothing starts at a path, if nothing does. Costs a look into one list for each policy above it. */
export function heldAt<U>(resources: Resources<U>, revocation: Revocation, path: Path): Refusal | undefined {
  if (!revocation.rules.stop || revocation.lists === undefined) return undefined;
  return firstTo(resources, path, ({ grant }, depth): Refusal | undefined => {
    const at = path.slice(0, depth);
    const why = findRevocation(revocation, at, grant?.certificate);
    return why && { kind: "held", path: at, why };
  });
}

/**
 * Stops what a step made to be held, and starts what it made free.
 *
 * What is refused on the way takes the policies back that it had brought, which may turn others: once more then, and
 * at most as often as something waits to be refused.
 */
export function settleHolds(before: State, step: Step): Step {
  const { rules, lists } = step.state.revocation;
  if (!rules.stop || lists === undefined || step.state.stopping) return step;
  const paths = turned(before, step);
  if (paths.length === 0) return step;
  let settled = step;
  for (const path of paths) {
    for (const { name } of listUnikernels(settled.state.resources, path)) settled = settle(settled, name);
  }
  return settleHolds(step.state, settled);
}

/** The same of all there is, at a start of the daemon. */
export function settleAll(first: Step): Step {
  const { resources, revocation } = first.state;
  if (!revocation.rules.stop || revocation.lists === undefined) return first;
  const free = ({ path }: Name): boolean => heldAt(resources, revocation, path) === undefined;
  const effects = first.effects.filter((effect) => effect.kind !== "prepare" || free(effect.name));
  let settled: Step = { ...first, effects };
  for (const { name } of listUnikernels(resources, [])) settled = settle(settled, name);
  return settled;
}

/** Paths whose policies came to count, or ceased to, by this step. */
function turned(before: State, { state, effects }: Step): readonly Path[] {
  const changed = effects.flatMap((effect) =>
    effect.kind !== "commit" ? [] : effect.changes.flatMap((one) => (one.kind === "policy" ? [one.path] : [])),
  );
  const listed = state.revocation === before.revocation ? [] : grantedPaths(state);
  return [...changed, ...listed].filter((path) => counts(before, path) !== counts(state, path));
}

/** Every path with a policy: a new list is rare, and may be about any. */
function grantedPaths({ resources }: State): readonly Path[] {
  return [...walk(resources, [], { path: (node) => node.grant })].map(([{ path }]) => path);
}

function counts({ resources, revocation }: State, path: Path): boolean {
  return findRevocation(revocation, path, findGrant(resources, path)?.certificate) === undefined;
}

function settle(step: Step, name: Name): Step {
  const { state } = step;
  const unikernel = find(state, name);
  if (unikernel === undefined) return step;
  const refusal = heldAt(state.resources, state.revocation, name.path);
  const next = refusal === undefined ? release(state, name, unikernel) : hold(state, name, unikernel, refusal);
  return preceded(step.effects, next);
}

/** Stops it and what was to come of it; what nothing was ever started for is refused and gone. */
function hold(before: State, name: Name, unikernel: Unikernel, refusal: Refusal): Step {
  const { state, effects, rest } = cancel(before, name, unikernel, refusal);
  const { phase } = rest;
  switch (phase.kind) {
    case "held":
      return { state, effects };
    case "running":
      return preceded(effects, stop(state, name, rest, phase.run, { kind: "hold" }));
    case "trying": {
      // It has run, and its client is told so.
      const proved = prove(state, name, rest, phase);
      const next = stop(proved.state, name, rest, phase.run, { kind: "hold" });
      return preceded([...effects, ...proved.effects], next);
    }
    case "starting":
    case "stopping": {
      const ending = phase.next?.kind === "destroy" || phase.next?.kind === "hold";
      const next = ending ? rest : { ...rest, phase: { ...phase, next: { kind: "hold" } as const } };
      return { state: put(state, name, next), effects };
    }
    case "preparing":
    case "waiting":
      if (rest.change === undefined && rest.current === undefined) return removed(state, name, rest, effects);
      return { state: put(state, name, { ...rest, phase: { kind: "held" } }), effects: [...effects, ...told(name)] };
    default:
      return unreachable(phase);
  }
}

interface Cancelled extends Step {
  readonly rest: Unikernel;
}

/** Refuses whoever waits for a change of the unikernel; one of the daemon's own start waits on. */
function cancel(before: State, name: Name, unikernel: Unikernel, refusal: Refusal): Cancelled {
  const { change, ...rest } = unikernel;
  const { phase } = rest;
  if (change !== undefined && change.client === undefined) {
    // What is being prepared now is not for this job any more.
    const job = before.counter + 1;
    return { state: { ...before, counter: job }, effects: [], rest: { ...rest, change: { ...change, job } } };
  }
  const next = "next" in phase && phase.next?.kind !== "destroy" ? phase.next : undefined;
  const { state, effects } = takeBack(before, (change ?? (next?.kind === "hold" ? undefined : next))?.grants);
  const refused = [...effects, ...refuse(change?.client, refusal), ...refuseNext(next, refusal)];
  return { state: shrink(dropNext(state, name, next), name, rest), effects: refused, rest };
}

/** What was reserved for the change is free again. */
function shrink(state: State, name: Name, { current, phase }: Unikernel): State {
  if (current === undefined) return state;
  const own = chargeOf(state, current);
  const previous = "previous" in phase ? phase.previous : undefined;
  return putDemand(state, name, previous === undefined ? own : largerDemand(chargeOf(state, previous), own));
}

/** Starts it, or lets it run on where it has not stopped yet. */
function release(state: State, name: Name, unikernel: Unikernel): Step {
  const { phase } = unikernel;
  if (phase.kind === "held") return startAgain(state, name, { ...unikernel, failures: 0 }, true);
  if (!("next" in phase) || phase.next?.kind !== "hold") return { state, effects: [] };
  if (phase.kind === "stopping") {
    const next = { kind: "restart", grants: [] } as const;
    return { state: put(state, name, { ...unikernel, phase: { ...phase, next } }), effects: [] };
  }
  const { next: _, ...starting } = phase;
  return { state: put(state, name, { ...unikernel, phase: starting }), effects: [] };
}

function told(name: Name): readonly Effect[] {
  return tell(name, { kind: "held" });
}
