/**
 * Measuring processes and their taps: what /proc and /sys tell of them, as
 * albatross-stats tells it on Linux.
 *
 * All reads are synchronous, 6 to 16 µs each, and no program is started. The
 * counters of all taps come from one file, /proc/self/net/dev, which is that of
 * the network namespace that we are in; /sys may show another one, and is
 * asked for flags and MTU only where it shows the same interfaces.
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import { endianness } from "node:os";
import type { Tap } from "../core/command.ts";
import type { Interface, KinfoMem, Rusage, Statistics, Timeval } from "../core/statistics.ts";
import type { ProcessIdentity } from "./proc.ts";

/** What is measured. */
export interface Target {
  readonly process: ProcessIdentity;
  /** In place of the bridge the guest's device may stand, as albatross has it. */
  readonly network: readonly Tap[];
}

/** How the kernel counts. */
export interface Units {
  /** Clock ticks of a second. */
  readonly ticks: bigint;
  /** Bytes. */
  readonly pageSize: bigint;
}

/** One process's account, and what tells whether it is the one that was meant. */
export interface Account {
  /** Clock ticks from the boot to the start of the process. */
  readonly start: number;
  readonly rusage: Rusage;
  readonly memory: KinfoMem;
}

/** The three files of a process below /proc. */
export interface ProcessTexts {
  readonly stat: string;
  readonly statm: string;
  readonly status: string;
}

export class Sampler {
  readonly units: Units = readUnits();
  #boot = Number.NEGATIVE_INFINITY;

  /** Measures all targets, one after the other; undefined for a process that has ended. */
  sample(targets: readonly Target[]): readonly (Statistics | undefined)[] {
    const boot = this.#bootTime();
    const measureTap = targets.some(({ network }) => network.length > 0) ? openInterfaces() : () => undefined;
    return targets.map(({ process, network }) => {
      const texts = readTexts(process.pid);
      const account = texts && parseAccount(texts, this.units, boot);
      if (account === undefined || account.start !== process.start) return undefined;
      const interfaces = network.flatMap((tap) => measureTap(tap) ?? []);
      return { rusage: account.rusage, interfaces, memory: account.memory };
    });
  }

