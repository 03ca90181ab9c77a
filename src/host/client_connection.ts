/**
 * A client's connection to a daemon or an endpoint: bytes out, messages in.
 *
 * What arrives is read while bytes still go out, so that a refusal in the
 * middle of an upload is seen and not lost with the connection.
 *
 * @module
 */
import type { Socket } from "node:net";
import { type FrameError, FrameReader } from "../codec/frame.ts";
import { decodeWire, type Wire, type WireError } from "../codec/wire.ts";
import { err, ok, type Result } from "../core/result.ts";

export interface Connection {
  /**
   * Resolves when the bytes are on their way, or at the latest when something has arrived or failed: a peer that takes
   * nothing for a minute counts as gone.
   */
  send(bytes: Uint8Array): Promise<void>;
  /** Whether something has arrived, or nothing will any more. */
  answered(): boolean;
  /** Resolves after so many milliseconds, or as soon as `answered`. */
  wait(milliseconds: number): Promise<void>;
  /**
   * The messages in their order, each once; ends when the peer closes.
   *
   * @param silence - milliseconds without a message after which the peer counts as gone; absent: for ever
   */
  messages(silence?: number): AsyncGenerator<Result<Wire, ConnectionError>>;
  close(): void;
}

export type ConnectionError =
  /** There is no connection; `code` is the operating system's. */
  | { readonly kind: "unreachable"; readonly code: string }
  /** The connection or its TLS broke. */
  | { readonly kind: "broken"; readonly code: string }
  /** The peer sent a TLS alert. */
  | { readonly kind: "alert"; readonly alert: string; readonly about: "certificate" | "other" }
  | { readonly kind: "silent"; readonly milliseconds: number }
  | { readonly kind: "frame"; readonly error: FrameError }
  | { readonly kind: "message"; readonly error: WireError };

/** Longest reply that is read, bytes: a `get` answers with a whole image. */
const maxReply = 256 * 1024 * 1024;

/** Takes over a socket that is connected. */
export function openConnection(socket: Socket, explain: (error: Error) => ConnectionError): Connection {
  return new SocketConnection(socket, explain);
}

export function errorCode(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}

class SocketConnection implements Connection {
  readonly #socket: Socket;
  readonly #reader: FrameReader = new FrameReader(maxReply);
  readonly #arrived: Result<Wire, ConnectionError>[] = [];
  /** Bytes of the messages that wait for their reader. */
  #waiting: number = 0;
  #over: boolean = false;
  /** Those who wait for something to happen, each called once. */
  #waiters: (() => void)[] = [];

  constructor(socket: Socket, explain: (error: Error) => ConnectionError) {
    this.#socket = socket;
    this.#outliveWrites(explain);
    socket.on("data", (piece) => this.#take(piece));
    socket.on("error", (error) => this.#fail(explain(error)));
    socket.on("end", () => this.#finish());
    socket.on("close", () => this.#finish());
  }

  async send(bytes: Uint8Array): Promise<void> {
    if (this.#over || this.#socket.write(bytes)) return;
    await new Promise<void>((resolve) => {
      const late = setTimeout(() => this.#fail({ kind: "silent", milliseconds: patience }), patience);
      const go = (): void => {
        clearTimeout(late);
        this.#socket.off("drain", go);
        resolve();
      };
      this.#waiters.push(go);
      this.#socket.on("drain", go);
    });
  }

  answered(): boolean {
    return this.#over || this.#arrived.length > 0;
  }

  async wait(milliseconds: number): Promise<void> {
    if (this.answered()) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#waiters.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  async *messages(silence?: number): AsyncGenerator<Result<Wire, ConnectionError>> {
    for (;;) {
      const next = this.#arrived.shift();
      if (next !== undefined) {
        yield next;
        if (!next.ok) return;
      } else if (this.#over) return;
      else {
        this.#waiting = 0;
        this.#socket.resume();
        if (!(await this.#arrival(silence))) yield err({ kind: "silent", milliseconds: silence ?? 0 });
      }
    }
  }

  close(): void {
    this.#over = true;
    this.#socket.destroy();
  }

  /**
   * A peer that refuses and closes breaks what is still being written to it. Node would throw away, with the socket, the
   * refusal that lies there to be read: so a write that failed only stands still, until that is read.
   */
  #outliveWrites(explain: (error: Error) => ConnectionError): void {
    const socket = this.#socket;
    const write = socket._write.bind(socket);
    const writeMany = socket._writev?.bind(socket);
    const over = (done: (error?: Error | null) => void) => (error?: Error | null) => {
      if (error) setTimeout(() => this.#fail(explain(error)), lastWords).unref();
      else done();
    };
    socket._write = (chunk, encoding, done) => write(chunk, encoding, over(done));
    if (writeMany !== undefined) socket._writev = (chunks, done) => writeMany(chunks, over(done));
  }

  /** Whether something happened before the time was over. */
  #arrival(silence: number | undefined): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = silence === undefined ? undefined : setTimeout(() => this.#expire(resolve), silence);
      this.#waiters.push(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }

  #expire(resolve: (value: boolean) => void): void {
    this.close();
    resolve(false);
  }

  #take(piece: Uint8Array): void {
    const frames = this.#reader.push(piece);
    for (const frame of frames.ok ? frames.value : frames.error.before) {
      const message = decodeWire(frame);
      if (!message.ok) {
        this.#fail({ kind: "message", error: message.error });
        return;
      }
      this.#arrived.push(ok(message.value));
      this.#waiting += frame.length;
    }
    if (!frames.ok) this.#fail({ kind: "frame", error: frames.error });
    if (this.#waiting > maxWaiting) this.#socket.pause();
    if (this.#arrived.length > 0) this.#wake();
  }

  #fail(error: ConnectionError): void {
    if (!this.#over) this.#arrived.push(err(error));
    this.#finish();
    this.#socket.destroy();
  }

  #finish(): void {
    this.#over = true;
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiters.splice(0)) wake();
  }
}

/** Milliseconds for a peer to take some of what is sent. */
const patience = 60_000;

/** Milliseconds for reading what a peer said before it broke the connection. */
const lastWords = 500;

/** Bytes of messages kept for a slow reader before reading of the socket stops. */
const maxWaiting: number = 1024 * 1024;
