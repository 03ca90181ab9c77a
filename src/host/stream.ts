/**
 * A stream of bytes into a file: inflated, measured and hashed on the way, never held.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
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
  /** Bytes after the end of the zlib stream. */
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
  let taken = 0;
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of source) {
        taken += chunk.length;
        yield chunk;
      }
    } catch (thrown) {
      throw new Stop({ kind: "stream-broken", reason: thrown instanceof Error ? thrown.message : String(thrown) });
    }
  };
  const write = async (chunks: AsyncIterable<Uint8Array>): Promise<void> => {
    for await (const chunk of chunks) {
      if (size + chunk.length > options.maxBytes) {
        throw new Stop({ kind: "stream-too-large", limit: options.maxBytes });
      }
      hash.update(chunk);
      await writeAll(file, chunk, size);
      size += chunk.length;
    }
  };
  try {
    if (options.compressed) {
      const inflate = createInflate();
      await pipeline(counted(), inflate, write);
      if (taken > inflate.bytesWritten) return err({ kind: "stream-trailing", length: taken - inflate.bytesWritten });
    } else {
      await pipeline(counted(), write);
    }
    return ok({ digest: hash.digest(), size });
  } catch (thrown) {
    return err(streamError(thrown));
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
