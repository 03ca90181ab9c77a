/**
 * A stream of bytes into a file: inflated and measured on the way, never held. Zeros become holes.
 *
 * @module
 */
import type { FileHandle } from "node:fs/promises";
import { createInflate } from "node:zlib";
import { err, ok, type Result } from "../core/result.ts";
import { errnoOf, type IoError } from "./io.ts";
import { letGo } from "./let_go.ts";

export interface StreamOptions {
  /** Whether the source is one zlib stream. */
  readonly compressed: boolean;
  /** Most bytes that may end up in the file, whatever the stream inflates to. */
  readonly maxBytes: number;
  /** Bytes that one byte of a zlib stream may become; absent: zlib's own bound, 1032. */
  readonly maxRatio?: number;
  /** Whether the disk is to take what is written while more comes: who syncs the file behind it then waits for little. */
  readonly flushed?: boolean;
}

export type StreamError =
  | { readonly kind: "stream-too-large"; readonly limit: number }
  | { readonly kind: "stream-inflates-too-much"; readonly limit: number }
  /** The zlib stream is broken, or ends too early. */
  | { readonly kind: "stream-corrupt"; readonly code: string }
  /** Bytes after the end of the zlib stream: as many as were seen. */
  | { readonly kind: "stream-trailing"; readonly length: number }
  /** The sender failed. */
  | { readonly kind: "stream-broken"; readonly reason: string }
  | IoError;

/**
 * Writes all that comes from `source` to the file, which is empty.
 *
 * @param look - is shown what is written
 * @returns how many bytes the file has then
 */
export async function receive(
  source: AsyncIterable<Uint8Array>,
  file: FileHandle,
  { compressed, maxBytes, maxRatio = Number.POSITIVE_INFINITY, flushed = false }: StreamOptions,
  look: (chunk: Uint8Array) => void = () => undefined,
): Promise<Result<number, StreamError>> {
  let size = 0;
  const writer = new Writer(file, flushed);
  const put = async (chunk: Uint8Array): Promise<void> => {
    if (size + chunk.length > maxBytes) throw new Stop({ kind: "stream-too-large", limit: maxBytes });
    look(chunk);
    size += chunk.length;
    await writer.write(chunk);
  };
  try {
    if (compressed) await inflateEach(source, put, { maxBytes, maxRatio });
    else for await (const chunk of named(source)) await put(chunk);
    await writer.end();
    return ok(size);
  } catch (thrown) {
    return err(streamError(thrown));
  } finally {
    // Nobody may close the file under it.
    await writer.rest();
  }
}

/**
 * Inflates the source into `put`. No stream pipeline: that would wait for a silent sender before it tells of an error.
 */
async function inflateEach(
  source: AsyncIterable<Uint8Array>,
  put: (chunk: Uint8Array) => Promise<void>,
  { maxBytes, maxRatio }: Required<Pick<StreamOptions, "maxBytes" | "maxRatio">>,
): Promise<void> {
  const inflate = createInflate({ chunkSize: pieceSize });
  let taken = 0;
  const output = (async () => {
    let size = 0;
    for await (const chunk of inflate) {
      size += chunk.length;
      letGo(chunk.length);
      if (size > maxRatio * taken + slack) throw new Stop({ kind: "stream-inflates-too-much", limit: maxRatio });
      await put(chunk);
    }
  })();
  // Only an inflater that is left with input ends before it is told to.
  const early = output.then((): IteratorResult<Uint8Array> => ({ done: true, value: undefined }));
  early.catch(() => {});
  const chunks = named(source);
  try {
    for (;;) {
      const next = chunks.next();
      next.catch(() => {});
      const { done, value } = await Promise.race([early, next]);
      if (done === true) break;
      taken += value.length;
      // Blocks of no length inflate to nothing for ever; what zlib cannot compress grows by a thousandth.
      if (taken > 2 * maxBytes + slack) throw new Stop({ kind: "stream-too-large", limit: maxBytes });
      await Promise.race([early, new Promise((resolve) => inflate.write(value, resolve))]);
    }
    inflate.end();
    await output;
  } finally {
    inflate.destroy();
    chunks.return(undefined).catch(() => {});
  }
  const length = taken - inflate.bytesWritten;
  if (length > 0) throw new Stop({ kind: "stream-trailing", length });
}

