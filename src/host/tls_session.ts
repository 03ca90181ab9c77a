/**
 * A client's session joined to a connection to the daemon: its frames are
 * translated one by one, the daemon's replies pass as they come.
 *
 * @module
 */
import { createConnection, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { FrameReader, maxFrame } from "../codec/frame.ts";
import { MessageEdge } from "./tls_relay.ts";
import { errorCode } from "./tls_socket.ts";

/** What becomes of one frame. */
export type Translated =
  /** For the daemon. */
  | { readonly kind: "forward"; readonly bytes: readonly Uint8Array[] }
  /** A whole message for the client. */
  | { readonly kind: "answer"; readonly bytes: Uint8Array };

export interface Conversation {
  /** The daemon's socket. */
  readonly path: string;
  /** When it ends, ms since the Unix epoch. */
  readonly until: number;
  readonly translate: (frame: Uint8Array) => Translated;
}

export type SessionEnd =
  | { readonly kind: "client-gone" }
  | { readonly kind: "expired" }
  /** Nothing came for so long. */
  | { readonly kind: "idle"; readonly milliseconds: number }
  | { readonly kind: "frame-too-large"; readonly length: number; readonly limit: number }
  | { readonly kind: "daemon-broke"; readonly code: string };

export interface SessionResult {
  readonly end: SessionEnd;
  /** Frames that the client sent. */
  readonly commands: number;
  /** Whether the client has only whole messages, so that another one may follow. */
  readonly between: boolean;
}

/** Joins the two until one is done. The daemon's side is closed then, the client's is left to the caller. */
export function converse(client: TLSSocket, conversation: Conversation): Promise<SessionResult> {
  return new Promise((resolve) => new Session(client, conversation, resolve).start());
}

class Session {
  readonly #client: TLSSocket;
  readonly #conversation: Conversation;
  readonly #resolve: (result: SessionResult) => void;
  readonly #frames = new FrameReader(maxFrame);
  readonly #daemon: Socket;
  readonly #messages = new MessageEdge();
  /** Our own answers, until the daemon is between two messages. */
  readonly #answers: Uint8Array[] = [];
  readonly #expiry: NodeJS.Timeout;
  #idle: NodeJS.Timeout | undefined;
  #commands = 0;
  #over = false;

  constructor(client: TLSSocket, conversation: Conversation, resolve: (result: SessionResult) => void) {
    this.#client = client;
    this.#conversation = conversation;
    this.#resolve = resolve;
    this.#daemon = createConnection({ path: conversation.path });
    const left = Math.min(Math.max(conversation.until - Date.now(), 0), longestTimer);
    this.#expiry = setTimeout(() => this.#finish({ kind: "expired" }), left);
  }

  start(): void {
    const [client, daemon] = [this.#client, this.#daemon];
    daemon.on("data", (piece: Uint8Array) => this.#passToClient(piece));
    daemon.on("drain", () => client.resume());
    daemon.on("error", (error) => this.#finish({ kind: "daemon-broke", code: errorCode(error) }));
    daemon.on("close", () => this.#finish({ kind: "daemon-broke", code: "closed" }));
    client.on("data", (piece: Uint8Array) => this.#takeFromClient(piece));
    client.on("drain", () => daemon.resume());
    client.on("end", () => daemon.end());
    client.on("close", () => this.#finish({ kind: "client-gone" }));
    this.#rearm();
    if (client.destroyed) this.#finish({ kind: "client-gone" });
  }

  #takeFromClient(piece: Uint8Array): void {
    if (this.#over) return;
    this.#rearm();
    const frames = this.#frames.push(piece);
    this.#daemon.cork();
    for (const frame of frames.ok ? frames.value : frames.error.before) this.#take(frame);
    this.#daemon.uncork();
    if (this.#daemon.writableNeedDrain) this.#client.pause();
    if (!frames.ok) {
      const { length, limit } = frames.error;
      this.#finish({ kind: "frame-too-large", length, limit });
    }
  }

  #take(frame: Uint8Array): void {
    this.#commands += 1;
    const translated = this.#conversation.translate(frame);
    if (translated.kind === "answer") {
      this.#answers.push(translated.bytes);
      this.#answer();
    } else for (const bytes of translated.bytes) this.#daemon.write(bytes);
  }

  #passToClient(piece: Uint8Array): void {
    if (this.#over) return;
    this.#rearm();
    this.#messages.push(piece);
    if (!this.#client.write(piece)) this.#daemon.pause();
    this.#answer();
  }

  #answer(): void {
    if (!this.#messages.between) return;
    for (const bytes of this.#answers.splice(0)) this.#client.write(bytes);
  }

  #rearm(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#finish({ kind: "idle", milliseconds: idleLimit }), idleLimit);
  }

  #finish(end: SessionEnd): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#idle);
    clearTimeout(this.#expiry);
    this.#daemon.destroy();
    const { between } = this.#messages;
    const gone = this.#client.readableEnded ? ({ kind: "client-gone" } as const) : end;
    this.#resolve({ end: gone, commands: this.#commands, between });
  }
}

/** Milliseconds: a tool that asks now and then comes back within ten minutes, or opens another session. */
const idleLimit = 600_000;

/** Milliseconds, 24 days: what setTimeout takes (2^31 - 1). */
const longestTimer = 0x7fffffff;
