/**
 * Processes that are measured: started, counted, and ended by their ids.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, closeSync, openSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";

/** A program of this repository, in a Node of its own. @param ready - what it says when it serves */
export async function startOwn(
  script: string,
  words: readonly string[],
  ready: RegExp,
): Promise<{ readonly child: ChildProcess; readonly match: RegExpExecArray }> {
  const path = join(import.meta.dirname, "..", script);
  const child = spawn(process.execPath, [path, ...words], { stdio: ["ignore", "pipe", "inherit"] });
  const match = await new Promise<RegExpExecArray>((resolve, reject) => {
    let said = "";
    child.once("exit", () => reject(new Error(`${script} does not serve`)));
    child.stdout?.on("data", (text: Buffer) => {
      said += text.toString();
      const found = ready.exec(said);
      if (found !== null) resolve(found);
    });
  });
  return { child, match };
}

/** A program of PATH, that serves when `up` says so; what it says goes to a file. */
export async function startOther(
  program: string,
  words: readonly string[],
  log: string,
  up: () => Promise<boolean>,
): Promise<ChildProcess> {
  const file = openSync(log, "a");
  const child = spawn(program, words, { stdio: ["ignore", file, file] });
  closeSync(file);
  for (let tries = 0; tries < 100; tries++) {
    if (child.exitCode !== null) break;
    if (await up()) return child;
    await sleep(50);
  }
  child.kill("SIGKILL");
  throw new Error(`${program} does not serve: ${readFileSync(log, "latin1").slice(-500)}`);
}

export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const late = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await new Promise((resolve) => {
    child.once("exit", resolve);
    // Told to end otherwise, fulmard leaves its guests to the next one.
    child.kill(child.spawnargs.some((word) => word.endsWith("fulmard.js")) ? "SIGUSR2" : "SIGTERM");
  });
  clearTimeout(late);
}

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** A double of solo5-spt where a daemon looks first: below it every unikernel does the same, a line of sh. */
export function writeTender(dbdir: string, body: string): void {
  const version = 'if [ "$1" = --version ]; then echo "double of solo5-spt"; echo "ABI version 2"; exit 0; fi';
  const file = join(dbdir, "solo5-spt");
  writeFileSync(file, `#!/bin/sh\n${version}\n${body}\n`);
  chmodSync(file, 0o755);
}

/** Whether all of these are on PATH. */
export function onPath(programs: readonly string[]): boolean {
  const { PATH = "" } = process.env;
  const folders = PATH.split(delimiter).filter((folder) => folder !== "");
  const found = new Set(folders.flatMap(listed));
  return programs.every((program) => found.has(program));
}

function listed(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Processor time so far, microseconds, of the processes and their children. */
export function cpuMicros(pids: readonly number[]): number {
  const family = new Set(pids);
  for (const entry of readdirSync("/proc")) {
    if (/^\d+$/.test(entry) && family.has(Number(fieldsOf(entry)[1]))) family.add(Number(entry));
  }
  let ticks = 0;
  for (const pid of family) {
    const fields = fieldsOf(`${pid}`);
    ticks += Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
  }
  return ticks * microsPerTick;
}

/** Resident memory of the processes, MB. */
export function residentMegabytes(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + residentKilobytes(pid), 0) / 1024;
}

function residentKilobytes(pid: number): number {
  try {
    return Number(/^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** What follows the command's name in /proc/PID/stat; nothing of a process that has ended. */
function fieldsOf(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/stat`, "latin1")
      .replace(/^.*\) /s, "")
      .split(" ");
  } catch {
    return [];
  }
}

/** Linux counts processor time for programs in hundredths of a second. */
const microsPerTick = 10_000;
