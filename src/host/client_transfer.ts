/**
 * Files on their way to a server and from it: piece by piece, never whole in memory.
 *
 * @module
 */
import { type ReadStream, rmSync } from "node:fs";
import { type FileHandle, open, rm, statfs } from "node:fs/promises";
import { resolve } from "node:path";
import { pipeline } from "node:stream";
import { createDeflate, createInflate } from "node:zlib";
import { err, ok, type Result } from "../core/result.ts";
import { attempt, errnoOf, type IoError } from "./io.ts";
import { pieceSize, receive, type StreamError } from "./stream.ts";

export type Piece = Result<Uint8Array, IoError>;
export type Pieces = AsyncIterable<Piece>;

/** What is to go out. */
export interface Outgoing {
  /** Bytes, before they are compressed; 0 where nobody knows. */
  readonly size: number;
  /** How many of them have been read. */
  read(): number;
  /** What goes out, once; after an error there is no more. */
  pieces(): Pieces;
  close(): Promise<void>;
}

/** @param level - of zlib; 0: as it is */
export async function openOutgoing(cwd: string, path: string, level: number): Promise<Result<Outgoing, IoError>> {
  const opened = await attempt("read", path, async () => {
    const file = await open(resolve(cwd, path));
    return { file, facts: await file.stat() };
  });
  if (!opened.ok) return opened;
  const { file, facts } = opened.value;
  if (facts.isDirectory()) {
    await file.close();
    return err({ kind: "io-failed", action: "read", path, code: "EISDIR" });
  }
  const content = file.createReadStream({ highWaterMark: pieceSize });
  return ok({
    size: facts.size,
    read: () => content.bytesRead,
    pieces: () => piecesOf(content, path, level),
    close: () => file.close(),
  });
}

/** What a program gives; what its source throws, `pieces` throws. */
export function outgoingStream(content: AsyncIterable<Uint8Array>, level: number): Outgoing {
  let read = 0;
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const piece of content) {
      read += piece.length;
      yield piece;
    }
  }
  async function* pieces(): AsyncGenerator<Piece> {
    const deflate = (): AsyncIterable<Uint8Array> =>
      pipeline(counted(), createDeflate({ level, chunkSize: pieceSize }), () => undefined);
    for await (const piece of level === 0 ? counted() : deflate()) yield ok(piece);
  }
  return { size: 0, read: () => read, pieces, close: async () => undefined };
}

/** The content of a zlib stream. */
export function inflateStream(content: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  return pipeline(content, createInflate({ chunkSize: pieceSize }), () => undefined);
}

/**
 * Saves what comes in a new file, which only its owner may read; where that fails, there is no such file.
 *
 * A server may not fill the disk: a tenth of what is free on it when this begins stays free.
 *
 * @param base - the file's name, which gets a number at its end where a file has that name already
 * @param compressed - whether what comes is one zlib stream, to be inflated
 * @returns the file's name
 */
export async function saveIncoming(
  cwd: string,
  base: string,
  content: AsyncIterable<Uint8Array>,
  compressed: boolean,
): Promise<Result<string, StreamError>> {
  const created = await create(cwd, base);
  if (!created.ok) return created;
  const { file, name, path, maxBytes } = created.value;
  const forget = removeOnSignal(path);
  const received = await receive(content, file, { compressed, maxBytes });
  const closed = await attempt("write", name, () => file.close());
  const saved = received.ok ? closed : received;
  if (!saved.ok) await rm(path, { force: true });
  forget();
  if (saved.ok) return ok(name);
  return err(saved.error.kind === "io-failed" ? { ...saved.error, path: name } : saved.error);
}

interface Created {
  readonly file: FileHandle;
  readonly name: string;
  readonly path: string;
  /** How much may be written. */
  readonly maxBytes: number;
}

/** Opens a file that was not there. */
async function create(cwd: string, base: string): Promise<Result<Created, IoError>> {
  const space = await attempt("write", base, () => statfs(cwd));
  if (!space.ok) return space;
  const maxBytes = Math.floor((space.value.bavail * space.value.bsize * 9) / 10);
  for (let number = 0; ; number++) {
    const name = number === 0 ? base : `${base}.${number}`;
    const path = resolve(cwd, name);
    const file = await attempt("write", name, () => open(path, "wx", 0o600));
    if (file.ok) return ok({ file: file.value, name, path, maxBytes });
    if (file.error.code !== "EEXIST" || number === maxNumber) return file;
  }
}

/** Removes half a file when the user has enough of waiting. */
function removeOnSignal(path: string): () => void {
  const remove = (signal: NodeJS.Signals): void => {
    rmSync(path, { force: true });
    forget();
    process.kill(process.pid, signal);
  };
  const forget = (): void => {
    for (const signal of ends) process.off(signal, remove);
  };
  for (const signal of ends) process.on(signal, remove);
  return forget;
}

async function* piecesOf(
  content: ReadStream,
  path: string,
  level: number,
): AsyncGenerator<Result<Uint8Array, IoError>, void> {
  const deflated = (): AsyncIterable<Uint8Array> =>
    pipeline(content, createDeflate({ level, chunkSize: pieceSize }), () => undefined);
  try {
    for await (const piece of level === 0 ? content : deflated()) yield ok(piece);
  } catch (thrown) {
    yield err({ kind: "io-failed", action: "read", path, code: errnoOf(thrown) });
  }
}

/** Downloads of one thing in one second that are told apart. */
const maxNumber = 99;

const ends = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
