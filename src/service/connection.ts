/**
 * What all of the daemon's sockets have in common: reading one message, writing
 * replies, and closing without losing either.
 *
 * @module
 */
import type { Socket } from "node:net";
import { describeDer } from "../codec/describe.ts";
import { decodeWire, encodeMessage, type Header, type Payload, type Wire } from "../codec/wire.ts";
import { root } from "../core/name.ts";
import { Inbox } from "../host/inbox.ts";
import { letGo } from "../host/let_go.ts";

type Peer = "local" | "endpoint";

export class Connection {
  readonly socket: Socket;
  readonly inbox: Inbox;
  readonly #unread: number;
  readonly #peer: Peer;
  #watch: ((good: boolean) => void) | undefined;

  /**
   * @param largest - bytes of the largest frame that is taken
   * @param unread - bytes that may wait for a peer that does not read
   */
  constructor(socket: Socket, largest: number, unread: number, peer: Peer = "local") {
    this.socket = socket;
    this.#peer = peer;
    this.#unread = unread;
    this.inbox = new Inbox(socket, largest);
  }

  /** The next message; undefined at the end of the connection, or where what came was answered with a Failure. */
  async message(): Promise<Wire | undefined> {
    const frame = await this.inbox.frame();
    if (!frame.ok) {
      this.fail(unknown, `a message of ${frame.error.length} bytes is over the limit of ${frame.error.limit}`);
      return undefined;
    }
    if (frame.value === undefined) return undefined;
    const wire = decodeWire(frame.value);
    if (wire.ok) return wire.value;
    this.fail(wire.error.header ?? unknown, `the message cannot be read: ${describeDer(wire.error.error)}`);
    return undefined;
  }

  /** Has the next answer told, whether it is a good one. */
  watch(told: (good: boolean) => void): void {
    this.#watch = told;
  }

  /** Sends one message. While more is to be read, what is sent before the program comes to rest leaves together. */
  send(header: Header, payload: Payload): void {
    const { socket } = this;
    const watch = payload.kind === "data" ? undefined : this.#watch;
    if (watch !== undefined) {
      this.#watch = undefined;
      watch(payload.kind === "success");
    }
    if (socket.destroyed || socket.writableEnded) return;
    // Whoever has asked one thing gets the answer without a detour.
    if (socket.writableCorked === 0 && !this.inbox.quiet) {
      socket.cork();
      process.nextTick(() => socket.uncork());
    }
    socket.write(encodeMessage({ header, payload }));
  }

  /** Sends them in one piece. @returns as `push` does */
  sendAll(header: Header, payloads: readonly Payload[]): boolean {
    return this.push(Buffer.concat(payloads.map((payload) => encodeMessage({ header, payload }))));
  }

  /** Sends frames. @returns false where the peer does not read and too much waits for it already */
  push(frames: Uint8Array): boolean {
    if (this.socket.destroyed || this.socket.writableEnded) return false;
    this.socket.write(frames);
    return this.socket.writableLength < this.#unread;
  }

  /** Writes pieces of messages together, without copying them. @returns as `drained` does */
  async write(...pieces: readonly Uint8Array[]): Promise<boolean> {
    const { socket } = this;
    if (socket.destroyed || socket.writableEnded) return false;
    socket.cork();
    for (const piece of pieces) {
      socket.write(piece);
      letGo(piece.length);
    }
    socket.uncork();
    return this.drained();
  }

  /**
   * Aborts when the peer goes: its connection closes, or the endpoint ends its side, which it does not do before it has
   * its answer. A local client's end of its side says only that no more commands come: whether it waits for the answer is
   * found out when that is written.
   *
   * @returns the signal, and what ends looking for it
   */
  departure(): readonly [AbortSignal, () => void] {
    const { socket } = this;
    const events = this.#peer === "endpoint" ? ["close", "end"] : ["close"];
    const controller = new AbortController();
    const go = (): void => controller.abort();
    if (socket.destroyed) go();
    for (const event of events) socket.on(event, go);
    const forget = (): void => {
      for (const event of events) socket.off(event, go);
    };
    return [controller.signal, forget];
  }

  /** Resolves when the peer has read what was sent before, but for a little. @returns false where it is gone */
  async drained(): Promise<boolean> {
    if (this.socket.writableNeedDrain) {
      await new Promise<void>((resolve) => {
        const go = (): void => {
          this.socket.off("drain", go).off("close", go);
          resolve();
        };
        this.socket.on("drain", go).on("close", go);
      });
    }
    return !this.socket.destroyed;
  }

  fail(header: Header, text: string): void {
    this.send(header, { kind: "failure", text });
  }

  /** Says why it ends, and nothing after that; what the peer is sending is not waited for long. */
  expel(header: Header, text: string): void {
    const { socket } = this;
    this.fail(header, text);
    socket.end();
    const late = setTimeout(() => socket.destroy(), lingering);
    socket.once("close", () => clearTimeout(late));
  }

  /** Says why it ends, if the peer reads at all, and is gone at once: another connection has its place. */
  evict(header: Header, text: string): void {
    const { socket } = this;
    if (socket.writableLength > 0) {
      socket.destroy();
      return;
    }
    this.fail(header, text);
    socket.destroySoon();
  }

  /**
   * Ends the connection of a peer that has its answer and sends nothing more: at once, as the kernel gives it what was
   * written. Otherwise as `close`.
   */
  async leave(): Promise<void> {
    const { socket } = this;
    socket.uncork();
    if (this.inbox.quiet && socket.writableLength === 0) socket.destroy();
    else await this.close();
  }

  /** Ends the connection when everything is written, and when the peer ends it too or has had its time. */
  close(): Promise<void> {
    const { socket } = this;
    // A peer may still have much to read: each piece that it takes gives it more time.
    this.inbox.forget(lingering);
    socket.setTimeout(lingering, () => socket.destroy());
    return new Promise((resolve) => {
      if (socket.closed) resolve();
      else socket.once("close", resolve).end();
    });
  }
}

/** The header of a message whose own could not be read. */
const unknown: Header = { version: 5, sequence: 0n, name: { path: root } };

/** Milliseconds that a peer has for reading some of its answer, and for closing after it. */
const lingering = 10_000;
