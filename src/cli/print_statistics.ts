/**
 * Statistics as lines: albatross-client's, below the full name that it leaves out.
 *
 * @module
 */
import { type Name, printName } from "../core/name.ts";
import type { Interface, KinfoMem, Rusage, Statistics, Timeval } from "../core/statistics.ts";
import { escapeText } from "./escape.ts";

/** One measurement. */
export function printStatistics(name: Name, { rusage, memory, vmm, interfaces }: Statistics): string {
  const lines = [
    `[unikernel: ${printName(name)}]`,
    `stats: ${printUsage(rusage)}`,
    memory === undefined ? "no kinfo_mem stats" : printMemory(memory),
    ...(vmm?.map(({ key, value }) => `${escapeText(key)}: ${value}`) ?? ["no vmm stats"]),
    ...interfaces.map(printInterface),
  ];
  return `${lines.join("\n")}\n`;
}

function printUsage(usage: Rusage): string {
  return words([
    ["utime", seconds(usage.utime)],
    ["stime", seconds(usage.stime)],
    ["maxrss", usage.maxrss],
    ["ixrss", usage.ixrss],
    ["idrss", usage.idrss],
    ["isrss", usage.isrss],
    ["minflt", usage.minflt],
    ["majflt", usage.majflt],
    ["nswap", usage.nswap],
    ["inblock", usage.inblock],
    ["outblock", usage.outblock],
    ["msgsnd", usage.msgsnd],
    ["msgrcv", usage.msgrcv],
    ["signals", usage.nsignals],
    ["nvcsw", usage.nvcsw],
    ["nivcsw", usage.nivcsw],
  ]);
}

function printMemory(memory: KinfoMem): string {
  return words([
    ["virtual-size", memory.vsize],
    ["rss", memory.rss],
    ["text-size", memory.tsize],
    ["data-size", memory.dsize],
    ["stack-size", memory.ssize],
    ["runtime", memory.runtime],
    ["cow", BigInt(memory.cow)],
    ["start", seconds(memory.start)],
  ]);
}

function printInterface(one: Interface): string {
  return words([
    ["bridge", escapeText(one.bridge)],
    ["flags", one.flags.toString(16).toUpperCase()],
    ["send_length", BigInt(one.sendLength)],
    ["max_send_length", BigInt(one.maxSendLength)],
    ["send_drops", BigInt(one.sendDrops)],
    ["mtu", BigInt(one.mtu)],
    ["baudrate", one.baudrate],
    ["input_packets", one.inputPackets],
    ["input_errors", one.inputErrors],
    ["output_packets", one.outputPackets],
    ["output_errors", one.outputErrors],
    ["collisions", one.collisions],
    ["input_bytes", one.inputBytes],
    ["output_bytes", one.outputBytes],
    ["input_mcast", one.inputMcast],
    ["output_mcast", one.outputMcast],
    ["input_dropped", one.inputDropped],
    ["output_dropped", one.outputDropped],
  ]);
}

/** Numbers as the unsigned ones that they are counted in. */
function words(pairs: readonly (readonly [string, bigint | string])[]): string {
  return pairs
    .map(([name, value]) => `${name} ${typeof value === "string" ? value : BigInt.asUintN(64, value)}`)
    .join(" ");
}

function seconds({ seconds: whole, microseconds }: Timeval): string {
  return `${BigInt.asUintN(64, whole)}.${String(microseconds).padStart(6, "0")}`;
}
