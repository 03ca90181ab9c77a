/**
 * Failures of the file system as values, and files that are there as a whole or not at all.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import { type FileHandle, link, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { err, ok, type Result } from "../core/result.ts";

/** `code` as in errno(3): ENOSPC, EACCES. */
export interface IoError {
  readonly kind: "io-failed";
  readonly action: string;
  readonly path: string;
  readonly code: string;
}

/** Runs what may throw a system error; anything else that is thrown is a bug and passes. */
export async function attempt<T>(action: string, path: string, act: () => Promise<T> | T): Promise<Result<T, IoError>> {
  try {
    return ok(await act());
  } catch (thrown) {
    return err({ kind: "io-failed", action, path, code: errnoOf(thrown) });
  }
}

/** The system error's code; throws what is none. */
export function errnoOf(thrown: unknown): string {
  if (thrown instanceof Error && "code" in thrown && "syscall" in thrown) return String(thrown.code);
  throw thrown;
}

/**
 * Makes a folder, and those above it, where there is none.
 *
 * Node's own recursive mkdir never ends where there can be none, as below /proc (Node 20).
 */
export async function makeFolder(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (thrown) {
    const code = errnoOf(thrown);
    if (code === "EEXIST" && (await isFolder(path))) return;
    const above = dirname(path);
    if (code !== "ENOENT" || above === path || (await isFolder(above))) throw thrown;
    await makeFolder(above, mode);
    await makeFolder(path, mode);
  }
}

async function isFolder(path: string): Promise<boolean> {
  const found = await attempt("look at", path, () => stat(path));
  return found.ok && found.value.isDirectory();
}

/**
 * Makes a file that either is complete and on the disk under its name, or does not exist.
 *
 * @param fill - writes the content and says under which path it belongs
 */
export async function writeWhole<T, E>(
  folder: string,
  mode: number,
  fill: (file: FileHandle) => Promise<Result<{ readonly path: string; readonly value: T }, E>>,
): Promise<Result<T, E | IoError>> {
  const temporary = temporaryPath(folder);
  const opened = await attempt("create", temporary, () => open(temporary, "wx+", 0o600));
  if (!opened.ok) return opened;
  const file = opened.value;
  try {
    const filled = await fill(file);
    if (!filled.ok) return filled;
    const { path, value } = filled.value;
    const moved = await attempt("write", path, async () => {
      await file.chmod(mode);
      await file.sync();
      await moveInto(folder, temporary, path);
    });
    return moved.ok ? ok(value) : moved;
  } finally {
    await file.close().catch(() => {});
    await rm(temporary, { force: true }).catch(() => {});
  }
}

/** Removes a file, if there is one; where the disk does not take that, it is there as before. */
export async function removeWhole(folder: string, path: string): Promise<void> {
  const aside = temporaryPath(folder);
  const moved = await ifThere(rename(path, aside));
  try {
    await syncFolder(folder);
  } catch (thrown) {
    if (moved) await rename(aside, path);
    throw thrown;
  }
  if (moved) await dispose(aside);
}

/** Moves a file to its place; where the disk does not take that, what was there before is there again. */
async function moveInto(folder: string, temporary: string, path: string): Promise<void> {
  const former = temporaryPath(folder);
  const replaces = await ifThere(link(path, former));
  try {
    await rename(temporary, path);
    await syncFolder(folder);
  } catch (thrown) {
    await (replaces ? rename(former, path) : rm(path, { force: true }));
    throw thrown;
  }
  if (replaces) await dispose(former);
}

/** What is in nobody's way goes with the next start at the latest. */
async function dispose(temporary: string): Promise<void> {
  await attempt("remove", temporary, () => rm(temporary));
}

/** Whether what was to be done to a file was done, or there is no such file. */
async function ifThere(done: Promise<void>): Promise<boolean> {
  try {
    await done;
    return true;
  } catch (thrown) {
    if (errnoOf(thrown) === "ENOENT") return false;
    throw thrown;
  }
}

function temporaryPath(folder: string): string {
  return join(folder, `${temporaryPrefix}${randomBytes(8).toString("hex")}`);
}

/** Makes what was renamed, created or removed in a folder last. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Whether a file name is one that `writeWhole` uses until the content is complete. */
export function isTemporary(file: string): boolean {
  return file.startsWith(temporaryPrefix);
}

/** No name's file name begins so: it has no colon. */
const temporaryPrefix = "temporary-";
