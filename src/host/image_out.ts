/**
 * Images on their way out: never held as a whole.
 *
 * A message says its length before its content, and how long an image is once
 * deflated is known only then: it is deflated twice, for its length and for its
 * bytes. That costs the time twice, no memory and no room on a disk that may be
 * full.
 *
 * @module
 */
import { type FileHandle, open } from "node:fs/promises";
import { addAbortSignal, pipeline } from "node:stream";
import { createDeflate } from "node:zlib";
import type { Result } from "../core/result.ts";
import { imagePath } from "./image.ts";
import { attempt, type IoError } from "./io.ts";
import { pieceSize } from "./stream.ts";

/** An image that is open: whatever becomes of its file, its content stays. */
export interface OutgoingImage {
  /** Whether the bytes are a zlib stream. */
  readonly compressed: boolean;
  /** Bytes. */
  readonly length: number;
  /** To be read once. */
  readonly pieces: AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

/** Opens one image for a client. @param signal - it has gone */
export type OpenImage = (signal: AbortSignal) => Promise<Result<OutgoingImage, IoError>>;

/**
 * @param level - of zlib; 0: as it is
 * @param signal - ends it at once: what is under way throws then
 */
export function openOutgoing(
  dbdir: string,
  digest: Uint8Array,
  level: number,
  signal: AbortSignal,
): Promise<Result<OutgoingImage, IoError>> {
  const path = imagePath(dbdir, digest);
  return attempt("read", path, async () => {
    const file = await open(path);
    const read = (): AsyncIterable<Uint8Array> => readPieces(file, level, signal);
    try {
      const length = level === 0 ? (await file.stat()).size : await count(read());
      return { compressed: level > 0, length, pieces: read(), close: () => file.close() };
    } catch (thrown) {
      await file.close();
      throw thrown;
    }
  });
}

/** Of the same size each time, so that zlib is given the same and gives the same. */
async function* readPieces(file: FileHandle, level: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  // Aborted before anybody listens, a stream would tell nobody, which ends the process.
  signal.throwIfAborted();
  const content = file.createReadStream({ start: 0, autoClose: false, highWaterMark: pieceSize });
  addAbortSignal(signal, content);
  if (level === 0) yield* content;
  else yield* pipeline(content, createDeflate({ level, chunkSize: pieceSize }), () => undefined);
}

async function count(pieces: AsyncIterable<Uint8Array>): Promise<number> {
  let length = 0;
  for await (const piece of pieces) length += piece.length;
  return length;
}
