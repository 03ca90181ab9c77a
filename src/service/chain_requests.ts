/**
 * chain.sock: what the endpoint asks for those whose chains it has verified.
 *
 * Whether a chain is let in, when it is its delegate's turn, and whose
 * connections make room are decided here; the rest is the services'.
 *
 * @module
 */
import type { Socket } from "node:net";
import type { Header, Wire } from "../codec/wire.ts";
import { checkAdmission, checkBringer } from "../core/admission.ts";
import { refusedBy } from "../core/audit.ts";
import { allowedInLeaf, type ChainRequest, type Command, serviceOf } from "../core/command.ts";
import { describeRefusal } from "../core/describe.ts";
import type { DaemonLimits } from "../core/limits.ts";
import { isWithin, type Name, sameName } from "../core/name.ts";
import type { Refusal } from "../core/refusal.ts";
import type { Request } from "../core/state.ts";
import { type Asked, toldOf } from "../host/audit_ledger.ts";
import type { Runner } from "../host/runner.ts";
import { askedByChain, askedByEndpoint, refusedInSession, toldByEndpoint } from "./asked.ts";
import { Connection } from "./connection.ts";
import { serveConsoles } from "./console_commands.ts";
import { FairQueue } from "./fair_queue.ts";
import { Live } from "./live.ts";
import { checkNamed } from "./revocation_list.ts";
import { note, type Services, tell } from "./services.ts";
import { StatisticsSession } from "./statistics_commands.ts";
import { streams } from "./upload.ts";

export class ChainRequests {
  readonly #runner: () => Runner;
  readonly #services: Services;
  readonly #limits: DaemonLimits;
  readonly #queue: FairQueue;
  readonly #live: Live;
  #rechecked = Number.NEGATIVE_INFINITY;
  #rechecking: NodeJS.Timeout | undefined;

  constructor(runner: () => Runner, services: Services, limits: DaemonLimits) {
    this.#runner = runner;
    this.#services = services;
    this.#limits = limits;
    this.#queue = new FairQueue(limits, () => performance.now());
    this.#live = new Live(limits.connections);
  }

