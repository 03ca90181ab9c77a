/**
 * The TLS server: connections in, bounded and timed; clients out, each with the
 * certificates that it presented.
 *
 * Nothing is decided here about who a client is. One that breaks, stalls or
 * floods costs its own connection and no other.
 *
 * @module
 */
import { createServer, isIP, type Server, type Socket } from "node:net";
import type { SecureContext, TLSSocket } from "node:tls";
import { err, ok, type Result } from "../core/result.ts";
import type { Log } from "./log.ts";
import { Admission, type Place, type TlsLimits, tlsLimits } from "./tls_limits.ts";
import { type Forwarded, type Forwarding, forward } from "./tls_relay.ts";
import { type SelfTestError, testPresented } from "./tls_self_test.ts";
import { type CredentialsError, createContext, errorCode, readPresented, startHandshake } from "./tls_socket.ts";

export interface TlsOptions {
  /** Leaf first, PEM. */
  readonly chain: string;
  /** The leaf's key, PEM. */
  readonly key: string;
  /** An IP address of this machine, or `::` for all of them. */
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly log: Log;
  /** Absent: `tlsLimits`. */
  readonly limits?: TlsLimits;
}

/** A client whose handshake is done. */
export interface TlsClient {
  readonly address: string;
  /** Leaf first, as sent; absent: more certificates than we look at. */
  readonly presented: readonly Uint8Array[] | undefined;
  /** Joins it to the daemon, until one of them is done. To be called once. */
  forward(plan: Forwarding): Promise<Forwarded>;
  /** Sends the last words and closes. Whatever the client is still sending is taken for a while, so that it can hear them. */
  finish(lastWords?: Uint8Array): void;
}

export interface TlsServer {
  readonly host: string;
  readonly port: number;
  /** Takes no more clients, and ends those that are not done after `grace` milliseconds. */
  close(grace: number): Promise<void>;
}

export type TlsServerError =
  | CredentialsError
  | SelfTestError
  /** `code` is the operating system's. */
  | { readonly kind: "listen"; readonly host: string; readonly port: number; readonly code: string };

/** @param serve - called for each client; whatever it throws costs that client alone */
export async function startTlsServer(
  options: TlsOptions,
  serve: (client: TlsClient) => Promise<void>,
): Promise<Result<TlsServer, TlsServerError>> {
  const context = createContext(options.chain, options.key);
  if (!context.ok) return context;
  const tested = await testPresented(context.value);
  if (!tested.ok) return tested;
  return new Listener(options, context.value, serve).listen();
}

class Listener {
  readonly #options: TlsOptions;
  readonly #limits: TlsLimits;
  readonly #context: SecureContext;
  readonly #serve: (client: TlsClient) => Promise<void>;
  readonly #admission: Admission;
  readonly #server: Server;
  readonly #connections: Set<Connection> = new Set();
  #toldOfSize = false;

