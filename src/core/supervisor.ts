/**
 * The supervisor: what becomes of the host when something happens.
 *
 * `step` is the whole of it: a state and an event give the next state and what
 * is to be done. A request is decided and its resources are reserved in one
 * step, so two requests in flight never both fit where only one does; what the
 * host then finds out or fails at comes back as an event.
 *
 * @module
 */
import { checkAdmission, takes } from "./admission.ts";
import { blockDone, createBlock, useBlock } from "./block_change.ts";
import { type Asked, prepared, prepareFailed, reserve, reserveReplacement } from "./change.ts";
import type { Command, Success } from "./command.ts";
import { insertLevels, insertPolicy, removePolicy } from "./delegation.ts";
import { explain } from "./explain.ts";
import { checkHealth } from "./health.ts";
import { heldAt, settleHolds } from "./hold.ts";
import { blockInfo, policyInfo, unikernelInfo, unikernelStatus } from "./info.ts";
import { destroy, due, exited, restart, started, startFailed } from "./life.ts";
import { listLocks } from "./lock.ts";
import { samePolicy } from "./policy.ts";
import type { Refusal } from "./refusal.ts";
import { findPolicy } from "./resources.ts";
import { err, ok, type Result, unreachable } from "./result.ts";
import { checkSettings } from "./settings.ts";
import type { Event, Request, State, Step, Unikernel } from "./state.ts";
import { stopFailed } from "./stuck.ts";
import { answer, commitGrants, find, preceded, refuse, replies } from "./transition.ts";
import { unhealthy } from "./trial.ts";
import type { GrantChange } from "./trie.ts";
import { changeLock, takeList } from "./trust.ts";

export function step(state: State, event: Event): Step {
  return settleHolds(state, dispatch(state, event));
}

function dispatch(state: State, event: Event): Step {
  switch (event.kind) {
    case "request":
      return event.request.command.kind === "explain"
        ? explained(state, event, event.request.command.command)
        : request(state, event);
    case "revoked":
      return takeList(state, event);
    case "prepared":
      return prepared(state, event);
    case "prepare-failed":
      return prepareFailed(state, event);
    case "started":
      return started(state, event);
    case "start-failed":
      return startFailed(state, event);
    case "exited":
      return exited(state, event);
    case "unhealthy":
      return unhealthy(state, event);
    case "stop-failed":
      return stopFailed(state, event);
    case "due":
      return due(state, event);
    case "block-done":
      return blockDone(state, event);
    case "shutdown":
      return shutdown(state);
    default:
      return unreachable(event);
  }
}

type Asking = Extract<Event, { kind: "request" }>;

/** One request, one decision: the policies of its chain and its command together. A refused one leaves nothing. */
function request(before: State, asking: Asking): Step {
  const { client } = asking;
  if (before.stopping) return { state: before, effects: refuse(client, { kind: "shutting-down" }) };
  const counter = before.counter + 1;
  const refused = (refusal: Refusal): Step => ({ state: { ...before, counter }, effects: refuse(client, refusal) });
  const barred = checkAdmission(before, asking.request, asking.now);
  if (barred !== undefined) return refused(barred);
  const granted = insertLevels(before.resources, asking.request.levels, counter, before.bounds);
  if (!granted.ok && takes(asking.request.command)) return refused(granted.error);
  const { resources, changes } = granted.ok ? granted.value : { resources: before.resources, changes: [] };
  const held = starts(asking.request) ? heldAt(resources, before.revocation, asking.request.name.path) : undefined;
  if (held !== undefined) return refused(held);
  const decided = decide({ ...before, counter, resources }, asking, changes);
  return decided.ok ? preceded(commitGrants(changes), decided.value) : refused(decided.error);
}

/** What the request would be answered; the state stays what it is. */
function explained(state: State, asking: Asking, command: Command): Step {
  const barred = checkAdmission(state, asking.request, asking.now);
  if (barred !== undefined) return { state, effects: refuse(asking.client, barred) };
  const explanation = explain(state, { ...asking, request: { ...asking.request, command } }, request);
  return told(state, asking, { kind: "explanation", explanation });
}

/** Whether a unikernel would run by it. */
function starts({ command }: Request): boolean {
  return command.kind === "unikernel-create" || command.kind === "unikernel-restart";
}

