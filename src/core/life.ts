/**
 * The starts and ends of one unikernel, and its destruction.
 *
 * Destroy always wins: whoever else waits is told so, and everyone who asked to
 * destroy is answered. What ran and cannot be replaced comes back.
 *
 * @module
 */

import { bootHold, occupied } from "./change.ts";
import { claimMacs, releaseMacs } from "./macs.ts";
import type { Name } from "./name.ts";
import type { Refusal } from "./refusal.ts";
import { putUnikernel } from "./resources.ts";
import { backOff, countFailure, type ExitStatus, guestStatus, refusedName, shouldRestart } from "./restart.ts";
import { err, ok, type Result, unreachable } from "./result.ts";
import type { Attached, ClientId, Effect, Event, Incarnation, Next, State, Step, Unikernel } from "./state.ts";
import {
  answer,
  demandOf,
  find,
  preceded,
  put,
  refuse,
  removed,
  replies,
  start,
  startAgain,
  stop,
  takeBack,
  tell,
  wait,
} from "./transition.ts";
import type { GrantChange } from "./trie.ts";

type Of<K extends Event["kind"]> = Extract<Event, { kind: K }>;

/** The tender runs. */
export function started(state: State, event: Of<"started">): Step {
  const { name, run, now } = event;
  const unikernel = find(state, name);
  if (unikernel?.phase.kind !== "starting" || unikernel.phase.run !== run) return { state, effects: [] };
  const { client, previous, next, first } = unikernel.phase;
  const replaced = previous === undefined ? state : settle(state, name, unikernel, previous);
  const happening = { kind: first || previous !== undefined ? "created" : "restarted" } as const;
  const effects = [...answer(client, "created unikernel"), ...released(previous), ...tell(name, happening)];
  if (next !== undefined) return preceded(effects, stop(replaced, name, unikernel, run, next));
  const running: Unikernel = { ...unikernel, started: now, phase: { kind: "running", run } };
  return { state: put(replaced, name, running), effects };
}

/** The host could not start it: what ran before comes back, a first start is forgotten, any other tried again. */
export function startFailed(before: State, event: Of<"start-failed">): Step {
  const { name, run, refusal } = event;
  const unikernel = find(before, name);
  if (unikernel?.phase.kind !== "starting" || unikernel.phase.run !== run) return { state: before, effects: [] };
  const { client, previous, next, first, grants } = unikernel.phase;
  const { state, effects } = takeBack(before, grants);
  const refused = [...effects, ...refuse(client, refusal)];
  const back = next?.kind === "hold" && (first || previous !== undefined);
  if (next !== undefined && !back) {
    const without = previous === undefined ? state : keepMacs(state, name, previous, unikernel.current);
    return preceded([...refused, ...released(previous)], proceed(without, name, unikernel, next));
  }
  if (previous !== undefined) return preceded(refused, comeBack(state, name, unikernel, previous, next));
  if (first) return removed(state, name, unikernel, refused);
  return preceded(refused, wait(state, name, unikernel, unikernel.failures + 1));
}

/** The tender ended, by itself or because it was told to. While the daemon stops, the next one judges the former. */
export function exited(state: State, event: Of<"exited">): Step {
  const { name, run, now } = event;
  const unikernel = find(state, name);
  const { phase } = unikernel ?? {};
  if (unikernel === undefined || phase === undefined || !("run" in phase) || phase.run !== run) {
    return { state, effects: [] };
  }
  const status = guestStatus(unikernel.current?.tender.kind ?? "hvt", event.status);
  const seen = { ...unikernel, lastExit: status };
  if (phase.kind === "stopping") return proceed(state, name, seen, phase.next);
  if (phase.kind === "running" && !state.stopping) return ended(state, name, seen, status, now - (seen.started ?? now));
  return { state, effects: [] };
}

/** The back-off is over. */
export function due(state: State, event: Of<"due">): Step {
  const { name, run } = event;
  const unikernel = find(state, name);
  if (unikernel?.phase.kind !== "waiting" || unikernel.phase.run !== run || state.stopping)
    return { state, effects: [] };
  return startAgain(state, name, unikernel);
}

