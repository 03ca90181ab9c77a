/**
 * Unix sockets: listening where clients look for us, and reading a connection
 * at the reader's pace.
 *
 * @module
 */
import { chmodSync } from "node:fs";
import { rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import { ChunkReader } from "../codec/chunk.ts";
import { type FrameError, FrameReader } from "../codec/frame.ts";
import { err, ok, type Result } from "../core/result.ts";
import { errnoOf, makeFolder } from "./io.ts";

export type ListenError =
  /** Somebody answers there already. */
  | { readonly kind: "socket-in-use"; readonly path: string }
  | { readonly kind: "socket-failed"; readonly path: string; readonly code: string };

/** A socket that serves until it is closed, together with its connections. */
export interface Listener {
  close(): Promise<void>;
}

/** One whose connections get what was written to them when it is closed, if they read it soon. */
export interface UnixListener extends Listener {
  /** Takes nobody on any more. */
  stop(): void;
}

/** How a Unix socket is served. */
export interface UnixOptions {
  /** Connections at once; further ones are closed, unless another makes room. */
  readonly most: number;
  /** Ends a connection for a further one, and tells which; undefined: there is none that may go. */
  readonly makeRoom?: () => Socket | undefined;
  /** A socket that listens already: its file and its mode are the service manager's. */
  readonly fd?: number | undefined;
}

/**
 * Listens on a Unix socket that its owner and group may write to.
 *
 * A socket file that nobody answers behind is an earlier daemon's and goes.
 */
export async function listenUnix(
  path: string,
  { most, makeRoom = () => undefined, fd }: UnixOptions,
  serve: (socket: Socket) => void,
): Promise<Result<UnixListener, ListenError>> {
  if (fd === undefined && (await answers(path))) return err({ kind: "socket-in-use", path });
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    if (open.size >= most) {
      const gone = makeRoom();
      if (gone === undefined) return void socket.destroy();
      open.delete(gone);
    }
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    serve(socket);
  });
  try {
    if (fd === undefined) {
      await makeFolder(dirname(path), 0o755);
      await rm(path, { force: true });
    }
    await listen(server, path, fd);
  } catch (thrown) {
    return err({ kind: "socket-failed", path, code: errnoOf(thrown) });
  }
  return ok({ stop: () => void server.close(), close: () => close(server, open) });
}

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
  #rest: Uint8Array = nothing;
  #forgotten: Patience | undefined;

  /** @param largest - bytes of the largest frame that is taken */
  constructor(socket: Socket, largest: number) {
    this.#socket = socket;
    this.#frames = new FrameReader(largest);
    const finish = (): void => {
      this.#over = true;
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
      do ended = this.#readChunks(reader, come);
      while (!ended && this.#pieces.length > 0);
      const [first] = come;
      if (first !== undefined) yield come.length === 1 ? first : room.join(come);
    }
  }

  /** @returns whether the stream ends in what was read */
  #readChunks(reader: ChunkReader, into: Uint8Array[]): boolean {
    const piece = this.#next();
    if (piece === undefined) throw new Error("the connection ended before the stream did");
    const chunks = reader.push(piece);
    if (!chunks.ok) throw new Error(`the stream is larger than ${chunks.error.limit} bytes`);
    const { pieces, rest } = chunks.value;
    into.push(...pieces);
    if (rest !== undefined) this.#rest = rest;
    return rest !== undefined;
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

  #take(piece: Uint8Array): void {
    if (this.#forgotten !== undefined) {
      this.#throwAway(this.#forgotten);
      return;
    }
    this.#pieces.push(piece);
    this.#held += piece.length;
    if (this.#held >= readAhead) this.#socket.pause();
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
    return this.#rest.length === 0 && this.#pieces.length === 0 && !this.#over;
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
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
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

const nothing = new Uint8Array(0);

/** Bytes that are read before they are asked for: a few pieces of a stream. */
const readAhead: number = 256 * 1024;

/** Whether a server answers on the socket. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.on("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.on("error", () => resolve(false));
  });
}

function listen(server: Server, path: string, fd?: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    const mask = process.umask(0o117);
    server.listen(fd === undefined ? { path } : { fd }, () => {
      server.off("error", reject);
      if (fd === undefined) chmodSync(path, 0o660);
      resolve();
    });
    process.umask(mask);
  });
}

async function close(server: Server, open: ReadonlySet<Socket>): Promise<void> {
  const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
  await Promise.all([closed, ...[...open].map(end)]);
}

function end(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const late = setTimeout(() => socket.destroy(), lingering);
    socket.once("close", () => {
      clearTimeout(late);
      resolve();
    });
    socket.end(() => socket.destroy());
  });
}

/** Milliseconds that a peer has for its last answer, once we close. */
const lingering = 1000;
