/**
 * The same thing again and again, by so many at once, for so long.
 *
 * @module
 */
import type { Figure } from "./figure.ts";
import { cpuMicros } from "./processes.ts";

export interface Load {
  readonly part: string;
  readonly what: string;
  readonly who: Figure["who"];
  readonly pids: readonly number[];
  /** Milliseconds. */
  readonly time: number;
  /** How many at once. */
  readonly parallel: number;
}

/** @param one - does it once; given which of those at once it is */
export async function load(
  { part, what, who, pids, time, parallel }: Load,
  one: (worker: number) => Promise<unknown>,
): Promise<Figure> {
  await once(parallel, performance.now() + time / 5, one);
  const before = cpuMicros(pids);
  const begun = performance.now();
  const latencies = await once(parallel, begun + time, one);
  const took = performance.now() - begun;
  const cpu = cpuMicros(pids) - before;
  const count = latencies.length;
  return {
    part,
    what,
    who,
    perSecond: (count * 1000) / took,
    milliseconds: latencies.toSorted((a, b) => a - b)[Math.floor(count / 2)] ?? 0,
    cpuMicros: cpu / count,
  };
}

async function once(parallel: number, end: number, one: (worker: number) => Promise<unknown>): Promise<number[]> {
  const latencies: number[] = [];
  const worker = async (_: unknown, at: number): Promise<void> => {
    for (let before = performance.now(); before < end; ) {
      await one(at);
      const now = performance.now();
      latencies.push(now - before);
      before = now;
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return latencies;
}
