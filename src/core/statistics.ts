/**
 * What is measured of a running unikernel: the operating system's account of its tender, and of its taps.
 *
 * Counters are 64-bit and therefore bigints.
 *
 * @module
 */
import type { Name } from "./name.ts";

export interface Timeval {
  readonly seconds: bigint;
  readonly microseconds: number;
}

/**
 * getrusage(2), field for field. What Linux does not tell of another process is 0, and `maxrss` is what is resident now,
 * in pages: so does albatross, and what is collected stays comparable.
 */
export interface Rusage {
  readonly utime: Timeval;
  readonly stime: Timeval;
  readonly maxrss: bigint;
  readonly ixrss: bigint;
  readonly idrss: bigint;
  readonly isrss: bigint;
  readonly minflt: bigint;
  readonly majflt: bigint;
  readonly nswap: bigint;
  readonly inblock: bigint;
  readonly outblock: bigint;
  readonly msgsnd: bigint;
  readonly msgrcv: bigint;
  readonly nsignals: bigint;
  readonly nvcsw: bigint;
  readonly nivcsw: bigint;
}

/** The tender's memory: `vsize` in bytes, the other sizes in pages, `runtime` in µs. */
export interface KinfoMem {
  readonly vsize: bigint;
  readonly rss: bigint;
  readonly tsize: bigint;
  readonly dsize: bigint;
  readonly ssize: bigint;
  readonly runtime: bigint;
  readonly cow: number;
  readonly start: Timeval;
}

/** Counters of one interface. The first five after the name are 32-bit, unsigned. */
export interface Interface {
  readonly bridge: string;
  readonly flags: number;
  readonly sendLength: number;
  readonly maxSendLength: number;
  readonly sendDrops: number;
  readonly mtu: number;
  readonly baudrate: bigint;
  readonly inputPackets: bigint;
  readonly inputErrors: bigint;
  readonly outputPackets: bigint;
  readonly outputErrors: bigint;
  readonly collisions: bigint;
  readonly inputBytes: bigint;
  readonly outputBytes: bigint;
  readonly inputMcast: bigint;
  readonly outputMcast: bigint;
  readonly inputDropped: bigint;
  readonly outputDropped: bigint;
}

export interface Statistics {
  readonly rusage: Rusage;
  readonly interfaces: readonly Interface[];
  readonly vmm?: readonly { readonly key: string; readonly value: bigint }[];
  readonly memory?: KinfoMem;
}

/** The names whose subscribers hear of `name`: itself, and every path that it is in, the nearest first. */
export function* namesAbout(name: Name): Generator<Name> {
  if (name.label !== undefined) yield name;
  for (let depth = name.path.length; depth >= 0; depth--) yield { path: name.path.slice(0, depth) };
}
