/**
 * `tracer.js LOG FOLDER AT HARM`: told a process on standard input, it numbers
 * the changes that this process and all that it starts make, from 1, writes
 * them down, and interferes at one of them. It ends with them, or killed.
 *
 * @module
 */
import { appendFileSync, readSync, writeSync } from "node:fs";
import { type Change, canDiskRefuse, changeOf } from "./calls.ts";
import { killProcess, read } from "./machine.ts";
import { Ptrace } from "./ptrace.ts";

/** Of a file that is written in many pieces, these are enough. */
const mostSame = 3;

const [log = "", folder = "", at = "0", harm = "none"] = process.argv.slice(2);
const errors: Readonly<Record<string, number>> = { EIO: 5, ENOSPC: 28 };
const error = errors[harm];
const ptrace = new Ptrace();
/** Of a thread's process. */
const processes: Map<number, number> = new Map();
const failing: Set<number> = new Set();
let count = 0;
/** What was met last, and how often in a row. */
let latest = "";
let same = 0;

const root = Number(readLine());
if (!ptrace.seize(root)) throw new Error(`no process ${root}`);
writeSync(1, "traced\n");
for (let stop = ptrace.next(); stop !== undefined; stop = ptrace.next()) {
  const { tid } = stop;
  if (stop.kind === "ended") {
    processes.delete(tid);
    continue;
  }
  if (stop.kind === "enter") {
    const change = changeOf(stop.call, { tid, root: processOf(tid) === root });
    if (change !== undefined) meet(tid, change);
  } else if (stop.kind === "leave" && failing.delete(tid)) ptrace.answer(tid, -(error ?? 0));
  ptrace.resume(tid, stop.kind === "signal" ? stop.signal : 0);
}

function meet(tid: number, change: Change): void {
  const pid = processOf(tid);
  if (!concerns(change, pid === root)) return;
  const text = `${nameOf(pid)} ${change.call} ${change.target}`;
  same = text === latest ? same + 1 : 1;
  latest = text;
  if (same > mostSame) return;
  count += 1;
  const harmed = count === Number(at);
  appendFileSync(log, `${count} ${harmed ? harm : "-"} ${text}\n`);
  if (!harmed) return;
  if (error !== undefined) {
    ptrace.skip(tid);
    failing.add(tid);
  } else for (const victim of victims(pid)) killProcess(victim);
}

/** @param own - whether the process that is tried makes it */
function concerns(change: Change, own: boolean): boolean {
  switch (harm) {
    case "EIO":
    case "ENOSPC":
      return canDiskRefuse(change, folder, harm === "ENOSPC");
    case "KILL-BOTH":
    case "KILL-DAEMON":
      return !own;
    case "POWER":
    case "POWER-JOURNAL":
      return own && (change.target === "socket" || canDiskRefuse(change, folder, false));
    default:
      return true;
  }
}

function victims(pid: number): readonly number[] {
  switch (harm) {
    case "none":
      return [];
    case "KILL":
      return [pid];
    case "KILL-BOTH":
      return [root, pid];
    default:
      return [root];
  }
}

function processOf(tid: number): number {
  const known = processes.get(tid);
  if (known !== undefined) return known;
  const pid = Number(/^Tgid:\s*(\d+)/m.exec(read(`/proc/${tid}/status`))?.[1]);
  processes.set(tid, pid);
  return pid;
}

/** As it calls itself just now. */
function nameOf(pid: number): string {
  return pid === root ? "daemon" : read(`/proc/${pid}/comm`).trim().replaceAll(" ", "_");
}

function readLine(): string {
  const bytes = Buffer.alloc(64);
  return bytes.toString("latin1", 0, readSync(0, bytes)).trim();
}
