/**
 * Images: each lies once in `<dbdir>/images`, under the SHA-256 of its
 * uncompressed bytes, complete or not at all.
 *
 * Guests have uids of their own and open their image by its path: they may read
 * every file and list none.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { closeSync, createReadStream, fstatSync, openSync, readSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ByteSource } from "../codec/elf.ts";
import { ok, type Result } from "../core/result.ts";
import { attempt, type IoError, makeFolder, syncFolder, writeWhole } from "./io.ts";
import { letGo } from "./let_go.ts";
import { receive, type StreamError, type StreamOptions } from "./stream.ts";

export type ImageError = StreamError;

export interface StoredImage {
  /** SHA-256 of the image. */
  readonly digest: Uint8Array;
  /** Bytes. */
  readonly size: number;
  readonly path: string;
}

/** An image that is open for reading ranges of it. */
export interface OpenImage extends ByteSource {
  close(): void;
}

/** Makes the folder that the other functions work in. */
export function prepareImages(dbdir: string): Promise<Result<void, IoError>> {
  const path = folder(dbdir);
  return attempt("create", path, async () => {
    await makeFolder(path, 0o711);
  });
}

/**
 * Stores what comes from `source`; one that is there already is replaced by its equal.
 *
 * @param whole - told when all of it has come, before it lies under its name
 */
export async function receiveImage(
  dbdir: string,
  source: AsyncIterable<Uint8Array>,
  options: Omit<StreamOptions, "flushed">,
  whole: (digest: Uint8Array) => Promise<void> = async () => undefined,
): Promise<Result<StoredImage, ImageError>> {
  return await writeWhole<StoredImage, ImageError>(folder(dbdir), 0o444, async (file) => {
    const hash = createHash("sha256");
    const received = await receive(source, file, { ...options, flushed: true }, (chunk) => hash.update(chunk));
    if (!received.ok) return received;
    const digest = hash.digest();
    await whole(digest);
    const path = imagePath(dbdir, digest);
    return ok({ path, value: { digest, size: received.value, path } });
  });
}

export function imagePath(dbdir: string, digest: Uint8Array): string {
  return join(folder(dbdir), Buffer.from(digest).toString("hex"));
}

/** For `decodeSolo5`: reads ranges only. */
export function openImage(dbdir: string, digest: Uint8Array): Promise<Result<OpenImage, IoError>> {
  const path = imagePath(dbdir, digest);
  return attempt("open", path, () => {
    const fd = openSync(path, "r");
    return {
      size: fstatSync(fd).size,
      read: (offset, length) => readRange(fd, offset, length),
      close: () => closeSync(fd),
    };
  });
}

/** Whether the stored bytes still have the digest that they are stored under. */
export function verifyImage(dbdir: string, digest: Uint8Array): Promise<Result<boolean, IoError>> {
  const path = imagePath(dbdir, digest);
  return attempt("read", path, async () => {
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(path, { highWaterMark: pieceSize })) {
      hash.update(chunk);
      letGo(chunk.length);
    }
    return hash.digest().equals(digest);
  });
}

/** Removes an image; it is no error if there is none. */
export function removeImage(dbdir: string, digest: Uint8Array): Promise<Result<void, IoError>> {
  const path = imagePath(dbdir, digest);
  return attempt("remove", path, () => rm(path, { force: true }));
}

/**
 * Removes what no unikernel needs, and what uploads left that a stop of the daemon broke off.
 *
 * @returns the file names removed
 */
export function sweepImages(dbdir: string, inUse: Iterable<Uint8Array>): Promise<Result<readonly string[], IoError>> {
  const path = folder(dbdir);
  return attempt("sweep", path, async () => {
    const keep = new Set([...inUse].map((digest) => Buffer.from(digest).toString("hex")));
    const gone = (await readdir(path)).filter((file) => !keep.has(file));
    for (const file of gone) await rm(join(path, file), { force: true, recursive: true });
    await syncFolder(path);
    return gone;
  });
}

function readRange(fd: number, offset: number, length: number): Uint8Array | undefined {
  const bytes = new Uint8Array(length);
  try {
    return readSync(fd, bytes, 0, length, offset) === length ? bytes : undefined;
  } catch {
    return undefined;
  }
}

function folder(dbdir: string): string {
  return join(dbdir, "images");
}

/** Bytes hashed at once: 0.1 to 1 ms, in which the daemon does nothing else. */
const pieceSize: number = 256 * 1024;