  /** Milliseconds; moves only if the clock was set, so that a process's start stays what it is. */
  #bootTime(): number {
    const boot = Date.now() - Number.parseFloat(readFileSync("/proc/uptime", "latin1")) * 1000;
    if (Math.abs(boot - this.#boot) > clockSet) this.#boot = boot;
    return this.#boot;
  }
}

/**
 * Reads a process's account (proc_pid_stat(5) and following); undefined where there is none, and for a zombie.
 *
 * @param boot - ms since the Unix epoch
 */
export function parseAccount({ stat, statm, status }: ProcessTexts, units: Units, boot: number): Account | undefined {
  // The fields count from behind the program's name, which may hold anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const pages = statm.split(" ");
  const field = (index: number): bigint => parseCounter(fields[index]);
  if (fields.length < 40 || pages.length < 7 || fields[0] === "Z" || fields[0] === "X") return undefined;
  const [user, system, start] = [field(11), field(12), field(19)];
  const rss = field(21);
  const data = parseCounter(pages[5]);
  const started = (BigInt(Math.round(boot)) * 1000n * units.ticks + start * 1_000_000n) / units.ticks;
  const rusage: Rusage = {
    ...noUsage,
    utime: timeval((user * 1_000_000n) / units.ticks),
    stime: timeval((system * 1_000_000n) / units.ticks),
    maxrss: rss,
    minflt: field(7),
    majflt: field(9),
    nvcsw: parseSwitches(status, "voluntary"),
    nivcsw: parseSwitches(status, "nonvoluntary"),
  };
  const memory: KinfoMem = {
    vsize: field(20),
    rss,
    tsize: parseCounter(pages[3]),
    dsize: data,
    ssize: data,
    runtime: ((user + system) * 1_000_000n) / units.ticks,
    cow: 0,
    start: timeval(started),
  };
  return { start: Number(start), rusage, memory };
}

/** The counters of /proc/net/dev, by interface; flags and MTU are not in it and 0. */
export function parseInterfaces(text: string): ReadonlyMap<string, Interface> {
  const interfaces = new Map<string, Interface>();
  for (const line of text.split("\n").slice(2)) {
    const colon = line.lastIndexOf(":");
    const columns = line
      .slice(colon + 1)
      .trim()
      .split(/ +/);
    if (colon < 0 || columns.length < 16) continue;
    const column = (index: number): bigint => parseCounter(columns[index]);
    interfaces.set(line.slice(0, colon).trim(), {
      ...noInterface,
      inputBytes: column(0),
      inputPackets: column(1),
      inputErrors: column(2),
      inputDropped: column(3),
      inputMcast: column(7),
      outputBytes: column(8),
      outputPackets: column(9),
      outputErrors: column(10),
      outputDropped: column(11),
      collisions: column(13),
    });
  }
  return interfaces;
}

function readTexts(pid: number): ProcessTexts | undefined {
  try {
    const [stat, statm, status] = ["stat", "statm", "status"].map((file) =>
      readFileSync(`/proc/${pid}/${file}`, "latin1"),
    );
    return { stat: stat ?? "", statm: statm ?? "", status: status ?? "" };
  } catch {
    return undefined;
  }
}

/** The interfaces as they are now. */
function openInterfaces(): (tap: Tap) => Interface | undefined {
  const counters = parseInterfaces(readFileSync("/proc/self/net/dev", "latin1"));
  const described = isOurs(counters);
  const known = new Map<string, Interface>();
  return ({ bridge, tap }) => {
    const counted = counters.get(tap);
    if (counted === undefined) return undefined;
    const measured = known.get(tap) ?? { ...counted, ...(described ? describeInterface(tap) : {}) };
    known.set(tap, measured);
    return { ...measured, bridge };
  };
}

/** Whether /sys shows the interfaces of the namespace that we are in. */
function isOurs(counters: ReadonlyMap<string, unknown>): boolean {
  try {
    const shown = readdirSync(interfaceFolder).filter((name) => name !== "bonding_masters");
    return shown.length === counters.size && shown.every((name) => counters.has(name));
  } catch {
    return false;
  }
}

function describeInterface(name: string): Pick<Interface, "flags" | "mtu"> {
  const file = (attribute: string): string | undefined => {
    try {
      return readFileSync(`${interfaceFolder}/${name}/${attribute}`, "latin1").trim();
    } catch {
      return undefined;
    }
  };
  return { flags: readFlags(file), mtu: Number(file("mtu") ?? 0) };
}

/**
 * An interface's flags as netlink says them (dev_get_flags): without what a bridge switched on, with what changes by
 * itself.
 *
 * @param file - the content of one below /sys/class/net/NAME
 */
export function readFlags(file: (attribute: "flags" | "operstate" | "carrier") => string | undefined): number {
  const flags = Number(file("flags") ?? 0) & ~flagsOfBridge;
  if ((flags & flagUp) === 0) return flags;
  const state = file("operstate");
  const running = state === "up" || state === "unknown" ? flagRunning : 0;
  const carrier = file("carrier") === "1" ? flagLowerUp : 0;
  return flags | running | carrier;
}

function parseSwitches(status: string, kind: "voluntary" | "nonvoluntary"): bigint {
  return parseCounter(new RegExp(`^${kind}_ctxt_switches:\\s*(\\d+)$`, "m").exec(status)?.[1]);
}

function parseCounter(text: string | undefined): bigint {
  return text !== undefined && /^\d+$/.test(text) ? BigInt(text) : 0n;
}

function timeval(microseconds: bigint): Timeval {
  return { seconds: microseconds / 1_000_000n, microseconds: Number(microseconds % 1_000_000n) };
}

/** From the auxiliary vector that the kernel gave this process (getauxval(3)): pairs of machine words. */
function readUnits(): Units {
  const vector = readFileSync("/proc/self/auxv");
  const word = (at: number): bigint =>
    endianness() === "LE" ? vector.readBigUInt64LE(at) : vector.readBigUInt64BE(at);
  const found = new Map<bigint, bigint>();
  for (let at = 0; at + 16 <= vector.length; at += 16) found.set(word(at), word(at + 8));
  return { ticks: found.get(auxTicks) ?? 100n, pageSize: found.get(auxPageSize) ?? 4096n };
}

const noTime: Timeval = { seconds: 0n, microseconds: 0 };

const noUsage: Rusage = {
  utime: noTime,
  stime: noTime,
  maxrss: 0n,
  ixrss: 0n,
  idrss: 0n,
  isrss: 0n,
  minflt: 0n,
  majflt: 0n,
  nswap: 0n,
  inblock: 0n,
  outblock: 0n,
  msgsnd: 0n,
  msgrcv: 0n,
  nsignals: 0n,
  nvcsw: 0n,
  nivcsw: 0n,
};

const noInterface: Interface = {
  bridge: "",
  flags: 0,
  sendLength: 0,
  maxSendLength: 0,
  sendDrops: 0,
  mtu: 0,
  baudrate: 0n,
  inputPackets: 0n,
  inputErrors: 0n,
  outputPackets: 0n,
  outputErrors: 0n,
  collisions: 0n,
  inputBytes: 0n,
  outputBytes: 0n,
  inputMcast: 0n,
  outputMcast: 0n,
  inputDropped: 0n,
  outputDropped: 0n,
};

const interfaceFolder = "/sys/class/net";

/** Milliseconds: /proc/uptime is exact to 10. */
const clockSet = 500;

/** linux/if.h */
const flagUp = 0x1;
const flagRunning = 0x40;
/** IFF_PROMISC, IFF_ALLMULTI. */
const flagsOfBridge = 0x300;
const flagLowerUp = 0x10000;

/** linux/auxvec.h: AT_PAGESZ, AT_CLKTCK. */
const auxPageSize = 6n;
const auxTicks = 17n;
