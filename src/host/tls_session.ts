/**
 * A client's session joined to a connection to the daemon: its frames are
 * translated one by one, the daemon's replies pass as they come.
 *
 * @module
 */
import { createConnection, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { FrameReader, HeaderReader } from "../codec/frame.ts";
import type { TlsLimits } from "./tls_limits.ts";
import { timeLeft } from "./tls_relay.ts";
import type { Share } from "./tls_share.ts";
import { errorCode } from "./tls_socket.ts";

export interface Conversation {
  /** The daemon's socket. */
  readonly path: string;
  /** What the daemon is sent first. */
  readonly opening: Uint8Array;
  /** When it ends, ms since the Unix epoch. */
  readonly until: number;
  /** What the daemon is sent for one frame of the client's; it answers each in its turn. */
  readonly translate: (frame: Uint8Array) => Uint8Array;
}

export type SessionEnd =
  | { readonly kind: "client-gone" }
  | { readonly kind: "expired" }
  /** Nothing came for so long. */
  | { readonly kind: "idle"; readonly milliseconds: number }
  | { readonly kind: "frame-too-large"; readonly length: number; readonly limit: number }
  /** It had no more to say; `answered`: it said something before. */
  | { readonly kind: "daemon-ended"; readonly answered: boolean }
  | { readonly kind: "daemon-broke"; readonly code: string };

export interface SessionResult {
  readonly end: SessionEnd;
  /** Frames that the client sent. */
  readonly commands: number;
  /** Whether the client has only whole messages, so that another one may follow. */
  readonly between: boolean;
}

type Limits = Pick<TlsLimits, "idle" | "frame" | "unanswered">;

/**
 * Joins the two until one is done. The daemon's side is closed then, the client's is left to the caller.
 *
 * @param share - what it shares with its delegate's other sessions
 */
export function converse(
  client: TLSSocket,
  conversation: Conversation,
  limits: Limits,
  share: Share,
): Promise<SessionResult> {
  return new Promise((resolve) => new Session(client, conversation, { ...limits, share }, resolve).start());
}

class Session {
  readonly #client: TLSSocket;
  readonly #conversation: Conversation;
  readonly #resolve: (result: SessionResult) => void;
  readonly #frames: FrameReader;
  readonly #unanswered: number;
  readonly #share: Share;
  readonly #daemon: Socket;
  readonly #messages = new MessageEdge();
  readonly #expiry: NodeJS.Timeout;
  readonly #idle: NodeJS.Timeout;
  /** Why nothing more is taken: what was taken is still answered. */
  #last: SessionEnd | undefined;
  /** What came and is not looked at yet. */
  #piece: Uint8Array = nothing;
  /** The client sends nothing more. */
  #heardOut = false;
  #commands = 0;
  #answers = 0;
  #answered = false;
  /** The client does not read. What it has unanswered then is none of its delegate's: others would wait for it. */
  #deaf = false;
  #over = false;

  constructor(
    client: TLSSocket,
    conversation: Conversation,
    { idle, frame, unanswered, share }: Limits & { readonly share: Share },
    resolve: (result: SessionResult) => void,
  ) {
    this.#client = client;
    this.#frames = new FrameReader(frame);
    this.#unanswered = unanswered;
    this.#share = share;
    this.#conversation = conversation;
    this.#resolve = resolve;
    this.#daemon = createConnection({ path: conversation.path });
    this.#expiry = setTimeout(() => this.#stop({ kind: "expired" }), timeLeft(conversation.until));
    this.#idle = setTimeout(() => this.#finish({ kind: "idle", milliseconds: idle }), idle);
  }

  start(): void {
    const [client, daemon] = [this.#client, this.#daemon];
    daemon.write(this.#conversation.opening);
    daemon.on("data", (piece: Uint8Array) => this.#passToClient(piece));
    daemon.on("drain", () => this.#pass());
    daemon.on("end", () => this.#finish(this.#last ?? { kind: "daemon-ended", answered: this.#answered }));
    daemon.on("error", (error) => this.#finish(this.#last ?? { kind: "daemon-broke", code: errorCode(error) }));
    daemon.on("close", () => this.#finish(this.#last ?? { kind: "daemon-broke", code: "closed" }));
    client.on("data", (piece: Uint8Array) => this.#takeFromClient(piece));
    client.on("drain", () => this.#readOn());
    client.on("end", () => {
      this.#heardOut = true;
      this.#pass();
    });
    client.on("close", () => this.#finish({ kind: "client-gone" }));
    if (client.destroyed) this.#finish({ kind: "client-gone" });
  }

  #takeFromClient(piece: Uint8Array): void {
    if (this.#last !== undefined) return;
    this.#idle.refresh();
    this.#piece = this.#piece.length === 0 ? piece : Buffer.concat([this.#piece, piece]);
    this.#pass();
  }

  /** Passes on as much as is answered in its time: the client is read no faster, whatever its commands are. */
  readonly #pass = (): void => {
    const daemon = this.#daemon;
    daemon.cork();
    while (this.#last === undefined && this.#piece.length > 0 && this.#mayPass()) {
      const taken = this.#frames.take(this.#piece);
      if (!taken.ok) {
        const { length, limit } = taken.error;
        this.#stop({ kind: "frame-too-large", length, limit });
        break;
      }
      this.#piece = taken.value.rest;
      if (taken.value.frame === undefined) continue;
      this.#commands += 1;
      this.#share.take(1);
      daemon.write(this.#conversation.translate(taken.value.frame));
    }
    daemon.uncork();
    if (this.#heardOut && this.#piece.length === 0) this.#stop({ kind: "client-gone" });
    this.#pace();
  };

  /** Whether the client is read on. */
  #pace(): void {
    const waits = this.#piece.length > 0 && this.#share.left <= 0;
    if (this.#last === undefined && waits) this.#share.wait(this.#pass);
    if (this.#last !== undefined || (this.#mayBeAsked() && !waits)) this.#client.resume();
    else this.#client.pause();
  }

  #mayPass(): boolean {
    return this.#mayBeAsked() && this.#share.left > 0;
  }

  #mayBeAsked(): boolean {
    return !this.#deaf && !this.#daemon.writableNeedDrain && this.#commands < this.#answers + this.#unanswered;
  }

  #passToClient(piece: Uint8Array): void {
    if (this.#over) return;
    this.#idle.refresh();
    this.#answered = true;
    const answers = Math.min(this.#commands - this.#answers, this.#messages.push(piece));
    this.#answers += answers;
    if (!this.#deaf) this.#share.give(answers);
    if (!this.#client.write(piece)) this.#stopReading();
    this.#pass();
    this.#endAnswered();
  }

  #stopReading(): void {
    this.#daemon.pause();
    if (this.#deaf) return;
    this.#deaf = true;
    this.#share.give(this.#commands - this.#answers);
  }

  #readOn(): void {
    if (this.#over || !this.#deaf) return;
    this.#deaf = false;
    this.#share.take(this.#commands - this.#answers);
    this.#daemon.resume();
    this.#pass();
  }

  /** The daemon answers what it has, and closes. */
  #stop(end: SessionEnd): void {
    if (this.#last !== undefined) return;
    this.#last = end;
    this.#endAnswered();
    if (end.kind !== "client-gone") setTimeout(() => this.#finish(end), lastAnswers).unref();
  }

  /** Before, our end would say that the client has gone. */
  #endAnswered(): void {
    if (this.#last !== undefined && this.#answers >= this.#commands) this.#daemon.end();
  }

  #finish(end: SessionEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#last = end;
    clearTimeout(this.#idle);
    clearTimeout(this.#expiry);
    this.#share.leave(this.#pass);
    if (!this.#deaf) this.#share.give(this.#commands - this.#answers);
    this.#daemon.destroy();
    this.#resolve({ end, commands: this.#commands, between: this.#messages.between });
  }
}

/** Follows framed messages without keeping them. */
class MessageEdge {
  readonly #header = new HeaderReader();
  #headerBytes = 0;
  #missing = 0;

  get between(): boolean {
    return this.#headerBytes === 0 && this.#missing === 0;
  }

  /** @returns how many messages these bytes complete */
  push(bytes: Uint8Array): number {
    let at = 0;
    let ends = 0;
    while (at < bytes.length) {
      if (this.#missing > 0) {
        const step = Math.min(this.#missing, bytes.length - at);
        this.#missing -= step;
        at += step;
        if (this.#missing === 0) ends += 1;
        continue;
      }
      const taken = this.#header.push(bytes, at);
      at += taken;
      this.#headerBytes += taken;
      const length = this.#header.take();
      if (length === undefined) continue;
      this.#missing = length;
      this.#headerBytes = 0;
      if (length === 0) ends += 1;
    }
    return ends;
  }
}

const nothing = new Uint8Array(0);

/** Milliseconds for the answers to what was taken before the session's end: an image, or the end of an old guest. */
const lastAnswers = 60_000;