/** Stops it and starts it as it is. */
export function restart(
  state: State,
  name: Name,
  unikernel: Unikernel,
  asked: { readonly client: ClientId; readonly grants: readonly GrantChange[] },
): Result<Step, Refusal> {
  const doing = occupied(unikernel);
  if (doing !== undefined) return err({ kind: "unikernel-busy", name, doing });
  const { phase, current } = unikernel;
  if (phase.kind === "running") return ok(stop(state, name, unikernel, phase.run, { kind: "restart", ...asked }));
  if (current === undefined) return err({ kind: "unikernel-busy", name, doing: "create" });
  return ok(start(state, name, { ...unikernel, failures: 0 }, current, { ...asked, first: false }));
}

/** Stops it, or where nothing runs takes it away at once. */
export function destroy(before: State, name: Name, unikernel: Unikernel, client: ClientId): Step {
  const { change, ...rest } = unikernel;
  const { phase } = rest;
  const next =
    "next" in phase && phase.next?.kind !== "destroy" && phase.next?.kind !== "hold" ? phase.next : undefined;
  const { state, effects } = takeBack(before, (change ?? next)?.grants);
  const overtaken = [
    ...effects,
    ...refuse(change?.client, { kind: "overtaken-by-destroy", name }),
    ...(change ? bootHold(change) : []),
  ];
  switch (phase.kind) {
    case "preparing":
      return removed(state, name, rest, [...overtaken, ...answer(client, "destroyed unikernel")]);
    case "held":
      return removed(state, name, rest, [
        ...overtaken,
        ...answer(client, "destroyed unikernel"),
        ...tell(name, { kind: "destroyed" }),
      ]);
    case "waiting":
      return removed(state, name, rest, [
        ...overtaken,
        ...answer(client, "destroyed: removed from restarting"),
        ...tell(name, { kind: "destroyed" }),
      ]);
    case "running":
      return preceded(overtaken, stop(state, name, rest, phase.run, { kind: "destroy", clients: [client] }));
    case "starting":
    case "stopping": {
      const others = phase.next?.kind === "destroy" ? phase.next.clients : [];
      const next: Next = { kind: "destroy", clients: [...others, client] };
      return {
        state: put(dropNext(state, name, phase.next), name, { ...rest, phase: { ...phase, next } }),
        effects: [...overtaken, ...refuseNext(name, phase.next, rest.current, { kind: "overtaken-by-destroy", name })],
      };
    }
    default:
      return unreachable(phase);
  }
}

/** What was to come once the tender had ended. */
function proceed(state: State, name: Name, unikernel: Unikernel, next: Next): Step {
  const { current } = unikernel;
  switch (next.kind) {
    case "destroy":
      return removed(state, name, unikernel, [
        ...replies(next.clients, { ok: true, success: { kind: "string", text: "destroyed unikernel" } }),
        ...tell(name, { kind: "destroyed" }),
      ]);
    case "hold":
      return {
        state: put(state, name, { ...unikernel, phase: { kind: "held" } }),
        effects: tell(name, { kind: "held" }),
      };
    case "restart": {
      if (current === undefined) return { state, effects: [] };
      const { kind: _, ...asked } = next;
      return start(state, name, { ...unikernel, failures: 0 }, current, { ...asked, first: false });
    }
    case "replace": {
      const { kind: _, incarnation, ...asked } = next;
      const previous = current === undefined ? {} : { previous: current };
      return start(state, name, { ...unikernel, failures: 0 }, incarnation, { ...asked, ...previous, first: false });
    }
    default:
      return unreachable(next);
  }
}

