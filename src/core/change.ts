/**
 * A create, force create or restart with arguments, from the reservation to
 * the start: what replaces a running unikernel is prepared while the old one
 * runs, so that a refusal costs nothing.
 *
 * @module
 */
import { attach } from "./attach.ts";
import type { Health } from "./health.ts";
import { claimMacs } from "./macs.ts";
import { checkDevices } from "./manifest.ts";
import type { Name } from "./name.ts";
import type { Refusal } from "./refusal.ts";
import { findUnikernel, insertUnikernel, putUnikernel, removeUnikernel } from "./resources.ts";
import { err, ok, type Result, unreachable } from "./result.ts";
import type {
  Change,
  ClientId,
  Effect,
  Event,
  ImageSource,
  Incarnation,
  Prepared,
  State,
  Step,
  Unikernel,
} from "./state.ts";
import {
  chargeOf,
  expectedOf,
  find,
  largerDemand,
  preceded,
  put,
  refuse,
  start,
  stop,
  takeBack,
  wait,
} from "./transition.ts";
import type { GrantChange } from "./trie.ts";
import type { UnikernelConfig } from "./unikernel.ts";

type Of<K extends Event["kind"]> = Extract<Event, { kind: K }>;

/** A change as it was asked for. */
export interface Asked {
  readonly name: Name;
  readonly client: ClientId;
  readonly config: UnikernelConfig;
  readonly image: ImageSource;
  /** Policies that came with it. */
  readonly grants: readonly GrantChange[];
  readonly health?: Health;
}

/** Reserves for a unikernel that is not there yet, and has its image prepared. */
export function reserve(state: State, asked: Asked): Result<Step, Refusal> {
  const job = state.counter + 1;
  const { name, config } = asked;
  const demand = expectedOf(state, config);
  const unikernel: Unikernel = { phase: { kind: "preparing" }, failures: 0, change: changeOf(asked, job) };
  const resources = insertUnikernel(state.resources, name, demand, unikernel);
  if (!resources.ok) return resources;
  return ok(prepare({ ...state, resources: resources.value, counter: job }, asked, job));
}

/** Reserves for what is to replace `unikernel`: the larger demand of the two while both exist. */
export function reserveReplacement(state: State, unikernel: Unikernel, asked: Asked): Result<Step, Refusal> {
  const job = state.counter + 1;
  const { name, config } = asked;
  const busy = occupied(unikernel);
  if (busy !== undefined) return err({ kind: "unikernel-busy", name, doing: busy });
  const old = findUnikernel(state.resources, name)?.demand ?? expectedOf(state, config);
  const next = expectedOf(state, config);
  const checked = insertUnikernel(state.resources, name, next, unikernel, old);
  if (!checked.ok) return checked;
  const changed = { demand: largerDemand(old, next), unikernel: { ...unikernel, change: changeOf(asked, job) } };
  const resources = putUnikernel(state.resources, name, changed);
  return ok(prepare({ ...state, resources, counter: job }, asked, job));
}

/** The image and the tender are there: checks what only they tell, then starts, or stops what is to be replaced. */
export function prepared(state: State, event: Of<"prepared">): Step {
  const { name, job } = event;
  const { digest } = event.prepared;
  const unikernel = find(state, name);
  const change = unikernel?.change;
  if (unikernel === undefined || change?.job !== job) {
    return { state, effects: [{ kind: "release-image", digest }] };
  }
  if (state.stopping) {
    return preceded(
      [{ kind: "release-image", digest }],
      abandon(state, name, unikernel, change, { kind: "shutting-down" }),
    );
  }
  const fits = checkDevices(event.prepared.manifest, change.config);
  const incarnation = incarnate(name, change, event.prepared);
  const macs = fits.ok ? claimMacs(state.macs, name, incarnation.devices) : fits;
  if (!macs.ok) {
    return preceded([{ kind: "release-image", digest }], abandon(state, name, unikernel, change, macs.error));
  }
  return carryOut({ ...state, macs: macs.value }, name, unikernel, change, incarnation);
}

/** Whatever was to come does not: what is there stays as it is. */
export function prepareFailed(state: State, event: Of<"prepare-failed">): Step {
  const unikernel = find(state, event.name);
  const change = unikernel?.change;
  if (unikernel === undefined || change?.job !== event.job) return { state, effects: [] };
  return abandon(state, event.name, unikernel, change, event.refusal);
}

