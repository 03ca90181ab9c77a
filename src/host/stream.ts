/**
 * A stream of bytes into a file: inflated, measured and hashed on the way, never held.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { createInflate } from "node:zlib";
import { err, ok, type Result } from "../core/result.ts";
import { errnoOf, type IoError } from "./io.ts";

export interface StreamOptions {
  /** Whether the source is one zlib stream. */
  readonly compressed: boolean;
  /** Most bytes that may end up in the file, whatever the stream inflates to. */
  readonly maxBytes: number;
}

export interface Received {
  /** SHA-256 of the bytes in the file. */
  readonly digest: Uint8Array;
  /** Bytes. */
  readonly size: number;
}

export type StreamError =
  | { readonly kind: "stream-too-large"; readonly limit: number }
  /** The zlib stream is broken, or ends too early. */
  | { readonly kind: "stream-corrupt"; readonly code: string }
  /** Bytes after the end of the zlib stream: as many as were seen. */
  | { readonly kind: "stream-trailing"; readonly length: number }
  /** The sender failed. */
  | { readonly kind: "stream-broken"; readonly reason: string }
  | IoError;

/** Writes all that comes from `source` to the file, from its beginning. */
export async function receive(
  source: AsyncIterable<Uint8Array>,
  file: FileHandle,
  options: StreamOptions,
): Promise<Result<Received, StreamError>> {
  const hash = createHash("sha256");
  let size = 0;
  const put = async (chunk: Uint8Array): Promise<void> => {
    if (size + chunk.length > options.maxBytes) throw new Stop({ kind: "stream-too-large", limit: options.maxBytes });
    hash.update(chunk);
    await writeAll(file, chunk, size);
    size += chunk.length;
  };
  try {
    if (options.compressed) await inflateEach(source, put);
    else for await (const chunk of named(source)) await put(chunk);
    return ok({ digest: hash.digest(), size });
  } catch (thrown) {
    return err(streamError(thrown));
  }
}

/**
 * Inflates the source into `put`. No stream pipeline: that would wait for a silent sender before it tells of an error.
 */
async function inflateEach(
  source: AsyncIterable<Uint8Array>,
  put: (chunk: Uint8Array) => Promise<void>,
): Promise<void> {
  const inflate = createInflate();
  const output = (async () => {
    for await (const chunk of inflate) await put(chunk);
  })();
  // Only an inflater that is left with input ends before it is told to.
  const early = output.then((): IteratorResult<Uint8Array> => ({ done: true, value: undefined }));
  early.catch(() => {});
  const chunks = named(source);
  let taken = 0;
  try {
    for (;;) {
      const next = chunks.next();
      next.catch(() => {});
      const { done, value } = await Promise.race([early, next]);
      if (done === true) break;
      taken += value.length;
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

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
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
