/**
 * What tells a later daemon of a guest: files in the run folder, each there as
 * a whole or not at all.
 *
 * NAME.guest says what the daemon wants to know again, NAME.stop that it told
 * the guest to end. NAME.pid (pid, start time, boot) and NAME.exit (pid, start
 * time, status, and `oom` where memory was what it lacked) are the shim's.
 *
 * @module
 */
import { readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Name, parseName, printName } from "../core/name.ts";
import type { ExitStatus } from "../core/restart.ts";
import { fileName } from "./file_name.ts";
import { errnoOf } from "./io.ts";
import { type ProcessIdentity, readBootId } from "./proc.ts";

export interface GuestFiles {
  readonly guest: string;
  readonly stop: string;
  readonly pid: string;
  readonly exit: string;
}

export interface GuestRecord {
  readonly name: Name;
  readonly note: string;
}

export function filesOf(runDir: string, name: Name): GuestFiles {
  const base = join(runDir, fileName(name));
  return { guest: `${base}.guest`, stop: `${base}.stop`, pid: `${base}.pid`, exit: `${base}.exit` };
}

/** Takes a guest down that is about to be started, and forgets the one of its name before. */
export function writeRecord(files: GuestFiles, { name, note }: GuestRecord): void {
  for (const file of [files.stop, files.pid, files.exit]) rmSync(file, { force: true });
  writeFileSync(`${files.guest}.new`, JSON.stringify({ name: printName(name), note }), { mode: 0o600 });
  renameSync(`${files.guest}.new`, files.guest);
}

/** Notes that the guest is told to end: its end then says nothing about what should become of it. */
export function markStopping(runDir: string, name: Name): void {
  writeFileSync(filesOf(runDir, name).stop, "", { mode: 0o600 });
}

/** Removes what would tell a later daemon of the guest; what tells most goes first. */
export function forgetGuest(runDir: string, name: Name): void {
  for (const file of Object.values(filesOf(runDir, name))) rmSync(file, { force: true });
}

/** The guests that were taken down; what a daemon that broke off left half written is removed. */
export function listRecords(runDir: string): readonly GuestRecord[] {
  const files = readdirSync(runDir);
  const known = new Set(
    files.filter((file) => file.endsWith(recordEnd)).map((file) => file.slice(0, -recordEnd.length)),
  );
  for (const file of files) {
    const [, base] = /^(.+)\.(?:stop|pid|exit|guest)(?:\.new)?$/.exec(file) ?? [];
    if (base !== undefined && !known.has(base)) rmSync(join(runDir, file), { force: true });
  }
  return [...known].flatMap((base) => readRecord(join(runDir, `${base}${recordEnd}`)) ?? []);
}

/** The process that the shim reported, unless it was of another boot. */
export function readIdentity({ pid: file }: GuestFiles): ProcessIdentity | undefined {
  const [pid = "", start = "", boot] = readWords(file);
  const identity = { pid: Number(pid), start: Number(start) };
  return boot === readBootId() && identity.pid > 0 ? identity : undefined;
}

/** The status that the shim recorded for this very process. */
export function readExit({ exit }: GuestFiles, identity: ProcessIdentity): ExitStatus | undefined {
  const words = readWords(exit);
  const [pid, start, status] = words.map(Number);
  if (pid !== identity.pid || start !== identity.start || status === undefined) return undefined;
  if (words[3] === "oom") return { kind: "out-of-memory" };
  return status > signalBase && status <= lastSignal
    ? { kind: "signalled", signal: status - signalBase }
    : { kind: "exited", code: status };
}

/** When something was last written to the file, ms since the Unix epoch; undefined where there is none. */
export function readTime(file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs;
}

function readRecord(file: string): GuestRecord | undefined {
  try {
    const record: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (typeof record !== "object" || record === null || !("name" in record) || !("note" in record)) return undefined;
    if (typeof record.name !== "string" || typeof record.note !== "string") return undefined;
    const name = parseName(record.name);
    return name.ok ? { name: name.value, note: record.note } : undefined;
  } catch {
    return undefined;
  }
}

function readWords(file: string): readonly string[] {
  try {
    return readFileSync(file, "latin1").trim().split(" ");
  } catch (thrown) {
    errnoOf(thrown);
    return [];
  }
}

const recordEnd = ".guest";

/** A shell's status of a process that signal n ended is 128 + n; 159 (SIGSYS) is the last that a tender dies of. */
const signalBase = 128;
const lastSignal = 159;