/** The source, whose own failures are told apart from ours. */
async function* named(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, undefined> {
  try {
    yield* source;
  } catch (thrown) {
    throw new Stop({ kind: "stream-broken", reason: thrown instanceof Error ? thrown.message : String(thrown) });
  }
}

/** Writes a file from its beginning, small pieces together: each write is a way to another thread and back. */
class Writer {
  readonly #file: FileHandle;
  readonly #flush: Flush | undefined;
  /** Where small pieces wait. */
  #room = new Uint8Array(0);
  #used = 0;
  /** Bytes that are written. */
  #size = 0;

  constructor(file: FileHandle, flushed: boolean) {
    this.#file = file;
    this.#flush = flushed ? new Flush(file) : undefined;
  }

  /** @param chunk - is the sender's again afterwards */
  async write(chunk: Uint8Array): Promise<void> {
    if (this.#used + chunk.length > pieceSize) await this.#empty();
    if (chunk.length >= pieceSize / 2 && this.#used === 0) return this.#put(chunk);
    if (this.#room.length === 0) this.#room = new Uint8Array(pieceSize);
    this.#room.set(chunk, this.#used);
    this.#used += chunk.length;
  }

  /** Writes the rest, a hole at the end, too. Throws what the disk said meanwhile. */
  async end(): Promise<void> {
    await this.#empty();
    await this.#file.truncate(this.#size);
    await this.#flush?.end();
  }

  /** Resolves when the file is nobody's any more. */
  async rest(): Promise<void> {
    await this.#flush?.rest();
  }

  async #empty(): Promise<void> {
    const waiting = this.#room.subarray(0, this.#used);
    this.#used = 0;
    if (waiting.length > 0) await this.#put(waiting);
  }

  async #put(bytes: Uint8Array): Promise<void> {
    await writeSparse(this.#file, bytes, this.#size);
    this.#size += bytes.length;
    this.#flush?.wrote(bytes.length);
  }
}

/** Has the disk take what was written to a file, portion by portion, while more is written. */
class Flush {
  readonly #file: FileHandle;
  /** Bytes written since the last portion. */
  #since = 0;
  #running: Promise<void> | undefined;
  #failure: { readonly thrown: unknown } | undefined;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Throws what the disk said of what was written before. */
  wrote(length: number): void {
    if (this.#failure !== undefined) throw this.#failure.thrown;
    this.#since += length;
    if (this.#since < portion || this.#running !== undefined) return;
    this.#since = 0;
    this.#running = this.#flush();
  }

  async rest(): Promise<void> {
    await this.#running;
  }

  /** Throws what a disk said meanwhile: the kernel tells it once, and whoever syncs the file later hears nothing of it. */
  async end(): Promise<void> {
    await this.rest();
    if (this.#failure !== undefined) throw this.#failure.thrown;
  }

  async #flush(): Promise<void> {
    try {
      await this.#file.datasync();
    } catch (thrown) {
      this.#failure ??= { thrown };
    }
    this.#running = undefined;
  }
}

/** Writes what is not zero, in as few calls as that takes. */
async function writeSparse(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let from = 0;
  for (let at = 0; at < bytes.length; at += hole) {
    if (!isZero(bytes.subarray(at, at + hole))) continue;
    await writeAll(file, bytes.subarray(from, at), position + from);
    from = at + hole;
  }
  await writeAll(file, bytes.subarray(from), position + from);
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

function isZero(chunk: Uint8Array): boolean {
  for (let at = 0; at < chunk.length; at += zeros.length) {
    const piece = chunk.subarray(at, at + zeros.length);
    if (zeros.compare(piece, 0, piece.length, 0, piece.length) !== 0) return false;
  }
  return true;
}

function streamError(thrown: unknown): StreamError {
  if (thrown instanceof Stop) return thrown.error;
  const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
  if (code.startsWith("Z_")) return { kind: "stream-corrupt", code };
  return { kind: "io-failed", action: "write", path: "", code: errnoOf(thrown) };
}

/** Carries an error value out of a pipeline, which knows thrown errors only. */
class Stop extends Error {
  readonly error: StreamError;

  constructor(error: StreamError) {
    super(error.kind);
    this.error = error;
  }
}

const zeros: Buffer = Buffer.alloc(16 * 1024);

/** Bytes of a zlib stream's own, however little is in it. */
const slack: number = 64 * 1024;

/** Bytes that the disk is given at once: small enough for the last ones to take it no time, and far more than a write. */
const portion: number = 16 * 1024 * 1024;

/** Bytes: so many zeros are a hole. */
const hole: number = 64 * 1024;

/** Bytes read, written, inflated or deflated at once: each piece is a way to another thread and back. */
export const pieceSize: number = 256 * 1024;
