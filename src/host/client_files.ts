/**
 * The files of the client: keys, certificates, images.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import { appendFile, link, open, readFile as readWhole, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
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
