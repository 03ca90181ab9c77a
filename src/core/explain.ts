/**
 * Explaining: what a command would meet, asked without doing it.
 *
 * The decision is the one that the command itself would get now, made on the
 * same state, which is then thrown away: what is said here is what would be
 * said there.
 *
 * @module
 */
import { chainOf, checkAdmission } from "./admission.ts";
import { type Command, type Level, serviceOf } from "./command.ts";
import { insertLevels } from "./delegation.ts";
import { describeRefusal } from "./describe.ts";
import type { ExplainedLevel, Explanation, Refused, Unchecked } from "./explanation.ts";
import { findLock } from "./lock.ts";
import type { Path } from "./name.ts";
import { checkPermission } from "./permission.ts";
import { type Policy, samePolicy } from "./policy.ts";
import type { Refusal } from "./refusal.ts";
import { findBlock, findGrant, findUnikernel, usageAt } from "./resources.ts";
import type { Event, Request, State, Step } from "./state.ts";
import type { Usage } from "./trie.ts";

type Asking = Extract<Event, { kind: "request" }>;

/** @param decide - what decides such a request */
export function explain(state: State, asking: Asking, decide: (state: State, asking: Asking) => Step): Explanation {
  const { request } = asking;
  const refusal = decidedHere(request.command)
    ? refusalIn(decide(state, asking), asking)
    : checkAdmission(state, request, asking.now);
  const told = refusal?.kind !== "not-permitted" || mayKnow(request);
  const explanation = {
    command: request.command.kind,
    levels: levelsOf(state, request, refusal).map((level) => (told ? level : withoutUsage(level))),
    unchecked: uncheckedOf(request.command),
    ...(request.permissions === undefined ? {} : { permissions: request.permissions }),
  };
  return refusal === undefined ? explanation : { ...explanation, refused: refusedBy(refusal) };
}

/** Whether the supervisor itself decides about the command; of others only who may ask at all is known here. */
function decidedHere(command: Command): boolean {
  return serviceOf(command) === "daemon" && !elsewhere.has(command.kind);
}

function refusalIn({ effects }: Step, { client }: Asking): Refusal | undefined {
  for (const effect of effects) {
    if (effect.kind === "reply" && effect.client === client && !effect.reply.ok) return effect.reply.refusal;
  }
  return undefined;
}

/** A refusal for want of a permission tells nothing of what there is; only who may look anyway is told more. */
function mayKnow(request: Request): boolean {
  return checkPermission({ ...request, command: { kind: "policy-info" } }) === undefined;
}

function withoutUsage({ usage: _, ...level }: ExplainedLevel): ExplainedLevel {
  return level;
}

function refusedBy(refusal: Refusal): Refused {
  const path = levelOf(refusal);
  const refused = { kind: refusal.kind, text: describeRefusal(refusal) };
  return path === undefined ? refused : { ...refused, path };
}

/** The level that refuses, if it is one. */
function levelOf(refusal: Refusal): Path | undefined {
  switch (refusal.kind) {
    case "limit":
    case "block-not-allowed":
    case "cpuids-not-allowed":
    case "bridges-not-allowed":
    case "too-many-delegations":
    case "policy-outdated":
    case "not-permitted":
    case "locked":
    case "held":
      return refusal.path;
    case "policy-exceeds":
      return refusal.above;
    case "certificate-revoked":
      return refusal.whose.kind === "delegate" ? refusal.whose.path : undefined;
    default:
      return undefined;
  }
}

/** The host's own policy is told its people, and whom it refuses. */
function levelsOf(state: State, request: Request, refusal: Refusal | undefined): readonly ExplainedLevel[] {
  const { path } = request.name;
  const granted = insertLevels(state.resources, request.levels, state.counter + 1, state.bounds);
  const { resources } = granted.ok ? granted.value : state;
  const more = addedBy(state, request);
  const hostToo = chainOf(request) === undefined || (refusal !== undefined && levelOf(refusal)?.length === 0);
  const found: ExplainedLevel[] = [];
  for (let depth = hostToo ? 0 : 1; depth <= path.length; depth++) {
    const at = path.slice(0, depth);
    const level = request.levels[depth - 1];
    const policy = findGrant(resources, at)?.policy;
    const lock = findLock(state.locks, at);
    if (level === undefined && policy === undefined && lock === undefined) continue;
    const used = usageAt(state.resources, at);
    found.push({
      path: at,
      ...(level === undefined ? {} : certified(level, policy)),
      ...(policy === undefined ? {} : { policy }),
      usage: { used, after: sum(used, more) },
      ...(lock === undefined ? {} : { lockedBy: lock.owner }),
    });
  }
  return found;
}

/** What a level's certificate says. */
function certified(level: Level, inForce: Policy | undefined): Partial<ExplainedLevel> {
  const { notBefore, notAfter, fingerprint, permissions } = level;
  const counts = inForce !== undefined && samePolicy(level.policy, inForce);
  return {
    certificate: { notBefore, notAfter, fingerprint },
    ...(counts ? {} : { given: level.policy }),
    ...(permissions === undefined ? {} : { permissions }),
  };
}

/** What is used more (or less) at the command's path and above it once it is done. */
function addedBy({ resources }: State, { name, command }: Request): Usage {
  const old = findUnikernel(resources, name)?.demand;
  switch (command.kind) {
    case "unikernel-create":
      return { unikernels: old === undefined ? 1 : 0, memory: command.config.memory - (old?.memory ?? 0), block: 0 };
    case "unikernel-restart":
      if (old === undefined || command.settings === undefined) return nothing;
      return { ...nothing, memory: command.settings.memory - old.memory };
    case "unikernel-destroy":
      return old === undefined ? nothing : { unikernels: -1, memory: -old.memory, block: 0 };
    case "block-add":
      return { ...nothing, block: command.size };
    case "block-remove":
      return { ...nothing, block: -(findBlock(resources, name)?.size ?? 0) };
    default:
      return nothing;
  }
}

function sum(a: Usage, b: Usage): Usage {
  return { unikernels: a.unikernels + b.unikernels, memory: a.memory + b.memory, block: a.block + b.block };
}

/** What the host finds out only when it does it. */
function uncheckedOf(command: Command): readonly Unchecked[] {
  switch (command.kind) {
    case "unikernel-create":
      return ["image", "devices", "tender", "addresses"];
    case "unikernel-restart":
      return command.settings === undefined ? ["tender"] : ["devices", "tender", "addresses"];
    case "block-add":
      return ["disk"];
    case "block-set":
      return ["content", "disk"];
    case "console-subscribe":
      return ["console"];
    case "push-crl":
      return ["list"];
    default:
      return [];
  }
}

const nothing: Usage = { unikernels: 0, memory: 0, block: 0 };

/** Those for the daemon's socket that never become a request of the supervisor. */
const elsewhere: ReadonlySet<Command["kind"]> = new Set<Command["kind"]>(["session", "push-crl", "stats-initial"]);
