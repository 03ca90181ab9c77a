/** What holds after every single step of the supervisor, whatever was asked and however the host answered. */
import { expect } from "vitest";
import type { Refusal } from "../../src/core/refusal.ts";
import type { Event, State, Step } from "../../src/core/state.ts";
import type { Demand } from "../../src/core/trie.ts";
import type { FakeHost } from "./fake_host.ts";
import {
  blockFits,
  entries,
  exceedsAbove,
  type Flat,
  fits,
  flatten,
  type Policies,
  spell,
  spellName,
  sum,
  withLevels,
} from "./naive.ts";

type Asking = Extract<Event, { kind: "request" }>;

export function everyLaw(before: State, event: Event, step: Step, host: FakeHost): void {
  const was = flatten(before.resources);
  const is = flatten(step.state.resources);
  sumsAreRight(is);
  nobodyGainsOverAPolicy(was, is);
  if (!before.revocation.rules.stop) onlyItsOwnEntryChanges(was, is, event);
  blocksKnowTheirUser(is);
  macsAreThoseInUse(step.state, is);
  pastIsNotForgotten(was, is);
  storeTellsWhatExists(is, host);
  guestsAreWithinTheirReservation(is, host);
  if (event.kind === "request") requestIsDecided(before, event, step, was, is);
  else hostTakesNothing(was, is);
}

function requestIsDecided(before: State, event: Asking, step: Step, was: Flat, is: Flat): void {
  const refusal = step.effects.flatMap((effect) =>
    effect.kind === "reply" && effect.client === event.client && !effect.reply.ok ? [effect.reply.refusal] : [],
  )[0];
  verdictIsTheNaiveOne(was, is, event, step, refusal);
  if (refusal !== undefined) {
    expect(step.effects, "a refusal with other effects").toHaveLength(1);
    expect(essence(step.state), "a refused request changed something").toEqual(essence(before));
  }
}

/** All of a state but its counters. */
function essence(state: State): unknown {
  const { policies, unikernels, blocks } = flatten(state.resources);
  return {
    policies: [...policies].map(([path, { policy, notBefore }]) => ({ path, policy, notBefore })),
    unikernels: [...unikernels],
    blocks: [...blocks],
    macs: entries(state.macs),
  };
}

function sumsAreRight(is: Flat): void {
  for (const { path, usage, grants } of is.nodes) {
    expect(usage, `the sums at ${path}`).toEqual(sum(is, path));
    expect(grants).toBe([...is.policies.keys()].filter((at) => at.startsWith(path)).length);
  }
}

function nobodyGainsOverAPolicy(was: Flat, is: Flat): void {
  for (const [path, { policy }] of is.policies) {
    const before = sum(was, path);
    const after = sum(is, path);
    const why = `${path} over its policy`;
    if (after.unikernels > before.unikernels) expect(after.unikernels, why).toBeLessThanOrEqual(policy.unikernels);
    if (after.memory > before.memory) expect(after.memory, why).toBeLessThanOrEqual(policy.memory);
    if (after.block > before.block) expect(after.block, why).toBeLessThanOrEqual(policy.block ?? 0);
  }
}

function hostTakesNothing(was: Flat, is: Flat): void {
  for (const { path } of is.nodes) {
    const before = sum(was, path);
    const after = sum(is, path);
    for (const resource of ["unikernels", "memory", "block"] as const) {
      expect(after[resource], `what the host said raised ${resource} at ${path}`).toBeLessThanOrEqual(before[resource]);
    }
  }
}

/** A path and a label of the same spelling are never the same entry. */
function onlyItsOwnEntryChanges(was: Flat, is: Flat, event: Event): void {
  if (event.kind === "shutdown" || event.kind === "revoked") return;
  const own = spellName(event.kind === "request" ? event.request.name : event.name);
  for (const key of new Set([...was.unikernels.keys(), ...is.unikernels.keys()])) {
    if (key !== own)
      expect(is.unikernels.get(key)?.value, `${own} changed ${key}`).toBe(was.unikernels.get(key)?.value);
  }
}

function pastIsNotForgotten(was: Flat, is: Flat): void {
  for (const [path, time] of was.past) expect(is.past.get(path), `the past of ${path}`).toBeGreaterThanOrEqual(time);
}

function blocksKnowTheirUser(is: Flat): void {
  for (const [key, { path, label, value }] of is.blocks) {
    const users = [...is.unikernels.values()].filter(
      (one) => one.path === path && devicesOf(one.value.demand).includes(label),
    );
    expect(
      users.map((one) => one.label),
      `who uses ${key}`,
    ).toEqual(value.usedBy === undefined ? [] : [value.usedBy]);
    if (value.usedBy !== undefined) expect(value.state).toBe("ready");
  }
}

function macsAreThoseInUse(state: State, is: Flat): void {
  const used = [...is.unikernels].flatMap(([key, { value }]) => {
    const { current, phase } = value.unikernel;
    const coming = "next" in phase && phase.next?.kind === "replace" ? phase.next.incarnation : undefined;
    const previous = "previous" in phase ? phase.previous : undefined;
    return [current, coming, previous].flatMap((one) =>
      (one?.devices ?? []).flatMap((device) =>
        device.kind === "net" ? [`${device.bridge} ${device.mac} ${key}`] : [],
      ),
    );
  });
  const claimed = entries(state.macs).map(([at, name]) => {
    const [bridge, mac = ""] = at.split(" ");
    return `${bridge} ${mac.split(":").map((byte) => Number.parseInt(byte, 16))} ${spellName(name)}`;
  });
  expect(claimed, "an address claimed twice").toHaveLength(new Set(claimed).size);
  expect(new Set(claimed), "MAC addresses").toEqual(new Set(used));
}

