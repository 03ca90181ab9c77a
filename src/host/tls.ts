/**
 * The TLS server: connections in, bounded and timed; clients out, each with the
 * certificates that it presented.
 *
 * Nothing is decided here about who a client is. One that breaks, stalls or
 * floods costs its own connection and no other.
 *
 * @module
 */
import { createServer, isIP, type Server, Socket } from "node:net";
import { err, ok, type Result } from "../core/result.ts";
import type { Log } from "./log.ts";
import { Ebb, tuneMalloc } from "./memory.ts";
import type { OpensslError } from "./openssl.ts";
import { Connection, type Presented, type TlsClient } from "./tls_connection.ts";
import { prepareContexts, type TlsContexts } from "./tls_contexts.ts";
import { Admission, isLoopback, type TlsLimits, tlsLimits } from "./tls_limits.ts";
import type { SelfTestError } from "./tls_self_test.ts";
import { Shares } from "./tls_share.ts";
import { type CredentialsError, errorCode, startHandshake } from "./tls_socket.ts";

export interface TlsOptions {
  /** Leaf first, PEM. */
  readonly chain: string;
  /** The leaf's key, PEM. */
  readonly key: string;
  /** An IP address of this machine, or `::` for all of them. */
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Instead of an address: what systemd or inetd opened for us. */
  readonly given?: Given;
  /** Nobody beyond this machine may be served. */
  readonly localOnly?: boolean;
  readonly log: Log;
  /** Absent: `tlsLimits`. */
  readonly limits?: TlsLimits;
}

/** A descriptor: a socket that listens, or the one connection that we are for. */
export interface Given {
  readonly kind: "listener" | "connection";
  readonly fd: number;
}

/** Serves one client; whatever it throws costs that client alone. */
export type Serve = (client: TlsClient, presented: Presented) => Promise<void>;

export interface TlsServer {
  readonly host: string;
  readonly port: number;
  /** Takes no more clients, and ends those that are not done after `grace` milliseconds. */
  close(grace: number): Promise<void>;
}

export type TlsServerError =
  | CredentialsError
  | SelfTestError
  /** `certificate-bytes` is to be moved, and cannot be. */
  | OpensslError
  /** What was given is open to more than this machine. */
  | { readonly kind: "not-local"; readonly host: string }
  /** `code` is the operating system's. */
  | { readonly kind: "listen"; readonly host: string; readonly port: number; readonly code: string };

export async function startTlsServer(options: TlsOptions, serve: Serve): Promise<Result<TlsServer, TlsServerError>> {
  const { limits = tlsLimits } = options;
  const contexts = await prepareContexts(options.chain, options.key, limits);
  if (!contexts.ok) return contexts;
  const { large } = contexts.value;
  if (!large.ok) options.log.warn({ problem: large.error.problem }, onlySmall);
  return new Listener(options, limits, contexts.value, serve).start();
}

class Listener {
  readonly #options: TlsOptions;
  readonly #limits: TlsLimits;
  readonly #contexts: TlsContexts;
  readonly #serve: Serve;
  readonly #admission: Admission;
  readonly #shares: Shares;
  readonly #server: Server;
  readonly #connections: Set<Connection> = new Set();
  readonly #ebb = new Ebb();
  #toldOfSize = Number.NEGATIVE_INFINITY;

