/**
 * A client's connection joined to a connection of its own to the daemon.
 *
 *     client ──TLS──▶ upload, up to its end ──▶ daemon
 *     client ◀──TLS── every byte             ◀── daemon
 *
 * What follows an upload, and whatever comes where none is expected, never
 * reaches the daemon: behind the request it would stand where only the endpoint
 * speaks. Each side is read as fast as the other one takes it.
 *
 * @module
 */
import { createConnection, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { ChunkReader } from "../codec/chunk.ts";
import { HeaderReader } from "../codec/frame.ts";
import type { TlsLimits } from "./tls_limits.ts";
import { errorCode } from "./tls_socket.ts";

export interface Forwarding {
  /** The daemon's socket. */
  readonly path: string;
  /** What the daemon is sent first. */
  readonly opening: readonly Uint8Array[];
  /** An upload: the client's chunks follow the opening. A subscription: the reply has no end. */
  readonly form: "plain" | "upload" | "subscription";
}

export type ForwardEnd =
  /** The daemon had no more to say, or the client had heard its reply. */
  | { readonly kind: "done" }
  | { readonly kind: "daemon-unreachable"; readonly code: string }
  | { readonly kind: "daemon-broke"; readonly code: string }
  | { readonly kind: "client-gone" }
  | { readonly kind: "client-unasked"; readonly limit: number }
  /** An upload or a reply stood still. */
  | { readonly kind: "stalled"; readonly milliseconds: number }
  | { readonly kind: "no-reply"; readonly milliseconds: number };

export interface Forwarded {
  readonly end: ForwardEnd;
  /** Bytes from the client to the daemon, the opening left out. */
  readonly sent: number;
  /** Bytes from the daemon to the client. */
  readonly received: number;
  /** Whether the client has only whole messages, so that another one may follow. */
  readonly between: boolean;
}

/** Joins the two until one is done. The daemon's side is closed then, the client's is left to the caller. */
export function forward(client: TLSSocket, plan: Forwarding, limits: TlsLimits): Promise<Forwarded> {
  return new Promise((resolve) => new Relay(client, plan, limits, resolve).start(plan.opening));
}

class Relay {
  readonly #client: TLSSocket;
  readonly #daemon: Socket;
  readonly #form: Forwarding["form"];
  readonly #limits: TlsLimits;
  readonly #resolve: (forwarded: Forwarded) => void;
  readonly #messages = new MessageEdge();
  /** While the client's upload goes on. */
  #upload: ChunkReader | undefined;
  #unasked = 0;
  #sent = 0;
  #received = 0;
  #connected = false;
  #over = false;
  #patience: NodeJS.Timeout | undefined;

  constructor(client: TLSSocket, plan: Forwarding, limits: TlsLimits, resolve: (forwarded: Forwarded) => void) {
    this.#client = client;
    this.#daemon = createConnection({ path: plan.path, allowHalfOpen: true });
    this.#form = plan.form;
    this.#limits = limits;
    this.#resolve = resolve;
    // Its size is for the daemon to judge, which knows what it is for.
    this.#upload = plan.form === "upload" ? new ChunkReader(Number.POSITIVE_INFINITY) : undefined;
  }

  /** The opening, which may hold an image, is kept by nobody once the daemon has it. */
  start(opening: Forwarding["opening"]): void {
    this.#listenToDaemon();
    this.#listenToClient();
    this.#daemon.cork();
    for (const piece of opening) this.#daemon.write(piece);
    this.#daemon.uncork();
    // The daemon would wait for another request. A subscription lasts as long as our side is open.
    if (this.#form === "plain") this.#daemon.end();
    this.#rearm();
    if (this.#client.destroyed) this.#finish({ kind: "client-gone" });
  }

  #listenToDaemon(): void {
    const daemon = this.#daemon;
    daemon.on("connect", () => {
      this.#connected = true;
    });
    daemon.on("data", (piece: Uint8Array) => this.#passToClient(piece));
    daemon.on("drain", () => this.#client.resume());
    daemon.on("end", () => this.#finish({ kind: "done" }));
    daemon.on("error", (error) => this.#finish(this.#daemonError(errorCode(error))));
    daemon.on("close", () => this.#finish(this.#daemonError("closed")));
  }

  /** The listeners stay when this is over: what comes then is dropped. */
  #listenToClient(): void {
    const client = this.#client;
    client.on("data", (piece: Uint8Array) => this.#takeFromClient(piece));
    client.on("drain", () => {
      this.#daemon.resume();
      this.#rearm();
    });
    client.on("end", () => this.#clientEnded());
    client.on("close", () => this.#finish({ kind: "client-gone" }));
  }

  #passToClient(piece: Uint8Array): void {
    if (this.#over) return;
    this.#received += piece.length;
    this.#messages.push(piece);
    if (!this.#client.write(piece)) this.#daemon.pause();
    this.#rearm();
  }

  #takeFromClient(piece: Uint8Array): void {
    if (this.#over) return;
    const rest = this.#passUpload(piece);
    this.#unasked += rest;
    // The daemon would end a subscription at the first byte.
    if (rest === 0) this.#rearm();
    else if (this.#form === "subscription") this.#finish({ kind: "client-gone" });
    else if (this.#unasked > this.#limits.unasked) {
      this.#finish({ kind: "client-unasked", limit: this.#limits.unasked });
    }
  }

  /** How many bytes are not the upload's. */
  #passUpload(piece: Uint8Array): number {
    const chunks = this.#upload?.push(piece);
    if (chunks === undefined || !chunks.ok) return piece.length;
    const { rest } = chunks.value;
    const after = rest?.length ?? 0;
    this.#sent += piece.length - after;
    if (!this.#daemon.write(piece.subarray(0, piece.length - after))) this.#client.pause();
    if (rest === undefined) return after;
    this.#upload = undefined;
    this.#daemon.end();
    return after;
  }

  /** It sends no more, which is no reason to withhold its reply. */
  #clientEnded(): void {
    if (this.#form === "subscription") this.#finish({ kind: "client-gone" });
    else if (this.#received > 0 && this.#messages.between) this.#finish({ kind: "done" });
    else if (this.#upload !== undefined) this.#daemon.end();
  }

  /** A daemon that refuses in the middle of an upload may close before it has read all that was sent. */
  #daemonError(code: string): ForwardEnd {
    if (!this.#connected) return { kind: "daemon-unreachable", code };
    const answered = this.#received > 0 && this.#messages.between;
    return answered ? { kind: "done" } : { kind: "daemon-broke", code };
  }

  #rearm(): void {
    if (this.#over) return;
    clearTimeout(this.#patience);
    const { stalled, reply } = this.#limits;
    const moving = this.#upload !== undefined || this.#client.writableNeedDrain || !this.#messages.between;
    if (this.#form === "subscription" && !moving) return;
    const silent = !moving && this.#received === 0;
    const end: ForwardEnd = silent
      ? { kind: "no-reply", milliseconds: reply }
      : { kind: "stalled", milliseconds: stalled };
    this.#patience = setTimeout(() => this.#finish(end), end.milliseconds);
  }

  #finish(end: ForwardEnd): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#patience);
    this.#daemon.destroy();
    const { between } = this.#messages;
    this.#resolve({ end, sent: this.#sent, received: this.#received, between });
  }
}

/** Follows framed messages without keeping them. */
export class MessageEdge {
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
