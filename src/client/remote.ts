/**
 * A daemon behind an endpoint.
 *
 * Commands go through one session where the server knows sessions; where it
 * does not, each has a certificate and a handshake of its own, as albatross
 * wants it. What needs a stream has a connection of its own in either case.
 *
 * @module
 */
import type { Wire } from "../codec/wire.ts";
import { allowedInLeaf, type Command } from "../core/command.ts";
import type { Name } from "../core/name.ts";
import type { Connection } from "../host/client_connection.ts";
import type { Environment } from "../host/client_environment.ts";
import { connectRemote, type TlsError } from "../host/client_tls.ts";
import type { Pieces } from "../host/client_transfer.ts";
import type { Certificate } from "../x509/certificate.ts";
import { describeChain, describeSign, describeTls } from "./describe.ts";
import { type Credentials, type Issuer, issueLeaf, type Key, type LeafError, serialLength } from "./leaf.ts";
import { FulmarError, type Problem, problem } from "./problem.ts";
import { askAlone, Connections, fail, type Server } from "./server.ts";
import { Session } from "./session.ts";
import { commonNameOf, notInLeaf } from "./subject.ts";
import { sendAll } from "./upload.ts";

/** Whom to go to, and with whose authority. */
export interface Far {
  readonly host: string;
  readonly port: number;
  /** What the server's certificate must come from. */
  readonly anchor: Certificate;
  readonly issuer: Issuer;
  /** Of all leaves of this client. */
  readonly leafKey: Key;
  readonly environment: Pick<Environment, "now" | "random">;
}

/** A session, and until when it may be asked, ms since the Unix epoch. */
interface Current {
  readonly session: Session;
  readonly until: number;
}

export class RemoteServer implements Server {
  readonly whole: number = 900 * 1024;
  readonly #far: Far;
  readonly #connections: Connections = new Connections();
  readonly #turns: Turns = new Turns(handshakes);
  /** `unknown`: the server does not know sessions. */
  #current: Promise<Current | "unknown"> | undefined;

  constructor(far: Far) {
    this.#far = far;
  }

  /** Whether the server knows sessions: finds out, if need be. */
  async sessions(): Promise<boolean> {
    return (await this.#session()) !== undefined;
  }

  async ask(name: Name, command: Command): Promise<Wire> {
    const session = await this.#session();
    return session === undefined ? this.#askAlone(name, command) : session.ask(name, command);
  }

  async open(name: Name, command: Command, upload?: Pieces): Promise<Connection> {
    if (!allowedInLeaf(command)) return fail(notInLeaf(command));
    const commonName = commonNameOf(name, command);
    if (!commonName.ok) return fail(commonName.error);
    // A server that knows sessions hears who is refused out, and needs no time to look at the certificate first.
    const settle = upload !== undefined && !(await this.sessions());
    const connection = await this.#connect(this.#leaf(commonName.value, command), settle);
    if (!connection.ok) return fail(this.#describe(connection.error));
    if (upload !== undefined) await sendAll(connection.value, upload);
    return connection.value;
  }

  end(connection: Connection): void {
    this.#connections.end(connection);
  }

  close(): void {
    this.#connections.close();
  }

  #askAlone(name: Name, command: Command): Promise<Wire> {
    return this.#turns.take(() => askAlone(this, name, command));
  }

  async #session(): Promise<Session | undefined> {
    const known = this.#current;
    const current = await (known ?? this.#begin());
    if (current === "unknown") return undefined;
    if (known === undefined || (!current.session.over && this.#far.environment.now() < current.until)) {
      return current.session;
    }
    // Whoever finds out first begins the next one; the old one still answers what it was asked.
    if (this.#current === known) this.#current = undefined;
    current.session.retire();
    return this.#session();
  }

  #begin(): Promise<Current | "unknown"> {
    const beginning = this.#openSession();
    this.#current = beginning;
    beginning.catch(() => {
      if (this.#current === beginning) this.#current = undefined;
    });
    return beginning;
  }

  /** A command that changes nothing shows whether the server takes it: nothing is ever sent twice. */
  async #openSession(): Promise<Current | "unknown"> {
    const until = this.#far.environment.now() + sessionLife;
    const leaf = this.#leaf(".", { kind: "session", end: until }, sessionLife);
    const connection = await this.#connect(leaf, false);
    if (!connection.ok) {
      if (connection.error.kind === "broken" || isRefusal(connection.error)) return "unknown";
      return fail(this.#describe(connection.error));
    }
    const session = new Session(connection.value);
    try {
      await session.ask({ path: [] }, { kind: "block-info" });
      return { session, until: until - margin };
    } catch (error) {
      this.#connections.check();
      if (error instanceof FulmarError && error.kind === "communication") return "unknown";
      throw error;
    }
  }

  #leaf(commonName: string, command: Command, life?: number): Credentials {
    const { issuer, leafKey, environment } = this.#far;
    const serial = environment.random(serialLength);
    const some = life === undefined ? {} : { life };
    const leaf = issueLeaf(issuer, { commonName, command, key: leafKey, now: environment.now(), serial, ...some });
    return leaf.ok ? leaf.value : fail(describeLeaf(leaf.error));
  }

  async #connect(leaf: Credentials, settle: boolean): ReturnType<typeof connectRemote> {
    this.#connections.check();
    const { host, port, anchor, environment } = this.#far;
    const connection = await connectRemote({ host, port, anchor, ...leaf, now: environment.now(), settle });
    if (connection.ok) this.#connections.add(connection.value);
    return connection;
  }

  #describe(error: TlsError): Problem {
    const why = describeTls(error);
    return { ...why, text: `${this.#far.host} port ${this.#far.port}: ${why.text}` };
  }
}

/** So many at once, the others after them. */
class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async take<T>(act: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await act();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}

/** Whether a server said so that does not know what the leaf says. */
function isRefusal(error: TlsError): boolean {
  return error.kind === "alert" && error.about !== "certificate";
}

function describeLeaf(error: LeafError): Problem {
  switch (error.kind) {
    case "sign":
      return describeSign(error.error);
    case "path":
      return describeChain(error.error);
    case "unreadable":
      return problem("usage", "no certificate can be made with this key");
  }
}

/** Milliseconds: an hour, then there is another one. */
const sessionLife = 3_600_000;

/** Milliseconds before its end from which a session is asked nothing more: what was asked is to be answered. */
const margin = 60_000;

/** Handshakes at once: a quarter of what our endpoint lets one address have. */
const handshakes = 16;
