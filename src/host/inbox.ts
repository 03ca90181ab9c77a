/**
 * Reading a connection at the reader's pace.
 *
 * @module
 */
import type { Socket } from "node:net";
import { ChunkReader } from "../codec/chunk.ts";
import { type FrameError, FrameReader } from "../codec/frame.ts";
import { ok, type Result } from "../core/result.ts";
import { letGo } from "./let_go.ts";

/** A connection read on demand: frames first, then perhaps a stream; what was not asked for stays in the kernel, but for a little. */
export class Inbox {
  readonly #socket: Socket;
  readonly #frames: FrameReader;
  readonly #pieces: Uint8Array[] = [];
  /** Bytes of the pieces. */
  #held = 0;
  #over = false;
  /** An upload that nobody wants any more may still be read while the next frame is waited for. */
  readonly #waiting: (() => void)[] = [];
  /** Called when an upload's next pieces are worthwhile, or its last. */
  #enough: (() => void) | undefined;
  #rest: Uint8Array = nothing;
  #forgotten: Patience | undefined;

  /** @param largest - bytes of the largest frame that is taken */
  constructor(socket: Socket, largest: number) {
    this.#socket = socket;
    this.#frames = new FrameReader(largest);
    const finish = (): void => {
      this.#over = true;
      this.#enough?.();
      this.#wake();
    };
    socket.on("data", (piece: Uint8Array) => this.#take(piece));
    socket.on("end", finish).on("close", finish);
  }

  /** The next frame; undefined where the connection ends first. */
  async frame(): Promise<Result<Uint8Array | undefined, FrameError>> {
    for (;;) {
      while (this.#isEmpty()) await this.#arrival();
      const piece = this.#next();
      if (piece === undefined) return ok(undefined);
      const taken = this.#frames.take(piece);
      if (!taken.ok) return taken;
      this.#rest = taken.value.rest;
      if (taken.value.frame !== undefined) return ok(taken.value.frame);
    }
  }

  /**
   * The stream of chunks that follows, as it comes: what has come meanwhile in one piece, as each is a way to another
   * thread and back. A piece is what it is until the next one is asked for. Throws where the stream is larger than `limit`
   * bytes, or the connection ends before it does.
   */
  async *chunks(limit: number): AsyncGenerator<Uint8Array> {
    const reader = new ChunkReader(limit);
    const room = new Room();
    for (let ended = false; !ended; ) {
      while (this.#isEmpty()) await this.#arrival();
      const come: Uint8Array[] = [];
      ended = this.#readChunks(reader, come);
      if (!ended && lengthOf(come) < worthwhile) {
        await this.#more();
        if (this.#pieces.length > 0) ended = this.#readChunks(reader, come);
      }
      const [first] = come;
      if (first !== undefined) yield come.length === 1 ? first : room.join(come);
    }
  }

  /** Reads what has come. @returns whether the stream ends in it */
  #readChunks(reader: ChunkReader, into: Uint8Array[]): boolean {
    do {
      const piece = this.#next();
      if (piece === undefined) throw new Error("the connection ended before the stream did");
      const chunks = reader.push(piece);
      if (!chunks.ok) throw new Error(`the stream is larger than ${chunks.error.limit} bytes`);
      const { pieces, rest } = chunks.value;
      into.push(...pieces);
      if (rest !== undefined) {
        this.#rest = rest;
        return true;
      }
    } while (this.#pieces.length > 0);
    return false;
  }

  /** Whether all that has come has been read. */
  get quiet(): boolean {
    return this.#rest.length === 0 && this.#pieces.length === 0;
  }

  /** Resolves when the peer sends anything more, or closes. */
  async anything(): Promise<void> {
    if (this.#isEmpty()) await this.#arrival();
  }

  /**
   * Throws away what comes from now on: a connection closed over unread bytes takes the answer that was written to it
   * along. One whose peer only sends, and reads nothing of that answer, ends.
   *
   * @param patience - milliseconds
   */
  forget(patience: number): void {
    this.#forgotten = { patience, left: this.#socket.writableLength, since: performance.now() };
    this.#pieces.length = 0;
    this.#held = 0;
    this.#socket.resume();
  }

  /** Resolves when as much has come as another thread is bothered for, when nothing comes any more, or after a moment. */
  #more(): Promise<void> {
    if (this.#held >= worthwhile || this.#over) return Promise.resolve();
    return new Promise((resolve) => {
      const go = (): void => {
        clearTimeout(late);
        this.#enough = undefined;
        resolve();
      };
      const late = setTimeout(go, moment);
      this.#enough = go;
    });
  }

  #take(piece: Uint8Array): void {
    if (this.#forgotten !== undefined) {
      this.#throwAway(this.#forgotten);
      return;
    }
    letGo(piece.length);
    this.#pieces.push(piece);
    this.#held += piece.length;
    if (this.#held >= readAhead) this.#socket.pause();
    if (this.#held >= worthwhile) this.#enough?.();
    this.#wake();
  }

  #throwAway({ patience, left, since }: Patience): void {
    const now = performance.now();
    const { writableLength } = this.#socket;
    if (writableLength !== left) this.#forgotten = { patience, left: writableLength, since: now };
    else if (now - since > patience) this.#socket.destroy();
  }

  #wake(): void {
    if (this.#waiting.length > 0) for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Whether there is nothing to look at, and may still be. */
  #isEmpty(): boolean {
    return this.quiet && !this.#over;
  }

  /** Resolves when there is anything to look at, or never will be. */
  #arrival(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Bytes that have not been looked at; undefined at the end of the connection, however it ends. */
  #next(): Uint8Array | undefined {
    if (this.#rest.length > 0) {
      const rest = this.#rest;
      this.#rest = nothing;
      return rest;
    }
    const piece = this.#pieces.shift();
    if (piece === undefined) return undefined;
    if (this.#held >= readAhead) this.#socket.resume();
    this.#held -= piece.length;
    return piece;
  }
}

/** A place to put pieces together in, again and again: memory that is new each time has to be collected as often. */
class Room {
  #bytes = new Uint8Array(0);

  /** @returns what the next call overwrites */
  join(pieces: readonly Uint8Array[]): Uint8Array {
    const length = lengthOf(pieces);
    if (length > this.#bytes.length) this.#bytes = new Uint8Array(Math.max(length, readAhead));
    let at = 0;
    for (const piece of pieces) {
      this.#bytes.set(piece, at);
      at += piece.length;
    }
    return this.#bytes.subarray(0, length);
  }
}

/** Of a peer that is not listened to any more: bytes that it has left to read, since when, and how long that may be: ms. */
interface Patience {
  readonly patience: number;
  readonly left: number;
  readonly since: number;
}

function lengthOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}

const nothing = new Uint8Array(0);

/** Bytes of a stream for which another thread is bothered at once, and milliseconds in which as much may come otherwise. */
const worthwhile: number = 256 * 1024;
const moment = 4;

/** Bytes that are read before they are asked for: a few pieces of a stream. */
const readAhead: number = 512 * 1024;
