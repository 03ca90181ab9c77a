/**
 * Guests: tenders that run under a shim, so that they outlive the daemon, and
 * the watch over them, by this daemon or a later one.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync, statSync } from "node:fs";

import type { Name } from "../core/name.ts";
import type { ExitStatus } from "../core/restart.ts";
import { err, ok, type Result } from "../core/result.ts";
import { cageEnvironment } from "./cage.ts";
import {
  filesOf,
  forgetGuest,
  type GuestFiles,
  type GuestRecord,
  listRecords,
  readExit,
  readIdentity,
  readTime,
  writeRecord,
} from "./guest_files.ts";
import { attempt, errnoOf, type IoError, makeFolder } from "./io.ts";
import { isAlive, isPidTaken, kill, type ProcessIdentity, processState, takesTermination } from "./proc.ts";
import { shim } from "./shim.ts";

export interface Guest {
  readonly name: Name;
  readonly identity: ProcessIdentity;
  /** Never rejects. */
  readonly exited: Promise<ExitStatus>;
}

export interface GuestStart {
  readonly name: Name;
  /** The tender's command line with its cage. */
  readonly argv: readonly string[];
  /** The rest of its cell (see cell), where it has one: what runs the shim, the table of mounts, the cgroup. */
  readonly apart?: readonly string[];
  readonly mounts?: string;
  readonly cgroup?: string;
  /** The console's FIFO. */
  readonly fifo: string;
  readonly runDir: string;
  /** What the daemon that adopts the guest is told: a text of any form. */
  readonly note: string;
  /** Descriptors of the daemon's that must not reach the guest (see `listInheritable`). */
  readonly inheritable?: readonly number[];
}

export type GuestError =
  /** The shim itself did not start. */
  | { readonly kind: "shim-failed"; readonly code: string }
  /** It did not report the tender's pid: the run folder is full or gone. */
  | { readonly kind: "shim-silent"; readonly limit: number }
  /** The guest's side could not enter its cgroup or mount its file system. */
  | { readonly kind: "cell-closed"; readonly part: string }
  | { readonly kind: "guest-unkillable"; readonly pid: number; readonly waited: number }
  | IoError;

/** What an earlier daemon left of a guest; `stopping` if it had told it to end. */
export type Adopted =
  | { readonly kind: "running"; readonly guest: Guest; readonly note: string; readonly stopping: boolean }
  | {
      readonly kind: "ended";
      readonly name: Name;
      /** Unknown for a guest of another boot too: the host's end was its. */
      readonly status: ExitStatus;
      /** Ms since the Unix epoch. */
      readonly at?: number;
      readonly note: string;
      readonly stopping: boolean;
    };

/**
 * Starts a tender. A program that cannot be run shows as an exit with 126 or 127, and its reason on the console.
 */
export async function startGuest(start: GuestStart): Promise<Result<Guest, GuestError>> {
  const { name, fifo, runDir, note } = start;
  const files = filesOf(runDir, name);
  const prepared = await attempt("record", files.guest, async () => {
    await makeFolder(runDir, 0o700);
    statSync(fifo);
    writeRecord(files, { name, note });
  });
  if (!prepared.ok) return prepared;
  const child = spawnShim(start, files);
  child.unref();
  const identity = await readReport(child);
  if (!identity.ok) {
    if (child.pid !== undefined) killGroup(child.pid);
    forgetGuest(runDir, name);
    return identity;
  }
  return ok({ name, identity: identity.value, exited: watch(identity.value, files, child) });
}

/** The shim cannot close descriptors over 9, no POSIX shell can: those that it must not have lead to /dev/null. */
function spawnShim(start: GuestStart, files: GuestFiles): ChildProcess {
  const { argv, fifo, apart = [], mounts = "", cgroup = "", inheritable = [] } = start;
  const words = [fifo, files.pid, files.exit, mounts, cgroup, ...argv];
  const [program = "", ...rest] = [...apart, "/bin/sh", "-c", shim, shimName, ...words];
  const nowhere = openSync("/dev/null", "r");
  try {
    const stdio: ("ignore" | "pipe" | number)[] = new Array(Math.max(2, ...inheritable) + 1).fill("ignore");
    for (const fd of inheritable) stdio[fd] = nowhere;
    stdio[3] = "pipe";
    return spawn(program, rest, { detached: true, stdio, env: cageEnvironment, cwd: "/" });
  } finally {
    closeSync(nowhere);
  }
}

/** All guests that an earlier daemon started and nobody forgot. */
export function adoptGuests(runDir: string): Promise<Result<readonly Adopted[], IoError>> {
  return attempt("read", runDir, async () => {
    await makeFolder(runDir, 0o700);
    return listRecords(runDir).map((record) => adopt(runDir, record));
  });
}

/**
 * Stops a guest: SIGTERM, and SIGKILL after the grace period, or at once where SIGTERM can do nothing.
 *
 * @param grace - ms
 */
