/**
 * The starts and ends of one unikernel, and its destruction.
 *
 * Destroy always wins: whoever else waits is told so, and everyone who asked to
 * destroy is answered. What ran and cannot be replaced comes back.
 *
 * @module
 */

import { bootHold, occupied } from "./change.ts";
import { releaseMacs } from "./macs.ts";
import type { Name } from "./name.ts";
import type { Refusal } from "./refusal.ts";
import {
  backOff,
  couldNotStart,
  countFailure,
  type ExitStatus,
  guestStatus,
  refusedName,
  shouldRestart,
} from "./restart.ts";
import { err, ok, type Result, unreachable } from "./result.ts";
import type { ClientId, Effect, Event, Next, State, Step, Trial, Unikernel } from "./state.ts";
import {
  answer,
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
import { dropMacs, enter, fail, isUnwritten, prove, released, settle, type Trying } from "./trial.ts";
import type { GrantChange } from "./trie.ts";

type Of<K extends Event["kind"]> = Extract<Event, { kind: K }>;

/** The tender runs. */
export function started(state: State, event: Of<"started">): Step {
  const { name, run, now } = event;
  const unikernel = find(state, name);
  if (unikernel?.phase.kind !== "starting" || unikernel.phase.run !== run) return { state, effects: [] };
  const { next, client } = unikernel.phase;
  if (next === undefined) return enter(state, name, unikernel, unikernel.phase, now);
  const settled = settle(state, name, unikernel, unikernel.phase);
  const effects = [...settled.effects, ...answer(client, "created unikernel")];
  return preceded(effects, stop(settled.state, name, unikernel, run, next));
}

/** The host could not start it. */
export function startFailed(before: State, event: Of<"start-failed">): Step {
  const { name, run, refusal } = event;
  const unikernel = find(before, name);
  if (unikernel?.phase.kind !== "starting" || unikernel.phase.run !== run) return { state: before, effects: [] };
  const { client, next, grants, previous, first } = unikernel.phase;
  const back = next?.kind === "hold" && (first || previous !== undefined);
  if (next === undefined || back) return fail(before, name, unikernel, unikernel.phase, refusal);
  const undone = takeBack(before, grants);
  const settled = settle(undone.state, name, unikernel, unikernel.phase);
  const effects = [...undone.effects, ...settled.effects, ...refuse(client, refusal)];
  return preceded(effects, proceed(settled.state, name, unikernel, next));
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
  if (state.stopping) return { state, effects: [] };
  const lived = now - (seen.started ?? now);
  if (phase.kind === "running") return ended(state, name, seen, status, { lived });
  return phase.kind === "trying" ? endedOnTrial(state, name, seen, phase, status, lived) : { state, effects: [] };
}

/** The back-off is over, or the trial. */
export function due(state: State, event: Of<"due">): Step {
  const { name, run } = event;
  const unikernel = find(state, name);
  const { phase } = unikernel ?? {};
  if (unikernel === undefined || state.stopping) return { state, effects: [] };
  if (phase?.kind === "trying" && phase.run === run)
    return phase.failed === undefined ? prove(state, name, unikernel, phase) : { state, effects: [] };
  if (phase?.kind !== "waiting" || phase.run !== run) return { state, effects: [] };
  return startAgain(state, name, unikernel, phase.trial);
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
  if (phase.kind === "running" || phase.kind === "trying")
    return ok(stop(state, name, unikernel, phase.run, { kind: "restart", ...asked }));
  if (current === undefined) return err({ kind: "unikernel-busy", name, doing: "create" });
  return ok(start(state, name, { ...unikernel, failures: 0 }, current, { ...asked, first: false, trial: true }));
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
    case "trying": {
      const undone = takeBack(state, phase.grants);
      const settled = settle(undone.state, name, rest, phase);
      const told = refuse(phase.client, { kind: "overtaken-by-destroy", name });
      return preceded(
        [...overtaken, ...undone.effects, ...settled.effects, ...told],
        stop(settled.state, name, rest, phase.run, { kind: "destroy", clients: [client] }),
      );
    }
    case "starting":
    case "stopping": {
      const others = phase.next?.kind === "destroy" ? phase.next.clients : [];
      const next: Next = { kind: "destroy", clients: [...others, client] };
      const stuck = phase.kind === "stopping" && phase.stuck === true;
      if (stuck) return preceded(overtaken, stop(state, name, rest, phase.run, next));
      return {
        state: put(dropNext(state, name, phase.next), name, { ...rest, phase: { ...phase, next } }),
        effects: [...overtaken, ...refuseNext(phase.next, { kind: "overtaken-by-destroy", name })],
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
      return start(state, name, { ...unikernel, failures: 0 }, current, { ...asked, first: false, trial: true });
    }
    case "replace": {
      const { kind: _, incarnation, ...asked } = next;
      const previous = current === undefined ? {} : { previous: current };
      return start(state, name, { ...unikernel, failures: 0 }, incarnation, {
        ...asked,
        ...previous,
        first: false,
        trial: true,
      });
    }
    default:
      return unreachable(next);
  }
}

/** It ended before it had proved that it can run: perhaps it cannot, as where nobody knows how it ended. */
function endedOnTrial(
  state: State,
  name: Name,
  unikernel: Unikernel,
  phase: Trying,
  status: ExitStatus,
  lived: number,
): Step {
  const { kind: _, run: __, ...waits } = phase;
  if (phase.failed !== undefined) return fail(state, name, unikernel, phase, phase.failed);
  const named = unikernel.current?.config.addName === true && refusedName(true, status);
  if (named) return ended(state, name, unikernel, status, { lived, waits });
  if (couldNotStart(status) || status.kind === "unknown" || phase.health !== undefined) {
    const { previous } = phase;
    const failures = unikernel.failures + 1;
    const delay = previous === undefined ? backOff(failures) : 0;
    const told = tell(name, { kind: "ended", status, failures, delay });
    return preceded(told, fail(state, name, unikernel, phase, { kind: "ended-at-once", status }));
  }
  const proved = prove(state, name, unikernel, phase);
  const proven = find(proved.state, name) ?? unikernel;
  return preceded(proved.effects, ended(proved.state, name, proven, status, { lived }));
}

/** How long it had lived, ms, and who waits for it if it was on trial. */
interface Life {
  readonly lived: number;
  readonly waits?: Trial;
}

/** It ended by itself: once more without its name, again after a while, or not at all. */
function ended(state: State, name: Name, unikernel: Unikernel, status: ExitStatus, { lived, waits }: Life): Step {
  const { current, change } = unikernel;
  if (current === undefined) return { state, effects: [] };
  const { config } = current;
  if (refusedName(config.addName, status)) {
    const nameless = { ...current, config: { ...config, addName: false } };
    const record = { config: nameless.config, digest: current.digest };
    const commit: Effect = { kind: "commit", changes: [{ kind: "unikernel", name, record }] };
    const again = start(state, name, unikernel, nameless, { first: false, ...waits, trial: waits !== undefined });
    const written = waits === undefined || (waits.previous === undefined && !isUnwritten(waits));
    return written ? preceded([commit], again) : again;
  }
  const failures = countFailure(unikernel.failures, lived);
  if (shouldRestart(config.failBehaviour, status)) {
    const delay = backOff(failures);
    const told = tell(name, { kind: "ended", status, failures, delay });
    return preceded(told, wait(state, name, unikernel, failures, false));
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

/** The incarnation that was to replace it gives its addresses back. */
export function dropNext(state: State, name: Name, next: Next | undefined): State {
  if (next?.kind !== "replace") return state;
  return dropMacs(state, name, next.incarnation, find(state, name)?.current);
}

/** What was to come is refused. */
export function refuseNext(next: Next | undefined, refusal: Refusal): readonly Effect[] {
  if (next === undefined || next.kind === "destroy" || next.kind === "hold") return [];
  const refused = refuse(next.client, refusal);
  return next.kind === "restart" ? refused : [...released(next.incarnation), ...refused];
}
