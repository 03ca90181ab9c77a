/**
 * A tender that does not end, not even by SIGKILL: the kernel holds it, in a
 * read of a broken disk perhaps. Nobody waits for it any longer than that took
 * to find out; what was asked for last still comes once it has ended.
 *
 * @module
 */
import type { Name } from "./name.ts";
import type { Refusal } from "./refusal.ts";
import { putUnikernel } from "./resources.ts";
import { unreachable } from "./result.ts";
import type { Event, Phase, State, Step, Unikernel } from "./state.ts";
import { chargeOf, find, put, refuse, replies, takeBack } from "./transition.ts";
import { dropMacs, released } from "./trial.ts";

type Stopping = Extract<Phase, { kind: "stopping" }>;

/** It was told to stop, and killed, and is still there. */
export function stopFailed(state: State, { name, run }: Extract<Event, { kind: "stop-failed" }>): Step {
  const unikernel = find(state, name);
  const refusal: Refusal = { kind: "unikernel-unkillable", name };
  if (unikernel?.phase.kind === "trying" && unikernel.phase.run === run) {
    const { client, ...phase } = unikernel.phase;
    return { state: put(state, name, { ...unikernel, phase }), effects: refuse(client, refusal) };
  }
  if (unikernel?.phase.kind !== "stopping" || unikernel.phase.run !== run) return { state, effects: [] };
  const { phase } = unikernel;
  switch (phase.next.kind) {
    case "hold":
      return { state: stick(state, name, unikernel, phase), effects: [] };
    case "destroy":
      return {
        state: stick(state, name, unikernel, { ...phase, next: { kind: "destroy", clients: [] } }),
        effects: replies(phase.next.clients, { ok: false, refusal }),
      };
    case "restart":
    case "replace": {
      const { next } = phase;
      const undone = takeBack(state, next.grants);
      const effects = [...undone.effects, ...refuse(next.client, refusal)];
      const dropped = next.kind === "replace" ? drop(undone.state, name, unikernel, next) : undone.state;
      return {
        state: stick(dropped, name, unikernel, { ...phase, next: { kind: "restart" } }),
        effects: next.kind === "replace" ? [...effects, ...released(next.incarnation)] : effects,
      };
    }
    default:
      return unreachable(phase.next);
  }
}

function stick(state: State, name: Name, unikernel: Unikernel, phase: Stopping): State {
  return put(state, name, { ...unikernel, phase: { ...phase, stuck: true } });
}

/** The replacement will not come: what it would have taken is free. */
function drop(
  state: State,
  name: Name,
  unikernel: Unikernel,
  { incarnation }: Extract<Stopping["next"], { kind: "replace" }>,
): State {
  const { current } = unikernel;
  if (current === undefined) return state;
  const resources = putUnikernel(state.resources, name, { demand: chargeOf(state, current), unikernel });
  return dropMacs({ ...state, resources }, name, incarnation, current);
}
