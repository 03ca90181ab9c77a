/**
 * A guest's console: a FIFO that the tender and the daemon both hold open for
 * reading and writing, so that neither sees it end when the other does.
 *
 * It is opened non-blocking and read through the event loop: an ordinary read
 * of a silent FIFO takes a thread, and four of those are all that Node has.
 *
 * @module
 */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { Socket } from "node:net";
import { join } from "node:path";
import type { Name } from "../core/name.ts";
import { err, ok, type Result } from "../core/result.ts";
import { fileName } from "./file_name.ts";
import { attempt, errnoOf, type IoError, makeFolder } from "./io.ts";
import { bindLibc } from "./libc.ts";
import { type RunError, run } from "./run.ts";

export type ConsoleError =
  | { readonly kind: "console-no-fifo"; readonly path: string }
  | { readonly kind: "console-not-made"; readonly path: string; readonly cause: RunError }
  | IoError;

export interface ConsoleInput {
  readonly path: string;
  /** Stops reading for good and leaves the FIFO to a later daemon. */
  close(): void;
  /** Reads what the guest left, closes, and removes the FIFO. */
  release(): Promise<void>;
}

/**
 * Makes the guest's FIFO in `folder`, or takes over the one that an earlier daemon left, and reads it.
 *
 * @param onData - called with each piece as it comes; not cut at lines, and its memory is used again
 */
export async function openConsole(
  folder: string,
  name: Name,
  onData: (bytes: Uint8Array) => void,
): Promise<Result<ConsoleInput, ConsoleError>> {
  const path = join(folder, fileName(name));
  const made = await attempt("create", folder, () => makeFolder(folder, 0o700));
  if (!made.ok) return made;
  let opened = await openFifo(path);
  if (!opened.ok && opened.error.kind === "io-failed" && opened.error.code === "ENOENT") {
    const fifo = await makeFifo(path);
    if (!fifo.ok) return err({ kind: "console-not-made", path, cause: fifo.error });
    opened = await openFifo(path);
  }
  return opened.ok ? ok(read(path, opened.value, onData)) : opened;
}

/** Removes a console that nobody reads. */
export async function removeConsole(folder: string, name: Name): Promise<void> {
  await rm(join(folder, fileName(name)), { force: true });
}

/** Removes the consoles that an earlier daemon left in `folder`, but for those of `kept`. */
export function removeConsoles(folder: string, kept: readonly Name[]): Promise<Result<void, IoError>> {
  const files = new Set(kept.map(fileName));
  return attempt("sweep", folder, async () => {
    await makeFolder(folder, 0o700);
    for (const file of await readdir(folder)) {
      if (!files.has(file)) await rm(join(folder, file), { force: true, recursive: true });
    }
  });
}

/** By the system call; without that, or where it fails, by the program, which takes some milliseconds and says why not. */
async function makeFifo(path: string): Promise<Result<unknown, RunError>> {
  call ??= bindLibc((libc) => libc.func("int mkfifo(const char *, uint32_t)")) ?? (() => -1);
  return call(path, 0o600) === 0 ? ok(undefined) : run(["mkfifo", "-m", "600", "--", path]);
}

let call: ((path: string, mode: number) => number) | undefined;

async function openFifo(path: string): Promise<Result<number, ConsoleError>> {
  const flags = constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOFOLLOW;
  const fd = await attempt("open", path, () => openSync(path, flags));
  if (!fd.ok || fstatSync(fd.value).isFIFO()) return fd;
  closeSync(fd.value);
  return err({ kind: "console-no-fifo", path });
}

function read(path: string, fd: number, onData: (bytes: Uint8Array) => void): ConsoleInput {
  let [taken, spent] = [0, 0];
  let refill: NodeJS.Timeout | undefined;
  /** @returns whether to read on */
  const take = (length: number, buffer: Uint8Array): boolean => {
    const begin = performance.now();
    onData(buffer.subarray(0, length));
    spent += performance.now() - begin;
    taken += length;
    refill ??= setTimeout(() => {
      [taken, spent] = [0, 0];
      refill = undefined;
      socket.resume();
    }, refillInterval);
    return taken < maxTaken && spent < maxSpent;
  };
  // Nothing is read ahead of `take`, so that nothing of it is lost at the end. Node's types lack the option.
  const onread = { buffer: new Uint8Array(pieceSize), callback: take };
  const options = { fd, readable: true, writable: false, onread };
  const socket = new Socket(options);
  socket.on("error", () => socket.destroy());
  const close = (): void => {
    clearTimeout(refill);
    socket.destroy();
  };
  return {
    path,
    close,
    release: async () => {
      if (!socket.destroyed) drain(fd, onData);
      close();
      await rm(path, { force: true });
    },
  };
}

/** What a guest that has ended left in the pipe: at most what a pipe holds. */
function drain(fd: number, onData: (bytes: Uint8Array) => void): void {
  const bytes = new Uint8Array(pipeSize);
  try {
    const length = readSync(fd, bytes);
    onData(bytes.subarray(0, length));
  } catch (thrown) {
    if (errnoOf(thrown) !== "EAGAIN") throw thrown;
  }
}

/** Milliseconds in which a console has so much: a flooding guest waits, and neither the daemon nor who listens is flooded. */
const refillInterval = 250;

/** Bytes that are read of one console in an interval. */
const maxTaken: number = 64 * 1024;

/** Milliseconds that one console's output may cost in an interval: lines of one letter cost the most. */
const maxSpent = 25;

/** Bytes read at once: few enough that nobody else waits long for what they cost. */
const pieceSize: number = 8 * 1024;

/** Bytes that a pipe holds (pipe(7)). */
const pipeSize: number = 64 * 1024;
