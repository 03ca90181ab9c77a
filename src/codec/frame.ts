/**
 * Frames: a 4-byte big-endian length, then that many bytes.
 *
 * The reader holds what has arrived and never what is announced: a length
 * costs its sender nothing, so it must cost us nothing either.
 *
 * @module
 */
import { err, ok, type Result } from "../core/result.ts";

export interface FrameError {
  readonly kind: "frame-too-large";
  /** Bytes, as announced. */
  readonly length: number;
  readonly limit: number;
  /** The frames that were complete before it, of the same push. */
  readonly before: readonly Uint8Array[];
}

/** The 4 bytes in front of a payload or a chunk of this length (below 2^31). */
export function frameHeader(length: number): Uint8Array {
  const header = new Uint8Array(headerSize);
  putFrameHeader(length, header);
  return header;
}

/** Header and payload in one piece. */
export function encodeFrame(payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(headerSize + payload.length);
  putFrameHeader(payload.length, frame);
  frame.set(payload, headerSize);
  return frame;
}

/** Writes the header at the beginning of a frame, whose payload begins at `headerSize`. */
export function putFrameHeader(length: number, frame: Uint8Array): void {
  for (let at = headerSize - 1, rest = length; at >= 0; at--, rest >>>= 8) frame[at] = rest & 0xff;
}

/** Takes a byte stream apart into frames, whichever way it was cut. */
export class FrameReader {
  readonly #limit: number;
  readonly #header = new HeaderReader();
  #body: Body | undefined;
  #failed: FrameError | undefined;

  /** @param limit - bytes of the largest frame that is taken; lengths of 2^31 and more never are */
  constructor(limit: number) {
    this.#limit = Math.min(limit, maxLength);
  }

  /**
   * The frames that `chunk` completes. One that lies within it is a view into
   * it, one that began earlier is put together. After an error the stream has
   * no more frames.
   */
  push(chunk: Uint8Array): Result<readonly Uint8Array[], FrameError> {
    const frames: Uint8Array[] = [];
    for (let rest = chunk; rest.length > 0; ) {
      const taken = this.take(rest);
      if (!taken.ok) return err({ ...taken.error, before: frames });
      if (taken.value.frame !== undefined) frames.push(taken.value.frame);
      rest = taken.value.rest;
    }
    return ok(frames);
  }

  /** The first frame that `chunk` completes, if it does, and what lies behind it. */
  take(chunk: Uint8Array): Result<{ readonly frame?: Uint8Array; readonly rest: Uint8Array }, FrameError> {
    if (this.#failed !== undefined) return err(this.#failed);
    let at = 0;
    if (this.#body === undefined) {
      at = this.#header.push(chunk, 0);
      const length = this.#header.take();
      if (length === undefined) return ok({ rest: nothing });
      if (length > this.#limit) return this.#fail(length);
      // Most are whole.
      const end = at + length;
      if (end === chunk.length) return ok({ frame: chunk.subarray(at), rest: nothing });
      if (end < chunk.length) return ok({ frame: chunk.subarray(at, end), rest: chunk.subarray(end) });
      this.#body = new Body(length);
    }
    const piece = chunk.subarray(at, at + this.#body.missing);
    const rest = chunk.subarray(at + piece.length);
    const frame = piece.length === 0 ? undefined : this.#body.push(piece);
    if (frame === undefined) return ok({ rest });
    this.#body = undefined;
    return ok({ frame, rest });
  }

  #fail(length: number): Result<never, FrameError> {
    this.#failed = { kind: "frame-too-large", length, limit: this.#limit, before: [] };
    return err(this.#failed);
  }
}

/** The 4 bytes of a length, which may come in several pieces. */
export class HeaderReader {
  #value = 0;
  #count = 0;

  /** Takes what it lacks of `chunk` from `at`; the number of bytes taken. */
  push(chunk: Uint8Array, at: number): number {
    const taken = Math.min(headerSize - this.#count, chunk.length - at);
    for (let index = 0; index < taken; index++) this.#value = this.#value * 0x100 + (chunk[at + index] ?? 0);
    this.#count += taken;
    return taken;
  }

  /** The length, once, when all of it is there. */
  take(): number | undefined {
    if (this.#count < headerSize) return undefined;
    const value = this.#value;
    this.#value = 0;
    this.#count = 0;
    return value;
  }
}

/**
 * A frame that is arriving. Large pieces are kept as they came; small ones are
 * gathered in blocks, so that a frame sent byte by byte does not keep a million
 * chunks alive. What is held stays below twice what has arrived, plus a block.
 */
class Body {
  readonly #length: number;
  readonly #pieces: Uint8Array[] = [];
  #arrived = 0;
  #block = new Uint8Array(0);
  #used = 0;

  constructor(length: number) {
    this.#length = length;
  }

  get missing(): number {
    return this.#length - this.#arrived;
  }

  /** The whole frame with the piece that completes it. */
  push(piece: Uint8Array): Uint8Array | undefined {
    if (piece.length === this.#length) return piece;
    this.#arrived += piece.length;
    if (piece.length >= blockSize || this.missing === 0) {
      this.#closeBlock();
      this.#pieces.push(piece);
    } else {
      this.#gather(piece);
    }
    return this.missing === 0 ? join(this.#pieces, this.#length) : undefined;
  }

  #gather(piece: Uint8Array): void {
    if (piece.length > this.#block.length - this.#used) {
      this.#closeBlock();
      this.#block = new Uint8Array(Math.min(blockSize, piece.length + this.missing));
    }
    this.#block.set(piece, this.#used);
    this.#used += piece.length;
  }

  /** What is in the block becomes a piece; the rest of it stays in use. */
  #closeBlock(): void {
    if (this.#used > 0) this.#pieces.push(this.#block.subarray(0, this.#used));
    this.#block = this.#block.subarray(this.#used);
    this.#used = 0;
  }
}

function join(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** Bytes. */
export const headerSize = 4;

const nothing = new Uint8Array(0);

/** albatross reads lengths as signed 32 bit: 2^31 and more are no lengths. */
export const maxLength: number = 0x7fffffff;

/** Bytes: a piece of at least this much is kept as it came. */
const blockSize = 16 * 1024;