/** It ended by itself: once more without its name, again after a while, or not at all. */
function ended(state: State, name: Name, unikernel: Unikernel, status: ExitStatus, lived: number): Step {
  const { current, change } = unikernel;
  if (current === undefined) return { state, effects: [] };
  const { config } = current;
  if (refusedName(config.addName, status)) {
    const nameless = { ...current, config: { ...config, addName: false } };
    const record = { config: nameless.config, digest: current.digest };
    return preceded(
      [{ kind: "commit", changes: [{ kind: "unikernel", name, record }] }],
      start(state, name, unikernel, nameless, { first: false }),
    );
  }
  const failures = countFailure(unikernel.failures, lived);
  if (shouldRestart(config.failBehaviour, status)) {
    const delay = backOff(failures);
    return preceded(tell(name, { kind: "ended", status, failures, delay }), wait(state, name, unikernel, failures));
  }
  const told = tell(name, { kind: "ended", status, failures });
  if (change === undefined) return removed(state, name, unikernel, told);
  const { current: _, ...rest } = unikernel;
  const left = put(state, name, { ...rest, phase: { kind: "preparing" } });
  return {
    state: { ...left, macs: releaseMacs(left.macs, name, current.devices) },
    effects: [
      { kind: "commit", changes: [{ kind: "unikernel", name }] },
      { kind: "release-image", digest: current.digest },
      ...told,
    ],
  };
}

/** The one that ran before is what is to run again: now, or when it is not held any more. */
function comeBack(state: State, name: Name, unikernel: Unikernel, previous: Incarnation, next?: Next): Step {
  const { current } = unikernel;
  const record = { config: previous.config, digest: previous.digest };
  const effects: readonly Effect[] = [
    { kind: "commit", changes: [{ kind: "unikernel", name, record }] },
    ...released(current),
  ];
  const restored = current === undefined ? state : keepMacs(state, name, current, previous);
  if (next === undefined) return preceded(effects, start(restored, name, unikernel, previous, { first: false }));
  const held: Unikernel = { ...unikernel, current: previous, phase: { kind: "held" } };
  const resources = putUnikernel(restored.resources, name, { demand: demandOf(previous.config), unikernel: held });
  return { state: { ...restored, resources }, effects: [...effects, ...tell(name, { kind: "held" })] };
}

/** The replacement stands: the addresses and the demand are its own from now on. */
function settle(state: State, name: Name, unikernel: Unikernel, previous: Incarnation): State {
  const { current } = unikernel;
  if (current === undefined) return state;
  const resources = putUnikernel(state.resources, name, { demand: demandOf(current.config), unikernel });
  return keepMacs({ ...state, resources }, name, previous, current);
}

/** The addresses of `kept` alone, of those that `gone` and `kept` had together. */
function keepMacs(state: State, name: Name, gone: Incarnation, kept: Incarnation | undefined): State {
  return { ...state, macs: exchange(state, name, gone.devices, kept?.devices ?? []) };
}

function exchange(state: State, name: Name, gone: readonly Attached[], kept: readonly Attached[]): State["macs"] {
  const released = releaseMacs(state.macs, name, gone);
  const claimed = claimMacs(released, name, kept);
  return claimed.ok ? claimed.value : released;
}

/** The incarnation that was to replace it gives its addresses back. */
export function dropNext(state: State, name: Name, next: Next | undefined): State {
  if (next?.kind !== "replace") return state;
  const current = find(state, name)?.current;
  return keepMacs(state, name, next.incarnation, current);
}

function released(incarnation: Incarnation | undefined): readonly Effect[] {
  return incarnation === undefined ? [] : [{ kind: "release-image", digest: incarnation.digest }];
}

/** What was to come is refused; what was written down for it is what runs again, until that is gone too. */
export function refuseNext(
  name: Name,
  next: Next | undefined,
  current: Incarnation | undefined,
  refusal: Refusal,
): readonly Effect[] {
  if (next === undefined || next.kind === "destroy" || next.kind === "hold") return [];
  const refused = refuse(next.client, refusal);
  if (next.kind === "restart" || current === undefined) return refused;
  const record = { config: current.config, digest: current.digest };
  return [
    { kind: "commit", changes: [{ kind: "unikernel", name, record }] },
    { kind: "release-image", digest: next.incarnation.digest },
    ...refused,
  ];
}