/** What another command is doing to it, so that a second one must wait. */
export function occupied(unikernel: Unikernel): "create" | "replace" | "restart" | "destroy" | "hold" | undefined {
  if (unikernel.phase.kind === "preparing") return "create";
  if (unikernel.change !== undefined) return "replace";
  if (unikernel.phase.kind === "stopping") return unikernel.phase.next.kind;
  if (unikernel.phase.kind === "starting") return unikernel.phase.next?.kind ?? "create";
  if (unikernel.phase.kind !== "trying") return undefined;
  const { client, previous, first, failed } = unikernel.phase;
  if (previous !== undefined) return "replace";
  if (first) return "create";
  return client === undefined && failed === undefined ? undefined : "restart";
}

/** Without a spread: V8 makes a shape for each of the objects that it makes of one with a property more. */
function changeOf({ client, config, image, grants, health }: Asked, job: number): Change {
  const change = { job, client, config, image, grants };
  return health === undefined ? change : { ...change, health };
}

function prepare(state: State, { name, config, image, health }: Asked, job: number): Step {
  const effect = { kind: "prepare", name, job, config, image } as const;
  return { state, effects: [health === undefined ? effect : { ...effect, health }] };
}

/** Makes it so. What was not there before is written down first; what is to show its health, or replaces something, when it has. */
function carryOut(state: State, name: Name, unikernel: Unikernel, change: Change, incarnation: Incarnation): Step {
  const { change: _, ...rest } = unikernel;
  const health = change.health === undefined ? {} : { health: change.health };
  const client = change.client === undefined ? {} : { client: change.client, grants: change.grants, ...health };
  const { phase, current } = rest;
  const record = { config: incarnation.config, digest: incarnation.digest };
  const commit: Effect = { kind: "commit", changes: [{ kind: "unikernel", name, record }] };
  const isFirst = current === undefined && !(isNew(change) && change.health !== undefined);
  return preceded([...(isFirst ? [commit] : []), ...bootHold(change)], move());

  function move(): Step {
    switch (phase.kind) {
      case "preparing":
        return start(state, name, rest, incarnation, {
          ...client,
          first: isNew(change),
          trial: !isNew(change) || change.health !== undefined,
        });
      case "held":
      case "waiting": {
        const previous = current === undefined ? {} : { previous: current };
        return start(state, name, { ...rest, failures: 0 }, incarnation, {
          ...client,
          ...previous,
          first: false,
          trial: true,
        });
      }
      case "running":
      case "trying":
        return stop(state, name, rest, phase.run, { kind: "replace", incarnation, ...client });
      case "starting":
      case "stopping": {
        const next = { kind: "replace", incarnation, ...client } as const;
        return { state: put(state, name, { ...rest, phase: { ...phase, next } }), effects: [] };
      }
      default:
        return unreachable(phase);
    }
  }
}

/** At a start of the daemon nothing is. */
function isNew({ client }: Change): boolean {
  return client !== undefined;
}

/** At a start of the daemon every stored image is held until its unikernel is prepared, or gone. */
export function bootHold({ client, image }: Change): readonly Effect[] {
  const held = client === undefined && image.kind === "stored";
  return held ? [{ kind: "release-image", digest: image.digest }] : [];
}

/** The refused change goes, with the policies that it brought; at a start of the daemon it is tried again later. */
function abandon(state: State, name: Name, unikernel: Unikernel, change: Change, refusal: Refusal): Step {
  if (change.client === undefined) return wait(state, name, unikernel, unikernel.failures + 1, true);
  const { change: _, ...rest } = unikernel;
  const undone = takeBack(state, change.grants);
  const before = undone.state;
  const effects = [...undone.effects, ...refuse(change.client, refusal)];
  if (rest.phase.kind === "preparing") return { state: dropped(before, name), effects };
  const demand = rest.current === undefined ? expectedOf(before, change.config) : chargeOf(before, rest.current);
  return {
    state: { ...before, resources: putUnikernel(before.resources, name, { demand, unikernel: rest }) },
    effects,
  };
}

/** A reservation that nothing was started for. */
function dropped(state: State, name: Name): State {
  const resources = removeUnikernel(state.resources, name);
  return resources.ok ? { ...state, resources: resources.value } : state;
}

/** Brings the settings, the image and what the host found together. */
function incarnate(name: Name, { config }: Change, { digest, manifest, tender, macs }: Prepared): Incarnation {
  return { config, digest, tender, devices: attach(name, config, manifest.devices, macs) };
}