export async function stopGuest(guest: Guest, grace: number): Promise<Result<ExitStatus, GuestError>> {
  kill(guest.identity, takesTermination(guest.identity.pid) ? "SIGTERM" : "SIGKILL");
  const deadline = performance.now() + grace;
  while (performance.now() < deadline) {
    const status = await within(guest.exited, Math.min(stopInterval, deadline - performance.now()));
    if (status !== undefined) return ok(status);
    if (processState(guest.identity) === "lingering") break;
  }
  kill(guest.identity, "SIGKILL");
  const status = await within(guest.exited, killLimit);
  if (status !== undefined) return ok(status);
  return err({ kind: "guest-unkillable", pid: guest.identity.pid, waited: killLimit });
}

/** The one line that the shim writes: the tender's pid and start time. */
function readReport(child: ChildProcess): Promise<Result<ProcessIdentity, GuestError>> {
  return new Promise((resolve) => {
    let text = "";
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      resolve(err({ kind: "shim-silent", limit: reportLimit }));
    }, reportLimit);
    const finish = (result: Result<ProcessIdentity, GuestError>): void => {
      clearTimeout(timer);
      resolve(result);
    };
    child.once("error", (error: NodeJS.ErrnoException) => finish(err({ kind: "shim-failed", code: error.code ?? "" })));
    // Without a descriptor left there are no pipes, whatever Node's types say; the error follows.
    const pipe = (child as Partial<ChildProcess>).stdio?.[3];
    pipe?.on("data", (bytes: Buffer) => {
      text += bytes.toString("latin1");
    });
    pipe?.on("close", () => {
      finish(parseReport(text));
    });
  });
}

function parseReport(text: string): Result<ProcessIdentity, GuestError> {
  const [pid = "", rest = ""] = text.trim().split(" ");
  if (Number(pid) > 0) return ok({ pid: Number(pid), start: Number(rest) });
  return err(rest === "" ? { kind: "shim-silent", limit: reportLimit } : { kind: "cell-closed", part: rest });
}

/** Ends a shim that did not report, and the tender that it may have started. */
function killGroup(shimPid: number): void {
  try {
    process.kill(-shimPid, "SIGKILL");
  } catch (thrown) {
    errnoOf(thrown);
  }
}

/** Resolves when the process has ended: at once when its shim tells, else at the next look. */
function watch(identity: ProcessIdentity, files: GuestFiles, shimProcess?: ChildProcess): Promise<ExitStatus> {
  return new Promise((resolve) => {
    let looks = -1;
    let ended = 0;
    const look = (): void => {
      looks += 1;
      if (looks % looksPerState !== 0 && isPidTaken(identity.pid)) return;
      const state = processState(identity);
      if (state === "lingering") kill(identity, "SIGKILL");
      if (state !== "ended") return;
      ended += 1;
      const status = readExit(files, identity);
      if (status === undefined && ended < looksForStatus) return;
      clearInterval(timer);
      resolve(status ?? { kind: "unknown" });
    };
    const timer = setInterval(look, lookInterval);
    timer.unref();
    shimProcess?.once("exit", look);
    look();
  });
}

function adopt(runDir: string, { name, note }: GuestRecord): Adopted {
  const files = filesOf(runDir, name);
  const stopping = readTime(files.stop) !== undefined;
  if (readTime(files.pid) === undefined) for (const pid of findShims(files)) killGroup(pid);
  const identity = readIdentity(files);
  if (identity !== undefined && isAlive(identity)) {
    return { kind: "running", guest: { name, identity, exited: watch(identity, files) }, note, stopping };
  }
  const status = identity && readExit(files, identity);
  const at = readTime(files.exit);
  return {
    kind: "ended",
    name,
    status: status ?? { kind: "unknown" },
    ...(at === undefined ? {} : { at }),
    note,
    stopping,
  };
}

/** Shims that the daemon started just before its own end, and that have not told of their tender yet. */
function findShims({ pid: file }: GuestFiles): readonly number[] {
  return readdirSync("/proc").flatMap((entry) => {
    const words = /^\d+$/.test(entry) ? readCommandLine(entry).split("\0") : [];
    return words.includes(shimName) && words.includes(file) ? [Number(entry)] : [];
  });
}

/** Empty for a process that has ended. */
function readCommandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

/** The value, or undefined if it does not come in so many ms. */
async function within<T>(promise: Promise<T>, limit: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, Math.max(limit, 0), undefined);
  });
  const value = await Promise.race([promise, late]);
  clearTimeout(timer);
  return value;
}

/** What a shim calls itself, for whoever lists processes. */
const shimName = "fulmar-shim";

/** Milliseconds between looks at whether the pid is still taken. */
const lookInterval = 500;

/** So many looks to one at whether it is still that process, and alive: 400 guests cost less than 2 % of a CPU. */
const looksPerState = 10;

/** Looks at an ended process without a status, until it counts as lost: the shim writes it within ms. */
const looksForStatus = 3;

/** Milliseconds; a shim reports after 5. */
const reportLimit = 10_000;

/** Milliseconds between looks while a guest is stopped. */
const stopInterval = 100;

/** Milliseconds that the kernel may need to end a process that holds much memory. */
const killLimit = 10_000;