  /** Ends what locks and revocations do not let in any more; called by the runner, and now and then: lists become stale. */
  recheck(): void {
    const left = this.#rechecked + recheckPause - performance.now();
    if (left <= 0) {
      this.#rechecked = performance.now();
      this.#live.recheck(this.#runner().state, Date.now());
    } else
      this.#rechecking ??= setTimeout(() => {
        this.#rechecking = undefined;
        this.recheck();
      }, left).unref();
  }

  /** Ends a connection in which nothing is asked, of the delegate with most of those. @returns which; undefined: there is none */
  makeRoom(): Socket | undefined {
    return this.#live.makeRoom();
  }

  /**
   * Requests of verified chains, one after the other, each perhaps with an upload behind it. What the endpoint itself refuses of a session comes as a failure, and goes back in its turn; what it refused of others comes
   * as it stands in the audit log, for that alone.
   */
  async serve(socket: Socket): Promise<void> {
    const connection = new Connection(socket, this.#limits.frame + chainBytes, this.#limits.unread, "endpoint");
    while (await connection.drained()) {
      const wire = await connection.message();
      if (wire === undefined || !(await this.#serveMessage(connection, wire))) break;
    }
    this.#live.leave(connection);
    await connection.close();
  }

  /** @returns whether another one may follow */
  async #serveMessage(connection: Connection, wire: Wire): Promise<boolean> {
    const { header, payload } = wire;
    if (payload.kind === "failure") return this.#passRefusal(connection, header, payload.text);
    const refused = toldByEndpoint(wire);
    if (refused !== undefined) {
      this.#services.audit.note(strangers, () => refused);
      return true;
    }
    if (payload.kind === "command" && payload.command.kind === "push-crl") {
      const { name } = header;
      const { command } = payload;
      const asked = askedByEndpoint(name, command);
      await this.#services.requests.ask({ connection, header, request: { name, command, levels: [] }, asked });
      return true;
    }
    if (payload.kind === "request") return this.#serveRequest(connection, header, payload.request);
    connection.fail(header, "this socket takes requests of verified chains");
    return false;
  }

  /** What the endpoint refused of a session takes its turn like what it did not, or it would take everybody's. */
  async #passRefusal(connection: Connection, header: Header, text: string): Promise<boolean> {
    const { name } = header;
    const [whose = ""] = name.path;
    const end = await this.#queue.take(whose);
    this.#services.audit.note(whose, () => refusedInSession(name));
    connection.fail(header, text);
    end?.();
    return true;
  }

  /** @returns whether another request may follow: not behind a subscription, nor behind an upload that was not taken */
  async #serveRequest(connection: Connection, from: Header, request: ChainRequest): Promise<boolean> {
    const { levels, label, command } = request;
    const { sequence, name } = from;
    const path = levels.map((level) => level.label);
    const covered = label === undefined ? isWithin(path, name.path) : sameName({ path, label }, name);
    const header: Header = { version: 5, sequence, name };
    const asked = askedByChain(request, name);
    if (!covered || !allowedInLeaf(command)) {
      note(this.#services, connection, asked);
      connection.fail(header, "the request is not what the chain says");
      return false;
    }
    // Whoever is not let in takes no turns of those who are, with whom he may share a path.
    const barred = this.#bar(request, name);
    if (barred !== undefined) return this.#refuse(connection, header, request, barred);
    const pause = this.#services.audit.pause(path[0] ?? "");
    if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause).unref());
    const end = await this.#queue.take(path[0] ?? "");
    if (end === undefined) {
      return this.#refuse(connection, header, request, { kind: "too-many-requests", limit: this.#limits.waiting });
    }
    // A subscription lasts as long as its client likes.
    if (serviceOf(command) !== "daemon") end();
    try {
      return await this.#serveInTurn(connection, header, request, asked);
    } finally {
      if (serviceOf(command) === "daemon") end();
    }
  }

  async #serveInTurn(connection: Connection, header: Header, request: ChainRequest, asked: Asked): Promise<boolean> {
    const { command } = request;
    const { name } = header;
    const whole: Request = { ...request, name };
    const barred = this.#bar(request, name);
    if (barred !== undefined) return this.#refuse(connection, header, request, barred);
    this.#live.enter(connection, header, whole);
    if (command.kind === "session" || serviceOf(command) !== "daemon") this.#live.rest(connection);
    // Only that it is there: its commands follow.
    if (command.kind === "session") {
      this.#services.audit.note(asked.delegate, () => toldOf(asked, { kind: "done" }));
      return true;
    }
    switch (serviceOf(command)) {
      case "console":
        note(this.#services, connection, asked);
        await serveConsoles(this.#services.consoles, connection, header, name, command);
        return command.kind === "console-list-inactive";
      case "stats":
        note(this.#services, connection, asked);
        await this.#subscribe(connection, header, name, command);
        return false;
      case "log":
        await tell(this.#services, connection, header, command, asked);
        return false;
      case "daemon": {
        const reply = await this.#services.requests.ask({
          connection,
          header,
          request: whole,
          asked,
          imageFollows: request.imageFollows,
        });
        this.#live.rest(connection);
        return reply.ok || !streams(request);
      }
    }
  }

  #bar(request: ChainRequest, name: Name): Refusal | undefined {
    const { state } = this.#runner();
    const check = request.command.kind === "push-crl" ? checkBringer : checkAdmission;
    return checkNamed(state, request) ?? check(state, { ...request, name }, Date.now());
  }

  /** @returns whether another request may follow */
  #refuse(connection: Connection, header: Header, request: ChainRequest, refusal: Refusal): boolean {
    const asked = askedByChain(request, header.name);
    this.#services.audit.note(asked.delegate, () => toldOf(asked, refusedBy(refusal)));
    connection.fail(header, describeRefusal(refusal));
    return request.command.kind !== "session" && !streams(request);
  }

  /** A leaf's subscription to statistics; resolves when either side closes. */
  async #subscribe(connection: Connection, header: Header, name: Name, command: Command): Promise<void> {
    const session = new StatisticsSession(this.#services.meter, connection);
    if (session.serve(header, name, command)) await connection.inbox.anything();
    session.close();
  }
}

/** Bytes of a request besides its command: what its certificates say. */
const chainBytes: number = 256 * 1024;

/** Milliseconds: it looks at all connections, 10 ms for thousands, and a delegate may lock and unlock all day. */
const recheckPause = 200;

/** Those whom the endpoint refused share an allowance that is no delegate's. */
const strangers = ":";
