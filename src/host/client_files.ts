/**
 * The files of the client: keys, certificates, images.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import { appendFile, link, open, readFile as readWhole, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { err, ok, type Result } from "../core/result.ts";

/** `code` is the operating system's, such as ENOENT. */
export interface FileError {
  readonly kind: "file";
  readonly path: string;
  readonly code: string;
}

export async function readFile(cwd: string, path: string): Promise<Result<Uint8Array, FileError>> {
  return attempt(path, () => readWhole(resolve(cwd, path)));
}

/** Puts a file in place in one step, so that nobody ever reads half of it; replaces one that is there. */
export async function writeFile(
  cwd: string,
  path: string,
  content: Uint8Array | string,
  mode: number,
): Promise<Result<void, FileError>> {
  return attempt(path, () => putInPlace(resolve(cwd, path), content, mode, rename));
}

/** Puts a new file in place in one step; EEXIST where there is one of that name, which stays as it is. */
export async function createFile(
  cwd: string,
  path: string,
  content: Uint8Array | string,
  mode: number,
): Promise<Result<void, FileError>> {
  return attempt(path, () => putInPlace(resolve(cwd, path), content, mode, link));
}

async function putInPlace(
  target: string,
  content: Uint8Array | string,
  mode: number,
  place: (draft: string, target: string) => Promise<void>,
): Promise<void> {
  const draft = join(dirname(target), `.fulmar-${randomBytes(6).toString("hex")}`);
  try {
    const file = await open(draft, "wx", mode);
    try {
      await file.chmod(mode);
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await place(draft, target);
  } finally {
    await rm(draft, { force: true });
  }
}

export async function appendToFile(cwd: string, path: string, text: string): Promise<Result<void, FileError>> {
  return attempt(path, () => appendFile(resolve(cwd, path), text));
}

/**
 * Does something while nobody else does, who does it by this function and the same file; waits for its turn a while. The
 * error EEXIST: another's turn has not ended, or was broken off by a kill.
 *
 * @param path - of a file that is there meanwhile, and holds the number of this process
 */
export async function exclusively<T>(cwd: string, path: string, act: () => Promise<T>): Promise<Result<T, FileError>> {
  for (let waited = 0; ; waited += pause) {
    const taken = await createFile(cwd, path, `${process.pid}\n`, 0o644);
    if (taken.ok) break;
    if (taken.error.code !== "EEXIST" || waited >= patience) return taken;
    await sleep(pause);
  }
  try {
    return ok(await act());
  } finally {
    await rm(resolve(cwd, path), { force: true });
  }
}

/** Milliseconds: between two looks, and all of them. */
const pause = 20;
const patience = 10_000;

async function attempt<T>(path: string, act: () => Promise<T>): Promise<Result<T, FileError>> {
  try {
    return ok(await act());
  } catch (error) {
    return err({ kind: "file", path, code: codeOf(error) });
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : String(error);
}
