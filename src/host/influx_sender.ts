/**
 * A TCP connection to whoever stores statistics: text out, nothing in, made
 * again whenever it breaks. What cannot be sent waits, the oldest goes first
 * when too much does.
 *
 * @module
 */
import { connect, type Socket } from "node:net";
import type { Log } from "./log.ts";

export interface Receiver {
  readonly host: string;
  readonly port: number;
}

export class InfluxSender {
  readonly #receiver: Receiver;
  readonly #log: Log;
  readonly #firstDelay: number;
  #waiting: Buffer[] = [];
  /** Bytes of what waits. */
  #size = 0;
  #dropped = 0;
  #socket: Socket;
  #connected: number | undefined;
  #delay: number;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** @param firstDelay - milliseconds until a lost connection is made again, doubled each time it does not last */
  constructor(receiver: Receiver, log: Log, firstDelay: number = 1000) {
    this.#receiver = receiver;
    this.#log = log;
    this.#firstDelay = firstDelay;
    this.#delay = firstDelay;
    this.#socket = this.#connect();
  }

  /** Sends whole lines, now or later; a new connection begins with whole ones. */
  send(lines: string): void {
    if (lines === "") return;
    const bytes = Buffer.from(lines);
    this.#waiting.push(bytes);
    this.#size += bytes.length;
    while (this.#size > maxWaiting) {
      this.#size -= this.#waiting.shift()?.length ?? this.#size;
      this.#dropped += 1;
    }
    this.#flush();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket.destroy();
  }

  #connect(): Socket {
    const socket = connect({ ...this.#receiver, keepAlive: true });
    let cause = "closed by the receiver";
    socket.on("connect", () => {
      this.#connected = performance.now();
      this.#log.info({ ...this.#receiver, dropped: this.#dropped }, "connected to the receiver of statistics");
      this.#dropped = 0;
      this.#flush();
    });
    socket.on("drain", () => this.#flush());
    socket.on("error", (error: NodeJS.ErrnoException) => {
      cause = error.code ?? error.message;
    });
    socket.on("close", () => this.#lost(cause));
    socket.resume();
    return socket;
  }

  #lost(cause: string): void {
    if (this.#closed) return;
    const lasted = this.#connected === undefined ? 0 : performance.now() - this.#connected;
    if (lasted > longestDelay) this.#delay = this.#firstDelay;
    this.#connected = undefined;
    this.#log.warn({ ...this.#receiver, cause, delay: this.#delay }, "no connection to the receiver of statistics");
    this.#timer = setTimeout(() => {
      this.#socket = this.#connect();
    }, this.#delay);
    this.#timer.unref();
    this.#delay = Math.min(this.#delay * 2, longestDelay);
  }

  #flush(): void {
    while (this.#connected !== undefined && !this.#socket.writableNeedDrain) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#size -= next.length;
      this.#socket.write(next);
    }
  }
}

/** Bytes kept for a receiver that is away: an hour of ten unikernels. */
const maxWaiting: number = 4 * 1024 * 1024;

/** Milliseconds. */
const longestDelay = 60_000;