function storeTellsWhatExists(is: Flat, host: FakeHost): void {
  const policies = [...is.policies].filter(([path]) => path !== "");
  expect(new Map(host.policies)).toEqual(
    new Map(policies.map(([path, { policy, notBefore }]) => [path, { policy, notBefore }])),
  );
  expect(host.past, "how new those were that went").toEqual(is.past);
  const meant = [...is.unikernels].flatMap(([key, { value }]) => {
    const { current, phase } = value.unikernel;
    // Until a replacement has proved itself, what it replaces is what is meant.
    const kept = ("previous" in phase ? phase.previous : undefined) ?? current;
    // What was never there before is meant once it has shown its health.
    if ("health" in phase && phase.health !== undefined && phase.first) return [];
    return kept === undefined ? [] : [[key, { config: kept.config, digest: kept.digest }] as const];
  });
  expect(new Map([...host.unikernels].map(([key, { record }]) => [key, record])), "the store").toEqual(new Map(meant));
  for (const key of host.acknowledged) expect([...host.unikernels.keys()], "acknowledged and lost").toContain(key);
  for (const { record } of host.unikernels.values()) {
    expect(host.uses.get(record.digest[0] ?? 0), "a record whose image is gone").toBeGreaterThan(0);
  }
}

function guestsAreWithinTheirReservation(is: Flat, host: FakeHost): void {
  const addresses = new Set<string>();
  for (const { name, incarnation } of host.guests.values()) {
    const key = spellName(name);
    const demand = is.unikernels.get(key)?.value.demand;
    expect(demand, `${key} runs and is not accounted for`).toBeDefined();
    expect(incarnation.config.memory).toBeLessThanOrEqual(demand?.memory ?? 0);
    expect(host.uses.get(incarnation.digest[0] ?? 0), "a guest whose image is gone").toBeGreaterThan(0);
    for (const block of incarnation.config.blocks)
      expect(demand && devicesOf(demand)).toContain(block.device ?? block.name);
    for (const device of incarnation.devices) {
      if (device.kind !== "net") continue;
      const address = `${device.bridge} ${device.mac}`;
      expect(addresses.has(address), "two guests of one MAC address").toBe(false);
      addresses.add(address);
    }
  }
}

const overPolicy: ReadonlySet<string> = new Set<Refusal["kind"]>([
  "limit",
  "block-not-allowed",
  "cpuids-not-allowed",
  "bridges-not-allowed",
  "policy-exceeds",
  "policy-outdated",
]);

/**
 * Where the naive model has a verdict, it is the supervisor's; and the policies are what the naive model makes of them,
 * unless somebody else's change is overtaken, whose policies go.
 */
function verdictIsTheNaiveOne(was: Flat, is: Flat, asking: Asking, step: Step, refusal: Refusal | undefined): void {
  const overtakes = step.effects.some((effect) => effect.kind === "reply" && effect.client !== asking.client);
  const applied = withLevels(was, asking.request.levels);
  const allowed = isAllowed(was, applied, asking);
  const expected = refusal === undefined ? commanded(applied ?? was.policies, was.past, asking) : was.policies;
  if (!overtakes) expect(granted(is.policies), "the policies in force").toEqual(granted(expected));
  if (refusal === undefined) expect(allowed, "accepted over a policy").toBe(true);
  else if (overPolicy.has(refusal.kind)) expect(allowed, "refused within every policy").toBe(false);
  if (refusal?.kind === "limit") {
    const { path: at, resource, limit, used, asked } = refusal;
    expect(limit).toBe(applied?.get(spell(at))?.policy[resource]);
    expect(used).toBe(sum(was, spell(at))[resource]);
    expect(used + asked).toBeGreaterThan(limit);
  }
}

function isAllowed(was: Flat, applied: Policies | undefined, { request: { command, name } }: Asking): boolean {
  const path = spell(name.path);
  const old = was.unikernels.get(spellName(name))?.value.demand;
  switch (command.kind) {
    case "policy-add":
      return !exceedsAbove(was.policies, path, command.policy);
    case "block-add":
      return applied !== undefined && blockFits(was, applied, path, command.size);
    case "unikernel-create":
      return applied !== undefined && fits(was, applied, path, command.config, old);
    case "unikernel-restart": {
      const { settings } = command;
      return settings === undefined || (applied !== undefined && fits(was, applied, path, settings, old));
    }
    default:
      return true;
  }
}

/** The policies once a local command is carried out. */
function commanded(policies: Policies, past: Flat["past"], { request: { command, name }, now }: Asking): Policies {
  const after = new Map(policies);
  const path = spell(name.path);
  const newest = policies.get(path)?.notBefore ?? past.get(path) ?? now;
  if (command.kind === "policy-add") after.set(path, { policy: command.policy, notBefore: Math.max(now, newest) });
  if (command.kind === "policy-remove") after.delete(path);
  return after;
}

function granted(policies: Policies): Policies {
  return new Map([...policies].map(([at, { policy, notBefore }]) => [at, { policy, notBefore }]));
}

function devicesOf({ blocks }: Demand): readonly string[] {
  return blocks.map(({ name, device = name }) => device);
}
