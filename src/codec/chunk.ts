/**
 * Uploads: chunks of a 4-byte big-endian length and that many bytes, ended by
 * the length 0 (or by one of 2^31 and more, which albatross reads as negative).
 *
 * @module
 */
import { err, ok, type Result } from "../core/result.ts";
import { HeaderReader, maxLength } from "./frame.ts";

export interface StreamError {
  readonly kind: "stream-too-large";
  /** Bytes. */
  readonly limit: number;
}

export interface Chunks {
  /** What came, in order: views, whichever chunks they were in. */
  readonly pieces: readonly Uint8Array[];
  /** Present once the stream has ended: what the connection carried after its end. */
  readonly rest?: Uint8Array;
}

/** Takes the chunks' headers out of a byte stream and passes the rest through. */
export class ChunkReader {
  readonly #limit: number;
  readonly #header = new HeaderReader();
  #announced = 0;
  #missing = 0;
  #state: "open" | "ended" | "failed" = "open";

  /** @param limit - bytes of all chunks together */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Refuses a stream as soon as it announces more than the limit. */
  push(bytes: Uint8Array): Result<Chunks, StreamError> {
    const pieces: Uint8Array[] = [];
    let at = 0;
    while (at < bytes.length && this.#state === "open") {
      if (this.#missing > 0) {
        const piece = bytes.subarray(at, at + this.#missing);
        this.#missing -= piece.length;
        at += piece.length;
        pieces.push(piece);
      } else {
        at += this.#header.push(bytes, at);
        this.#begin(this.#header.take());
      }
    }
    if (this.#state === "failed") return err({ kind: "stream-too-large", limit: this.#limit });
    return ok(this.#state === "ended" ? { pieces, rest: bytes.subarray(at) } : { pieces });
  }

  #begin(length: number | undefined): void {
    if (length === undefined) return;
    if (length === 0 || length > maxLength) {
      this.#state = "ended";
      return;
    }
    this.#missing = length;
    this.#announced += length;
    if (this.#announced > this.#limit) this.#state = "failed";
  }
}
