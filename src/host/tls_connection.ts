/**
 * One client's connection, from its first byte to its last: timed, and counted
 * until it has gone.
 *
 * @module
 */
import type { TLSSocket } from "node:tls";
import type { Place, TlsLimits } from "./tls_limits.ts";
import { type Forwarded, type Forwarding, forward } from "./tls_relay.ts";
import { type Conversation, converse, type SessionResult } from "./tls_session.ts";
import type { Shares } from "./tls_share.ts";
import type { Handshake } from "./tls_socket.ts";

/** A client whose handshake is done. */
export interface TlsClient {
  readonly address: string;
  /** Its certificates are good, and the first-level delegate is who it counts for. */
  belong(delegate: string): void;
  /** Its certificates are good. Joins it to the daemon, until one of them is done. To be called once. */
  forward(plan: Forwarding): Promise<Forwarded>;
  /** As `forward`, for many commands. */
  converse(conversation: Conversation): Promise<SessionResult>;
  /** Sends the last words and closes. Whatever the client is still sending is taken for a while, so that it can hear them. */
  finish(lastWords?: Uint8Array): void;
}

/** Certificates, leaf first, as sent; absent: more than we look at. To be forgotten as soon as may be: they can be large. */
export type Presented = readonly Uint8Array[] | undefined;

export class Connection implements TlsClient {
  readonly socket: TLSSocket;
  readonly address: string;
  readonly #readPresented: Handshake["readPresented"];
  readonly #place: Place;
  readonly #limits: TlsLimits;
  readonly #shares: Shares;
  #delegate = "";
  readonly #timer: NodeJS.Timeout;
  pending = true;
  /** While `secure` is told OpenSSL has still something of its own to send, and takes no end. */
  #settling = false;

  constructor(
    { socket, readPresented }: Handshake,
    address: string,
    place: Place,
    { limits, shares }: { readonly limits: TlsLimits; readonly shares: Shares },
  ) {
    this.socket = socket;
    this.#readPresented = readPresented;
    this.address = address;
    this.#place = place;
    this.#limits = limits;
    this.#shares = shares;
    this.#timer = setTimeout(() => this.destroy(), limits.handshake);
    // Half-open connections are for those that have been heard out.
    socket.once("end", () => (this.pending ? this.destroy() : undefined));
    socket.once("close", () => {
      clearTimeout(this.#timer);
      place.leave();
    });
  }

  /** The handshake is done: what was presented, unless the session shows no chain. */
  settle(): Presented | "resumed" {
    clearTimeout(this.#timer);
    this.#settling = true;
    setImmediate(() => {
      this.#settling = false;
    });
    this.pending = false;
    if (this.socket.isSessionReused()) return "resumed";
    const presented = this.#readPresented();
    const heavy = (presented ?? []).reduce((sum, { length }) => sum + length, 0) > this.#limits.smallCertificates;
    this.#place.settle(heavy);
    if (!heavy) this.#place.clear();
    return presented;
  }

  belong(delegate: string): void {
    this.#delegate = delegate;
    this.#place.belong(delegate);
  }

  forward(plan: Forwarding): Promise<Forwarded> {
    this.#place.clear();
    const forwarded = forward(this.socket, plan, this.#limits);
    this.#watch();
    return forwarded;
  }

  converse(conversation: Conversation): Promise<SessionResult> {
    this.#place.clear();
    const result = converse(this.socket, conversation, this.#limits, this.#shares.of(this.#delegate));
    this.#watch();
    return result;
  }

  /** What moves in either direction is not idle. */
  #watch(): void {
    this.socket.on("data", () => this.#place.touch()).on("drain", () => this.#place.touch());
  }

  destroy(): void {
    this.socket.destroy();
  }

  finish(lastWords?: Uint8Array): void {
    const { socket } = this;
    if (socket.destroyed) return;
    const timer = setTimeout(() => this.destroy(), this.#limits.linger);
    socket.once("close", () => clearTimeout(timer));
    if (this.#settling) setImmediate(() => this.#end(lastWords));
    else this.#end(lastWords);
  }

  #end(lastWords: Uint8Array | undefined): void {
    const { socket } = this;
    if (lastWords === undefined) socket.end();
    else socket.end(lastWords);
    socket.resume();
  }
}
