/**
 * Statistics in InfluxDB's line protocol, as albatross-influx sends them: one
 * line for the process, one for its memory, one for each interface, without a
 * time, which the receiver gives them.
 *
 * @module
 */
import type { Interface, KinfoMem, Rusage, Statistics, Timeval } from "../core/statistics.ts";

/**
 * The lines of one unikernel, each with its line feed.
 *
 * @param unikernel - the tag `vm`
 * @param now - milliseconds since the Unix epoch
 */
export function encodeInflux(unikernel: string, statistics: Statistics, now: number): string {
  const { rusage, memory, vmm = [], interfaces } = statistics;
  const vm = `vm=${escapeTag(unikernel)}`;
  const lines = [
    `resource_usage,${vm} ${fields(rusageFields(rusage))}`,
    ...(memory === undefined ? [] : [`kinfo_mem,${vm} ${fields(memoryFields(memory, now))}`]),
    // A line without a field is none.
    ...(vmm.length === 0 ? [] : [`vmm,${vm} ${fields(vmm.map(({ key, value }) => [escapeTag(key), integer(value)]))}`]),
    ...interfaces.map((one) => `interface,${vm}${bridgeTag(one.bridge)} ${fields(interfaceFields(one))}`),
  ];
  return `${lines.join("\n")}\n`;
}

type Fields = readonly (readonly [name: string, value: string])[];

function rusageFields(usage: Rusage): Fields {
  return [
    ["utime", seconds(usage.utime)],
    ["stime", seconds(usage.stime)],
    ["maxrss", integer(usage.maxrss)],
    ["ixrss", integer(usage.ixrss)],
    ["idrss", integer(usage.idrss)],
    ["isrss", integer(usage.isrss)],
    ["minflt", integer(usage.minflt)],
    // albatross's spelling.
    ["maxflt", integer(usage.majflt)],
    ["nswap", integer(usage.nswap)],
    ["inblock", integer(usage.inblock)],
    ["outblock", integer(usage.outblock)],
    ["msgsnd", integer(usage.msgsnd)],
    ["msgrcv", integer(usage.msgrcv)],
    ["nsignals", integer(usage.nsignals)],
    ["nvcsw", integer(usage.nvcsw)],
    ["nivcsw", integer(usage.nivcsw)],
  ];
}

function memoryFields(memory: KinfoMem, now: number): Fields {
  const started = Number(memory.start.seconds) + memory.start.microseconds / 1e6;
  return [
    ["vsize", integer(memory.vsize)],
    ["rss", integer(memory.rss)],
    ["tsize", integer(memory.tsize)],
    ["dsize", integer(memory.dsize)],
    ["ssize", integer(memory.ssize)],
    ["cow_faults", integer(memory.cow)],
    ["runtime", integer(memory.runtime)],
    ["uptime", (now / 1000 - started).toFixed(6)],
  ];
}

/** Input of the tap is what the guest sent. */
function interfaceFields(one: Interface): Fields {
  return [
    ["send_queue_length", integer(one.sendLength)],
    ["max_send_queue_length", integer(one.maxSendLength)],
    ["send_queue_drops", integer(one.sendDrops)],
    ["mtu", integer(one.mtu)],
    ["baudrate", integer(one.baudrate)],
    ["vm_to_host_packets", integer(one.inputPackets)],
    ["vm_to_host_errors", integer(one.inputErrors)],
    ["vm_to_host_bytes", integer(one.inputBytes)],
    ["vm_to_host_mcast", integer(one.inputMcast)],
    ["vm_to_host_dropped", integer(one.inputDropped)],
    ["collisions", integer(one.collisions)],
    ["host_to_vm_packets", integer(one.outputPackets)],
    ["host_to_vm_errors", integer(one.outputErrors)],
    ["host_to_vm_bytes", integer(one.outputBytes)],
    ["host_to_vm_mcast", integer(one.outputMcast)],
    ["host_to_vm_dropped", integer(one.outputDropped)],
  ];
}

/** An empty tag would make the line unreadable. */
function bridgeTag(bridge: string): string {
  return bridge === "" ? "" : `,bridge=${escapeTag(bridge)}`;
}

function fields(all: Fields): string {
  return all.map(([name, value]) => `${name}=${value}`).join(",");
}

function seconds({ seconds: whole, microseconds }: Timeval): string {
  return `${BigInt.asUintN(64, whole)}.${String(microseconds).padStart(6, "0")}`;
}

function integer(value: bigint | number): string {
  return `${BigInt.asUintN(64, BigInt(value))}i`;
}

/** Backslashes and controls cannot be written in a tag: the one would escape what follows, the others end the line. */
function escapeTag(text: string): string {
  return text.replace(/[\\\p{Cc}\p{Cs}]/gu, "_").replace(/[,= ]/g, (character) => `\\${character}`);
}