/** @param grants - the policies that the request's chain brought into force just now */
function decide(state: State, asking: Asking, grants: readonly GrantChange[]): Result<Step, Refusal> {
  const { client, now } = asking;
  const { name, command } = asking.request;
  switch (command.kind) {
    case "unikernel-info":
      return ok(told(state, asking, unikernelInfo(state, name, command.form)));
    case "status":
      return ok(told(state, asking, unikernelStatus(state, name)));
    case "policy-info":
      return ok(told(state, asking, policyInfo(state, name)));
    case "block-info":
      return ok(told(state, asking, blockInfo(state, name)));
    case "unikernel-create": {
      const { config, health, replace: force } = command;
      const asked = { name, client, grants, config, image: { kind: "client", client } } as const;
      return create(state, health === undefined ? asked : { ...asked, health }, force);
    }
    case "unikernel-restart":
      return change(state, asking.request, (unikernel) => {
        const { settings } = command;
        const { current } = unikernel;
        if (settings === undefined || current === undefined) return restart(state, name, unikernel, { client, grants });
        const config = { ...settings, typ: current.config.typ };
        return replace(state, unikernel, {
          name,
          client,
          grants,
          config,
          image: { kind: "stored", digest: current.digest },
        });
      });
    case "unikernel-destroy":
      return change(state, asking.request, (unikernel) => ok(destroy(state, name, unikernel, client)));
    case "policy-add":
    case "policy-remove":
      return changePolicy(state, asking.request, client, now);
    case "unikernel-get":
      return change(state, asking.request, (unikernel) => sendImage(state, asking, unikernel, command.level));
    case "block-add":
      return createBlock(state, { name, client, grants }, command);
    case "block-remove":
    case "block-set":
    case "block-dump":
      return useBlock(state, { name, client, grants }, command);
    case "lock":
    case "unlock":
      return changeLock(state, asking, command.path);
    case "locks":
      return ok(told(state, asking, { kind: "locks", locks: listLocks(state.locks, name.path) }));
    default:
      return err({ kind: "command-unsupported", command: command.kind });
  }
}

function told(state: State, { client }: Asking, success: Success): Step {
  return { state, effects: replies([client], { ok: true, success }) };
}

function sendImage(state: State, asking: Asking, { current }: Unikernel, level: number): Result<Step, Refusal> {
  if (current === undefined) return err({ kind: "unikernel-busy", name: asking.request.name, doing: "create" });
  return ok({ state, effects: [{ kind: "send-image", client: asking.client, digest: current.digest, level }] });
}

function create(state: State, asked: Asked, force: boolean): Result<Step, Refusal> {
  const { name } = asked;
  const fine = checkSettings(name, asked.config);
  if (!fine.ok) return fine;
  const healthy = asked.health === undefined ? fine : checkHealth(asked.health, asked.config.bridges.length);
  if (!healthy.ok) return healthy;
  const unikernel = find(state, name);
  if (unikernel === undefined) return reserve(state, asked);
  return force ? reserveReplacement(state, unikernel, asked) : err({ kind: "unikernel-exists", name });
}

function replace(state: State, unikernel: Unikernel, asked: Asked): Result<Step, Refusal> {
  const fine = checkSettings(asked.name, asked.config);
  return fine.ok ? reserveReplacement(state, unikernel, asked) : fine;
}

/** What is done to a unikernel that there must be. */
function change(
  state: State,
  { name }: Request,
  carryOut: (unikernel: Unikernel) => Result<Step, Refusal>,
): Result<Step, Refusal> {
  if (name.label === undefined) return err({ kind: "label-needed", path: name.path });
  const unikernel = find(state, name);
  return unikernel === undefined ? err({ kind: "unikernel-not-found", name }) : carryOut(unikernel);
}

function changePolicy(state: State, { name, command }: Request, client: number, now: number): Result<Step, Refusal> {
  const { path } = name;
  if (path.length === 0) return err({ kind: "root-policy-stays" });
  const before = findPolicy(state.resources, path);
  const changed =
    command.kind === "policy-add"
      ? insertPolicy(state.resources, path, command.policy, now)
      : removePolicy(state.resources, path, state.bounds);
  if (!changed.ok) return changed;
  const { resources, changes } = changed.value;
  const same = command.kind === "policy-add" && before !== undefined && samePolicy(before, command.policy);
  const text = same ? "no modification of policy" : command.kind === "policy-add" ? "added policy" : "removed policy";
  return ok({ state: { ...state, resources }, effects: [...commitGrants(changes), ...answer(client, text)] });
}

/** No request is taken any more; the host stops what runs, and what is stored stays. */
function shutdown(state: State): Step {
  return { state: { ...state, stopping: true }, effects: [] };
}
