/**
 * A client's connection joined to a connection of its own to the daemon.
 *
 *     client ──TLS──▶ upload, up to its end       ──▶ daemon
 *     client ◀──TLS── every byte, message by message ◀── daemon
 *
 * What follows an upload, and whatever comes where none is expected, never
 * reaches the daemon: behind the request it would stand where only the endpoint
 * speaks. Each side is read as fast as the other one takes it. No record that
 * the client gets ends inside a message that fits into one (codec/tls_record).
 *
 * @module
 */
import { createConnection, type NetConnectOpts, type Socket } from "node:net";
import type { DuplexOptions } from "node:stream";
import type { TLSSocket } from "node:tls";
import { ChunkReader } from "../codec/chunk.ts";
import { RecordCutter } from "../codec/tls_record.ts";
import { letGo } from "./let_go.ts";
import type { TlsLimits } from "./tls_limits.ts";
import { errorCode } from "./tls_socket.ts";

export interface Forwarding {
  /** The daemon's socket. */
  readonly path: string;
  /** What the daemon is sent first. */
  readonly opening: readonly Uint8Array[];
  /**
   * An upload: the client's chunks follow the opening. A subscription: the reply has no end. A download: the reply is
   * long in the making, and a client that ends its side before it begins does not wait for it.
   */
  readonly form: "plain" | "upload" | "subscription" | "download";
  /** When it ends whatever goes on, ms since the Unix epoch; absent: it does not. */
  readonly until?: number;
}

export type ForwardEnd =
  /** The daemon had no more to say, or the client had heard its reply. */
  | { readonly kind: "done" }
  | { readonly kind: "daemon-unreachable"; readonly code: string }
  | { readonly kind: "daemon-broke"; readonly code: string }
  | { readonly kind: "client-gone" }
  /** It was until now. */
  | { readonly kind: "expired" }
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
  readonly #messages = new RecordCutter();
  /** What the client has not been sent. */
  readonly #waiting: Uint8Array[] = [];
  /** The client is being sent something. */
  #writing = false;
  /** How this ends when the client has been sent all. */
  #last: ForwardEnd | undefined;
  /** While the client's upload goes on. */
  #upload: ChunkReader | undefined;
  #unasked = 0;
  #sent = 0;
  #received = 0;
  #connected = false;
  #over = false;
  #patience: NodeJS.Timeout | undefined;
  readonly #expiry: NodeJS.Timeout | undefined;

  constructor(client: TLSSocket, plan: Forwarding, limits: TlsLimits, resolve: (forwarded: Forwarded) => void) {
    this.#client = client;
    this.#daemon = createConnection(daemonOptions(plan.path));
    this.#form = plan.form;
    this.#limits = limits;
    this.#resolve = resolve;
    if (plan.until !== undefined) {
      this.#expiry = setTimeout(() => this.#expire(), timeLeft(plan.until));
    }
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
    daemon.on("end", () => this.#finishHeard({ kind: "done" }));
    daemon.on("error", (error) => this.#finishHeard(this.#daemonError(errorCode(error))));
    daemon.on("close", () => this.#finishHeard(this.#daemonError("closed")));
  }

  /** The listeners stay when this is over: what comes then is dropped. */
  #listenToClient(): void {
    const client = this.#client;
    client.on("data", (piece: Uint8Array) => this.#takeFromClient(piece));
    client.on("end", () => this.#clientEnded());
    client.on("close", () => this.#finish({ kind: "client-gone" }));
  }

  #passToClient(piece: Uint8Array): void {
    if (this.#over || this.#last !== undefined) return;
    letGo(piece.length);
    this.#received += piece.length;
    this.#waiting.push(...this.#messages.push(piece));
    // The daemon would wait for another request. Before, our end would say that the client has gone.
    if (this.#messages.between && (this.#form === "plain" || this.#form === "download")) this.#daemon.end();
    this.#writeNext();
    if (this.#waiting.length > 0) this.#daemon.pause();
    this.#rearm();
  }

  /** One piece after the other: what is written while another piece is on its way would be joined, and cut anew. */
  #writeNext(): void {
    if (this.#writing || this.#over) return;
    const piece = this.#waiting.shift();
    if (piece === undefined) {
      if (this.#last !== undefined) this.#finish(this.#last);
      else this.#daemon.resume();
      return;
    }
    this.#writing = true;
    this.#client.write(piece, (error) => {
      // Then the client's end has been told, or is.
      if (error) return;
      this.#writing = false;
      this.#rearm();
      this.#writeNext();
    });
  }

  #takeFromClient(piece: Uint8Array): void {
    if (this.#over) return;
    letGo(piece.length);
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
    this.#gather();
    if (!this.#daemon.write(piece.subarray(0, piece.length - after))) this.#client.pause();
    if (rest === undefined) return after;
    this.#upload = undefined;
    this.#daemon.end();
    return after;
  }

  /** A client's records come by the dozen, and leave for the daemon together. */
  #gather(): void {
    const daemon = this.#daemon;
    if (daemon.writableCorked > 0) return;
    daemon.cork();
    setImmediate(() => daemon.uncork());
  }

  /** It sends no more, which is no reason to withhold a reply; that it has gone looks the same until something is sent. */
  #clientEnded(): void {
    const leaves = this.#form === "subscription" || (this.#form === "download" && this.#received === 0);
    if (leaves) this.#finish({ kind: "client-gone" });
    else if (this.#received > 0 && this.#messages.between) this.#finishHeard({ kind: "done" });
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
    const moving = this.#upload !== undefined || this.#writing || !this.#messages.between;
    if (this.#form === "subscription" && !moving) return;
    const silent = !moving && this.#received === 0;
    const end: ForwardEnd = silent
      ? { kind: "no-reply", milliseconds: reply }
      : { kind: "stalled", milliseconds: stalled };
    this.#patience = setTimeout(() => this.#finish(end), end.milliseconds);
  }

  #expire(): void {
    if (this.#messages.between) this.#finishHeard({ kind: "expired" });
    else this.#finish({ kind: "expired" });
  }

  /** Nothing more comes for the client, who is sent what came. */
  #finishHeard(end: ForwardEnd): void {
    if (this.#last !== undefined) return;
    this.#last = end;
    if (this.#messages.begun.length > 0) this.#waiting.push(this.#messages.begun);
    this.#writeNext();
  }

  #finish(end: ForwardEnd): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#patience);
    clearTimeout(this.#expiry);
    this.#daemon.destroy();
    const { between } = this.#messages;
    this.#resolve({ end, sent: this.#sent, received: this.#received, between });
  }
}

/** Node's stream takes more than its documentation tells: with the usual 16 KB the client would be stopped at each record. */
function daemonOptions(path: string): NetConnectOpts & DuplexOptions {
  return { path, allowHalfOpen: true, writableHighWaterMark: readAhead };
}

/** Bytes of an upload that wait for the daemon. */
const readAhead: number = 256 * 1024;

/** Milliseconds to a time, as far as setTimeout counts: 24 days. */
export function timeLeft(until: number): number {
  return Math.min(Math.max(until - Date.now(), 0), 0x7fffffff);
}
