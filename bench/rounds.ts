/**
 * What takes long enough to be done a few times alone, and what it is done with.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import type { Figure } from "./figure.ts";
import type { Host } from "./hosts.ts";
import { cpuMicros } from "./processes.ts";

/**
 * The middle one of a few.
 *
 * @param check - is shown what came of each, outside of its time
 */
export async function measure<T>(
  host: Host,
  part: string,
  what: string,
  one: (at: number) => Promise<T>,
  check: (result: T) => void = () => undefined,
): Promise<Figure> {
  const before = cpuMicros(host.pids);
  const times: number[] = [];
  for (let at = 0; at < rounds; at++) {
    const begun = performance.now();
    const result = await one(at);
    times.push(performance.now() - begun);
    check(result);
  }
  const milliseconds = times.toSorted((a, b) => a - b)[Math.floor(rounds / 2)] ?? 0;
  return { part, what, who: host.who, milliseconds, cpuMicros: (cpuMicros(host.pids) - before) / rounds };
}

/** So many MB for a block device: half of it cannot be compressed, the other half says the same again and again. */
export function contentOf(size: number): Buffer {
  const half = randomBytes((size / 2) * megabyte);
  return Buffer.concat([half, Buffer.alloc(half.length, "fulmar ")]);
}

export const megabyte: number = 1024 * 1024;
export const rounds = 3;
