/**
 * Framed messages on their way into TLS records: a record ends where a message ends.
 *
 * albatross's endpoint gives each message records of its own, and there are
 * clients (mollymawk) for which what one read gives are whole messages.
 *
 * @module
 */

import { headerSize } from "./frame.ts";

/** Largest content of a TLS record, bytes (RFC 8446 section 5.1). */
export const maxRecord: number = 16 * 1024;

/** Cuts a stream of framed messages, whichever way it came, into what is to be written at once. */
export class RecordCutter {
  /** Of a message that fits into a record: it waits until all of it is there. */
  #begun: Uint8Array = nothing;
  /** Bytes that a message which does not fit still lacks. */
  #missing = 0;

  /** Whether what came ends where a message ends. */
  get between(): boolean {
    return this.#begun.length === 0 && this.#missing === 0;
  }

  /** What waits for its end. */
  get begun(): Uint8Array {
    return this.#begun;
  }

  /** @returns whole messages, up to where a record of theirs ends; of one that is longer, what came of it */
  push(bytes: Uint8Array): readonly Uint8Array[] {
    const stream = this.#begun.length === 0 ? bytes : Buffer.concat([this.#begun, bytes]);
    const pieces: Uint8Array[] = [];
    let at = 0;
    for (;;) {
      const end = this.#missing > 0 ? Math.min(at + this.#missing, stream.length) : endOfWhole(stream, at);
      if (end > at) pieces.push(stream.subarray(at, end));
      this.#missing = Math.max(this.#missing - (end - at), 0);
      at = end;
      const next = messageSize(stream, at);
      if (this.#missing > 0 || next === undefined) break;
      if (next > maxRecord) this.#missing = next;
      else if (at + next > stream.length) break;
    }
    this.#begun = stream.subarray(at);
    return pieces;
  }
}

/**
 * Where the last of the whole messages from there ends that go into one record, or into several of which each but the
 * last is full: TLS fills records one after the other.
 */
function endOfWhole(stream: Uint8Array, from: number): number {
  let limit = from + maxRecord;
  let end = from;
  for (;;) {
    const size = messageSize(stream, end);
    if (size === undefined || end + size > Math.min(limit, stream.length)) return end;
    end += size;
    if (end === limit) limit += maxRecord;
  }
}

/** Of the message that begins there, with its length in front; undefined: that is not all there. */
function messageSize(stream: Uint8Array, at: number): number | undefined {
  if (stream.length < at + headerSize) return undefined;
  return headerSize + new DataView(stream.buffer, stream.byteOffset + at).getUint32(0);
}

const nothing: Uint8Array = new Uint8Array(0);
