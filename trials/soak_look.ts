/**
 * What there is at a quiet point, told by the daemon and seen on the machine,
 * and how that differs from what must be.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Client, Unikernel } from "../src/client/main.ts";
import { list, read, taps, tenders } from "./machine.ts";
import { type Model, type Possible, withEnd } from "./soak_model.ts";
import type { World } from "./soak_world.ts";

/** What must not grow. */
export interface Size {
  readonly daemon: { readonly pid: number; readonly descriptors: number; readonly megabytes: number };
  readonly endpoint: { readonly pid: number; readonly descriptors: number; readonly megabytes: number };
  readonly taps: number;
}

/** Compares everything, and takes what was seen for what is where nothing differs. @returns the differences */
export async function compare(world: World, model: Model, client: Client): Promise<readonly string[]> {
  const unikernels = await client.info();
  const devices = await client.blocks.list();
  const policies = await client.policies();
  const content = (name: string): string => digest(readFileSync(join(world.dbdir, "block", fileOf(name))));
  const seen = {
    guests: new Map(unikernels.map((one) => [one.name, `${one.memory} MB ${markOf(one)}`])),
    devices: new Map(devices.map(({ name, size }) => [name, `${size} MB ${content(name)}`])),
    limits: new Map(
      policies.map(({ path, unikernels: count, memory, block }) => [path, `${count} ${memory} ${block}`]),
    ),
  };
  seen.limits.delete("");
  const differences = [
    ...judge("unikernel", model.guests, seen.guests, (guest) => `${guest.memory} MB ${guest.mark}`),
    ...judge("block device", model.devices, seen.devices, (device) => `${device.size} MB ${device.digest}`),
    ...judge("policy", model.limits, seen.limits, (limit) => `${limit.unikernels} ${limit.memory} ${limit.block}`),
    ...onMachine(world, unikernels, [...seen.devices.keys()]),
  ];
  if (differences.length > 0) return differences;
  settle(model.guests, seen.guests, (guest) => `${guest.memory} MB ${guest.mark}`, withEnd);
  settle(model.devices, seen.devices, (device) => `${device.size} MB ${device.digest}`);
  settle(model.limits, seen.limits, (limit) => `${limit.unikernels} ${limit.memory} ${limit.block}`);
  return [];
}

/** Descriptors without the consoles of guests. */
export function measure(world: World): Size {
  const consoles = list(join(world.tmpdir, "fifo")).length;
  const of = (pid: number, less: number): Size["daemon"] => ({
    pid,
    descriptors: list(`/proc/${pid}/fd`).length - less,
    megabytes: Math.round(Number(/^VmRSS:\s*(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) / 1024),
  });
  return { daemon: of(world.pid("daemon"), consoles), endpoint: of(world.pid("endpoint"), 0), taps: taps().length };
}

/** The tender of a unikernel. */
export function tenderOf(world: World, name: string): number | undefined {
  return tenders(world.dbdir).find(([, words]) => words.includes(` --name=${name} `))?.[0];
}

export function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function judge<T>(
  what: string,
  model: ReadonlyMap<string, Possible<T>>,
  seen: ReadonlyMap<string, string>,
  spell: (state: T) => string,
): readonly string[] {
  const names = new Set([...model.keys(), ...seen.keys()]);
  return [...names].flatMap((name) => {
    const there = seen.get(name);
    const possible = (model.get(name) ?? [undefined]).map((state) => (state === undefined ? undefined : spell(state)));
    if (possible.includes(there)) return [];
    return [
      `${what} ${name} is ${there ?? "not there"}, and must be ${possible.map((one) => one ?? "gone").join(" or ")}`,
    ];
  });
}

/** @param later - what one that was just seen may be in the next moment */
function settle<T>(
  model: Map<string, Possible<T>>,
  seen: ReadonlyMap<string, string>,
  spell: (state: T) => string,
  later: (state: T) => Possible<T> = (state) => [state],
): void {
  for (const [name, possible] of model) {
    const there = seen.get(name);
    const found = possible.find((state) => (state === undefined ? undefined : spell(state)) === there);
    model.set(name, found === undefined ? [undefined] : later(found));
  }
}

function onMachine(world: World, unikernels: readonly Unikernel[], devices: readonly string[]): readonly string[] {
  const { dbdir, tmpdir } = world;
  const found = tenders(world.dbdir);
  const runs = (name: string): boolean => found.some(([, words]) => words.includes(` --name=${name} `));
  const running = unikernels.filter(({ name }) => runs(name));
  // One that is started again and again may wait for that.
  const resting = unikernels.filter(({ name, failBehaviour }) => failBehaviour.kind === "quit" && !runs(name));
  const uids = new Set(found.map(([pid]) => /^Uid:\s*(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1]));
  const counts = [
    ["tenders", found.length, running.length],
    ["uids of tenders", uids.size, found.length],
    ["tenders of root", uids.has("0") ? 1 : 0, 0],
    ["consoles", list(join(tmpdir, "fifo")).length, running.length],
    ["records", list(join(tmpdir, "guest")).filter((file) => file.endsWith(".guest")).length, running.length],
    ["taps", taps().length, running.reduce((sum, { bridges }) => sum + bridges.length, 0)],
  ] as const;
  return [
    ...resting.map(({ name }) => `unikernel ${name} does not run`),
    ...counts.flatMap(([what, there, wanted]) => (there === wanted ? [] : [`${there} ${what}, and must be ${wanted}`])),
    ...differ("image", list(join(dbdir, "images")), [...new Set(unikernels.map((one) => one.digest))]),
    ...differ("file", list(join(dbdir, "block")), devices.map(fileOf)),
  ];
}

function differ(what: string, there: readonly string[], wanted: readonly string[]): readonly string[] {
  return [
    ...there.filter((file) => !wanted.includes(file)).map((file) => `${what} ${file} is nobody's`),
    ...wanted.filter((file) => !there.includes(file)).map((file) => `${what} ${file} is missing`),
  ];
}

/** As albatross calls it, where a name at the root begins with a colon. */
function fileOf(name: string): string {
  return name.includes(":") ? name : `:${name}`;
}

function markOf({ arguments: words = [] }: Unikernel): string {
  return words.find((word) => word.startsWith("mark=")) ?? "";
}