  constructor(options: TlsOptions, context: SecureContext, serve: (client: TlsClient) => Promise<void>) {
    this.#options = options;
    this.#limits = options.limits ?? tlsLimits;
    this.#context = context;
    this.#serve = serve;
    this.#admission = new Admission(this.#limits);
    // A client that has sent all may still wait for its reply.
    this.#server = createServer({ allowHalfOpen: true, keepAlive: true, keepAliveInitialDelay: 60_000 }, (raw) =>
      this.#accept(raw),
    );
  }

  listen(): Promise<Result<TlsServer, TlsServerError>> {
    const { host, port, log } = this.#options;
    return new Promise((resolve) => {
      const refuse = (error: Error): void => resolve(err({ kind: "listen", host, port, code: errorCode(error) }));
      if (isIP(host) === 0) return refuse(new Error("not an IP address"));
      if (!(Number.isInteger(port) && port >= 0 && port <= 0xffff)) return refuse(new Error("not a port"));
      this.#server.once("error", refuse);
      this.#server.listen({ host, port }, () => {
        // Such as no descriptor left for the next client.
        this.#server.off("error", refuse).on("error", (error) => log.error({ code: errorCode(error) }, "listener"));
        const bound = this.#server.address();
        const actual = typeof bound === "object" && bound !== null ? bound.port : port;
        resolve(ok({ host, port: actual, close: (grace) => this.#close(grace) }));
      });
    });
  }

  #accept(raw: Socket): void {
    const address = raw.remoteAddress;
    const place = address === undefined ? undefined : this.#admission.admit(address);
    if (address === undefined || place === undefined) {
      raw.on("error", () => undefined).destroy();
      if (address !== undefined) this.#options.log.debug({ address }, "no room for another connection");
      return;
    }
    const onError = (error: Error): void => this.#tell(address, error);
    const connection = new Connection(startHandshake(raw, this.#context, onError), address, place, this.#limits);
    this.#connections.add(connection);
    connection.socket.once("close", () => this.#connections.delete(connection));
    connection.socket.once("secure", () => this.#welcome(connection));
  }

  #welcome(connection: Connection): void {
    const { log } = this.#options;
    const client = connection.settle();
    if (client === undefined) {
      log.warn({ address: connection.address }, "a resumed session, which must not be");
      connection.destroy();
      return;
    }
    this.#serve(client).catch((error: unknown) => {
      log.error({ address: connection.address, error: errorCode(error) }, "a client could not be served");
      connection.destroy();
    });
  }

  #tell(address: string, error: Error): void {
    const { log } = this.#options;
    const code = errorCode(error);
    if (code === tooLarge && !this.#toldOfSize) {
      this.#toldOfSize = true;
      log.warn(
        { address },
        "a client's certificates are over 100 KiB, which OpenSSL refuses: an image inside a certificate must be smaller, or be sent as a stream (said once)",
      );
    } else log.debug({ address, code }, "a connection failed");
  }

  async #close(grace: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of this.#connections) if (connection.pending) connection.destroy();
    const timer = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy();
    }, grace);
    await closed;
    clearTimeout(timer);
  }
}

/** One connection, from its first byte to its last. */
class Connection {
  readonly socket: TLSSocket;
  readonly address: string;
  readonly #place: Place;
  readonly #limits: TlsLimits;
  readonly #timer: NodeJS.Timeout;
  pending = true;

  constructor(socket: TLSSocket, address: string, place: Place, limits: TlsLimits) {
    this.socket = socket;
    this.address = address;
    this.#place = place;
    this.#limits = limits;
    this.#timer = setTimeout(() => this.destroy(), limits.handshake);
    // Half-open connections are for those that have been heard out.
    socket.once("end", () => (this.pending ? this.destroy() : undefined));
    socket.once("close", () => {
      clearTimeout(this.#timer);
      place.leave();
    });
  }

  /** The handshake is done; absent: in a way that shows no chain. */
  settle(): TlsClient | undefined {
    clearTimeout(this.#timer);
    this.#place.settle();
    this.pending = false;
    if (this.socket.isSessionReused()) return undefined;
    return {
      address: this.address,
      presented: readPresented(this.socket),
      forward: (plan) => forward(this.socket, plan, this.#limits),
      finish: (lastWords) => this.#finish(lastWords),
    };
  }

  destroy(): void {
    this.socket.destroy();
  }

  #finish(lastWords: Uint8Array | undefined): void {
    const { socket } = this;
    if (socket.destroyed) return;
    const timer = setTimeout(() => this.destroy(), this.#limits.linger);
    socket.once("close", () => clearTimeout(timer));
    if (lastWords === undefined) socket.end();
    else socket.end(lastWords);
    socket.resume();
  }
}

/** OpenSSL's word for a certificate message over its limit, 102,400 bytes. */
const tooLarge = "ERR_SSL_EXCESSIVE_MESSAGE_SIZE";