  constructor(options: TlsOptions, limits: TlsLimits, contexts: TlsContexts, serve: Serve) {
    tuneMalloc();
    this.#options = options;
    this.#limits = contexts.large.ok ? limits : { ...limits, large: 0 };
    this.#contexts = contexts;
    this.#serve = serve;
    this.#admission = new Admission(this.#limits, () => performance.now());
    this.#shares = new Shares(limits.unansweredPerDelegate);
    // A client that has sent all may still wait for its reply.
    this.#server = createServer({ allowHalfOpen: true, keepAlive: true, keepAliveInitialDelay: 60_000 }, (raw) =>
      this.#accept(raw),
    );
  }

  async start(): Promise<Result<TlsServer, TlsServerError>> {
    const { given } = this.#options;
    return given?.kind === "connection" ? this.#serveOne(given.fd) : this.#listen(given?.fd);
  }

  #listen(fd: number | undefined): Promise<Result<TlsServer, TlsServerError>> {
    const { host, port, log, localOnly } = this.#options;
    return new Promise((resolve) => {
      const refuse = (error: Error): void => resolve(err({ kind: "listen", host, port, code: errorCode(error) }));
      if (fd === undefined && isIP(host) === 0) return refuse(new Error("not an IP address"));
      if (!(Number.isInteger(port) && port >= 0 && port <= 0xffff)) return refuse(new Error("not a port"));
      this.#server.once("error", refuse);
      this.#server.listen(fd === undefined ? { host, port, backlog } : { fd }, () => {
        // Such as no descriptor left for the next client.
        this.#server.off("error", refuse).on("error", (error) => log.error({ code: errorCode(error) }, "listener"));
        const bound = this.#server.address();
        const actual =
          typeof bound === "object" && bound !== null ? { host: bound.address, port: bound.port } : { host, port };
        if (localOnly !== true || isLoopback(actual.host)) return resolve(ok(this.#running(actual.host, actual.port)));
        this.#server.close();
        resolve(err({ kind: "not-local", host: actual.host }));
      });
    });
  }

  /** The one connection that inetd opened. */
  #serveOne(fd: number): Result<TlsServer, TlsServerError> {
    const { host, port, localOnly } = this.#options;
    try {
      const raw = new Socket({ fd, allowHalfOpen: true });
      const { localAddress, localPort } = raw;
      if (localAddress === undefined || localPort === undefined) {
        raw.destroy();
        return err({ kind: "listen", host, port, code: "ENOTCONN" });
      }
      if (localOnly === true && !isLoopback(localAddress)) return err({ kind: "not-local", host: localAddress });
      this.#accept(raw);
      return ok(this.#running(localAddress, localPort));
    } catch (error) {
      return err({ kind: "listen", host, port, code: errorCode(error) });
    }
  }

  #running(host: string, port: number): TlsServer {
    return { host, port, close: (grace) => this.#close(grace) };
  }

  #accept(raw: Socket): void {
    const address = raw.remoteAddress;
    const place = address === undefined ? undefined : this.#admission.admit(address, () => raw.destroy());
    if (address === undefined || place === undefined) {
      raw.on("error", () => undefined).destroy();
      if (address !== undefined) this.#options.log.debug({ address }, "no room for another connection");
      return;
    }
    const { small, large } = this.#contexts;
    const context = place.large && large.ok ? large.value : small;
    const onError = (error: Error): void => this.#tell(address, error);
    const connection = new Connection(
      startHandshake(raw, context, this.#limits.certificates, onError),
      address,
      place,
      { limits: this.#limits, shares: this.#shares },
    );
    this.#connections.add(connection);
    this.#ebb.count(this.#connections.size);
    connection.socket.once("close", () => {
      this.#connections.delete(connection);
      this.#ebb.count(this.#connections.size);
    });
    connection.socket.once("secure", () => this.#welcome(connection));
  }

  #welcome(connection: Connection): void {
    const { log } = this.#options;
    const presented = connection.settle();
    if (presented === "resumed") {
      log.warn({ address: connection.address }, "a resumed session, which must not be");
      connection.destroy();
      return;
    }
    this.#serve(connection, presented).catch((error: unknown) => {
      log.error({ address: connection.address, error: errorCode(error) }, "a client could not be served");
      connection.destroy();
    });
  }

  #tell(address: string, error: Error): void {
    const { log } = this.#options;
    const code = errorCode(error);
    if (code !== tooLarge) {
      log.debug({ address, code }, "a connection failed");
      return;
    }
    const now = performance.now();
    if (now - this.#toldOfSize < pause) return;
    this.#toldOfSize = now;
    if (!this.#contexts.large.ok) log.warn({ address }, `refused: ${onlySmall}`);
    else log.warn({ address }, noPlace(this.#limits.smallCertificates));
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

/** OpenSSL's word for a certificate message over its limit. */
const tooLarge = "ERR_SSL_EXCESSIVE_MESSAGE_SIZE";
const onlySmall =
  "certificates over 100 KiB are refused, as OpenSSL's limit cannot be raised without koffi: images inside certificates must be smaller, or be sent as streams";
const noPlace = (limit: number): string =>
  `refused: a client's certificates are over ${limit} bytes, and the places for such handshakes were taken (one an address); it may try again`;

/**
 * Connections that the kernel holds until we take them, if it lets us: one that finds no room there asks again after one
 * second, two, four. We take one at a time, between all else, so that a crowd would fill Node's 511.
 */
const backlog = 4096;

/** Milliseconds between two sentences about certificates that are too large: strangers could fill the log. */
const pause = 1000;
