/**
 * Processes and the host as /proc tells of them.
 *
 * A process is known by its pid and the time that it started: a pid alone may
 * be another process by now. All reads are synchronous: 6 to 16 µs each, where
 * the promise variants cost 350.
 *
 * @module
 */
import { readdirSync, readFileSync, statfsSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { sortedSet } from "../core/policy.ts";
import { ok, type Result } from "../core/result.ts";
import { errnoOf } from "./io.ts";
import { type RunError, run } from "./run.ts";

/** One process for ever, also after its pid is used again. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks from the boot to the start of the process. */
  readonly start: number;
}

/**
 * `lingering`: the first thread has ended, another one has not, and only SIGKILL ends that (hvt after a failed
 * assertion). `ended` includes a zombie that its parent has not waited for.
 */
export type ProcessState = "running" | "lingering" | "ended";

export type SignalName = "SIGTERM" | "SIGKILL";

/** The process that has this pid now. */
export function readProcess(pid: number): ProcessIdentity | undefined {
  const stat = readStat(pid);
  return stat && { pid, start: stat.start };
}

export function processState(identity: ProcessIdentity): ProcessState {
  const stat = readStat(identity.pid);
  if (stat === undefined || stat.start !== identity.start) return "ended";
  if (stat.state !== "Z" && stat.state !== "X") return "running";
  return stat.threads > 1 ? "lingering" : "ended";
}

export function isAlive(identity: ProcessIdentity): boolean {
  return processState(identity) !== "ended";
}

/** Whether the pid is taken, by whichever process, be it a zombie: 1 µs, where `processState` needs 20. */
export function isPidTaken(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (thrown) {
    return errnoOf(thrown) !== "ESRCH";
  }
}

/**
 * Signals the process, and no other that has its pid by now.
 *
 * @returns whether there was one to signal
 */
export function kill(identity: ProcessIdentity, signal: SignalName): boolean {
  if (!isAlive(identity)) return false;
  try {
    return process.kill(identity.pid, signal);
  } catch {
    return false;
  }
}

/** Signals whichever process has this pid. @returns whether there is one that we may signal */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch (thrown) {
    errnoOf(thrown);
    return false;
  }
}

/**
 * Whether SIGTERM does anything: the first process of a PID namespace gets no signal that it has no handler for, but
 * SIGKILL (pid_namespaces(7)).
 */
export function takesTermination(pid: number): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    const [, caught = ""] = /^SigCgt:\s*([0-9a-f]+)$/m.exec(status) ?? [];
    return !/^NSpid:.*\s1$/m.test(status) || (Number.parseInt(caught.slice(-4), 16) & terminationBit) !== 0;
  } catch {
    return true;
  }
}

/**
 * Descriptors of ours, from 3 on, that every child would have too: those that a library opened without O_CLOEXEC (LMDB
 * its data file), and those that whoever started us left open. Node's own are none of them.
 */
export function listInheritable(): readonly number[] {
  return readdirSync("/proc/self/fd")
    .map(Number)
    .filter((fd) => fd > 2 && isInheritable(fd));
}

function isInheritable(fd: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "latin1"))?.[1];
    return flags !== undefined && (Number.parseInt(flags, 8) & closeOnExec) === 0;
  } catch {
    // The one that the folder was read by.
    return false;
  }
}

/** Changes with every boot: a start time means nothing after another one. */
export function readBootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
}

/** What of the host goes into the root policy. */
export interface HostFacts {
  /** Ascending: those that this process may use, cpuset included. */
  readonly cpuids: readonly number[];
  /** MB. */
  readonly memory: number;
}

export function readHostFacts(): HostFacts {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1];
  const cpuids = list === undefined ? cpus().map((_, id) => id) : parseCpuList(list);
  return { cpuids, memory: Math.floor(totalmem() / megabyte) };
}

/** Sizes of the file system that a folder is on, MB. */
export interface FolderSpace {
  readonly free: number;
  readonly total: number;
}

export function readFolderSpace(path: string): FolderSpace {
  const { bsize, bavail, blocks } = statfsSync(path);
  return { free: Math.floor((bavail * bsize) / megabyte), total: Math.floor((blocks * bsize) / megabyte) };
}

/** The bridges of the network namespace that we are in, ascending; asked of the kernel, as sysfs may show another one. */
export async function listBridges(): Promise<Result<readonly string[], RunError>> {
  const links = await run(["ip", "-j", "link", "show", "type", "bridge"]);
  if (!links.ok) return links;
  const names = [...links.value.matchAll(/"ifname":"([^"\\]+)"/g)].map((match) => match[1] ?? "");
  return ok(sortedSet(names));
}

/** Reads `0-3,8`. */
export function parseCpuList(list: string): readonly number[] {
  return list.split(",").flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

interface Stat {
  readonly state: string;
  readonly threads: number;
  readonly start: number;
}

/** Reads /proc/PID/stat (proc_pid_stat(5)); the fields count from behind the program's name, which may hold anything. */
function readStat(pid: number): Stat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0] ?? "", threads: Number(fields[17]), start: Number(fields[19]) };
}

/** Signal 15 in the sets of /proc/PID/status. */
const terminationBit: number = 1 << 14;

/** O_CLOEXEC of asm-generic/fcntl.h, as /proc/PID/fdinfo shows it; Node has no name for it. */
const closeOnExec = 0o2000000;

/** albatross's MB. */
const megabyte: number = 1024 * 1024;
