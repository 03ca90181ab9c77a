/**
 * The daemon's four sockets: what comes in on them becomes events of the
 * supervisor or subscriptions, and what comes of that goes back.
 *
 * `chain.sock` takes requests of verified chains from the endpoint; the others
 * are albatross's own, for local clients, who may do anything.
 *
 * @module
 */
import type { Socket } from "node:net";
import { maxFrame } from "../codec/frame.ts";
import type { Header, Payload, Wire } from "../codec/wire.ts";
import { checkAdmission } from "../core/admission.ts";
import { allowedInLeaf, type ChainRequest, type Command, type Service, serviceOf } from "../core/command.ts";
import { describeRefusal } from "../core/describe.ts";
import { isWithin, type Name, printName, sameName } from "../core/name.ts";
import type { ClientId, Effect, Event, Reply, Request } from "../core/state.ts";
import type { Log } from "../host/log.ts";
import type { Upload } from "../host/preparer.ts";
import type { Runner } from "../host/runner.ts";
import type { Collectors } from "./collector.ts";
import { Connection } from "./connection.ts";
import { serveConsoles } from "./console_commands.ts";
import type { Consoles } from "./consoles.ts";
import { sendContent } from "./download.ts";
import type { EventLog } from "./event_log.ts";
import { Live } from "./live.ts";
import { readPushed } from "./revocation_list.ts";
import type { Meter } from "./statistics.ts";
import { StatisticsSession } from "./statistics_commands.ts";
import { maxWaiting, Turns, turnOf } from "./turns.ts";
import { maxUpload, nothing, streams, uploadOf } from "./upload.ts";

/** A request that the supervisor has and has not answered. */
interface Waiting {
  readonly answer: (reply: Reply) => void;
  readonly upload: Upload;
  readonly connection: Connection;
  readonly header: Header;
}

/** What is served besides the supervisor's decisions. */
export interface Services {
  readonly consoles: Consoles;
  readonly events: EventLog;
  readonly meter: Meter;
  readonly collectors: Collectors;
}

export class Daemon {
  readonly #runner: () => Runner;
  readonly #consoles: Consoles;
  readonly #events: EventLog;
  readonly #meter: Meter;
  readonly #collectors: Collectors;
  readonly #log: Log;
  readonly #waiting: Map<ClientId, Waiting> = new Map();
  readonly #downloads = new Turns(maxWaiting);
  readonly #live = new Live();
  #clients = 0;

  constructor(runner: () => Runner, { consoles, events, meter, collectors }: Services, log: Log) {
    this.#runner = runner;
    this.#consoles = consoles;
    this.#events = events;
    this.#meter = meter;
    this.#collectors = collectors;
    this.#log = log;
  }

  /** Answers a request that waits; called by the runner. */
  reply(client: ClientId, reply: Reply): void {
    this.#waiting.get(client)?.answer(reply);
    this.#waiting.delete(client);
  }

  /** Ends what locks and revocations do not let in any more; called by the runner, and now and then: lists become stale. */
  recheck(): void {
    this.#live.recheck(this.#runner().state, Date.now());
  }

  /** What came with a request that waits; called by the runner. */
  upload(client: ClientId): Upload {
    return this.#waiting.get(client)?.upload ?? nothing;
  }

  /** Sends what a request that waits asked for; called by the runner. */
  async download(effect: Extract<Effect, { kind: "read-block" }>, content: AsyncIterable<Uint8Array>): Promise<void> {
    const waiting = this.#waiting.get(effect.client);
    if (waiting !== undefined) await sendContent(waiting.connection, waiting.header, effect, content);
  }

  /** vmmd.sock: one command after the other until one is answered with anything but a policy that was added. */
  async serveLocal(socket: Socket): Promise<void> {
    const connection = new Connection(socket, maxUpload);
    for (;;) {
      const wire = await connection.message();
      if (wire === undefined) break;
      const { header, payload } = wire;
      if (payload.kind === "command" && payload.command.kind === "log-subscribe") {
        await this.#events.serve(connection, header, header.name);
        break;
      }
      const command = localCommand(connection, wire, "daemon");
      if (command === undefined) break;
      if (command.kind === "stats-initial") {
        await this.#collectors.serve(connection, header);
        break;
      }
      const reply = await this.#ask(connection, header, { name: header.name, command, levels: [] });
      if (!reply.ok || command.kind !== "policy-add") break;
    }
    await connection.close();
  }

  /** console.sock: one command about consoles. */
  async serveConsole(socket: Socket): Promise<void> {
    const connection = new Connection(socket, maxFrame);
    const wire = await connection.message();
    const command = wire && localCommand(connection, wire, "console");
    if (wire !== undefined && command !== undefined) {
      await serveConsoles(this.#consoles, connection, wire.header, wire.header.name, command);
    }
    await connection.close();
  }

  /** stat.sock: one command after the other, until one is refused. */
  async serveStatistics(socket: Socket): Promise<void> {
    const connection = new Connection(socket, maxFrame);
    const session = new StatisticsSession(this.#meter, connection);
    for (;;) {
      const wire = await connection.message();
      const command = wire && localCommand(connection, wire, "stats");
      if (wire === undefined || command === undefined) break;
      if (!session.serve(wire.header, wire.header.name, command)) break;
    }
    session.close();
    await connection.close();
  }

  /**
   * chain.sock: requests of verified chains, one after the other, each perhaps with an upload behind it. What the
   * endpoint itself refuses of a session comes as a failure, and goes back in its turn.
   */
  async serveChain(socket: Socket): Promise<void> {
    const connection = new Connection(socket, maxRequest);
    while (await connection.drained()) {
      const wire = await connection.message();
      if (wire === undefined) break;
      if (wire.payload.kind === "failure") {
        connection.fail(wire.header, wire.payload.text);
        continue;
      }
      if (wire.payload.kind === "command" && wire.payload.command.kind === "push-crl") {
        const { command } = wire.payload;
        await this.#ask(connection, wire.header, { name: wire.header.name, command, levels: [] });
        continue;
      }
      if (wire.payload.kind !== "request") {
        connection.fail(wire.header, "this socket takes requests of verified chains");
        break;
      }
      if (!(await this.#serveRequest(connection, wire.header, wire.payload.request))) break;
    }
    this.#live.leave(connection);
    await connection.close();
  }

  /** @returns whether another request may follow: not behind a subscription, nor behind an upload that was not taken */
  async #serveRequest(connection: Connection, from: Header, request: ChainRequest): Promise<boolean> {
    const { levels, label, command } = request;
    const { sequence, name } = from;
    const path = levels.map((level) => level.label);
    const covered = label === undefined ? isWithin(path, name.path) : sameName({ path, label }, name);
    const header: Header = { version: 5, sequence, name };
    if (!covered || !allowedInLeaf(command)) {
      connection.fail(header, "the request is not what the chain says");
      return false;
    }
    const asked: Request = { ...request, name };
    const barred = command.kind === "push-crl" ? undefined : checkAdmission(this.#runner().state, asked, Date.now());
    if (barred !== undefined) {
      connection.fail(header, describeRefusal(barred));
      return command.kind !== "session" && !streams(request);
    }
    this.#live.enter(connection, header, asked);
    // Only that it is there: its commands follow.
    if (command.kind === "session") return true;
    switch (serviceOf(command)) {
      case "console":
        await serveConsoles(this.#consoles, connection, header, name, command);
        return command.kind === "console-list-inactive";
      case "stats":
        await this.#subscribe(connection, header, name, command);
        return false;
      case "log":
        await this.#events.serve(connection, header, name);
        return false;
      case "daemon": {
        const reply = await this.#ask(connection, header, asked, request.imageFollows);
        return reply.ok || !streams(request);
      }
    }
  }

  /** A leaf's subscription to statistics; resolves when either side closes. */
  async #subscribe(connection: Connection, header: Header, name: Name, command: Command): Promise<void> {
    const session = new StatisticsSession(this.#meter, connection);
    if (session.serve(header, name, command)) await connection.inbox.anything();
    session.close();
  }

  /**
   * Puts a request to the supervisor, and passes its one reply on.
   *
   * @param imageFollows - whether an image comes as a stream behind the frame
   */
  async #ask(connection: Connection, header: Header, request: Request, imageFollows = false): Promise<Reply> {
    const whose = turnOf(request);
    if (whose === undefined) return this.#answer(connection, header, request, imageFollows);
    const end = await this.#downloads.take(whose);
    if (end === undefined) {
      const reply: Reply = { ok: false, refusal: { kind: "too-many-downloads", limit: maxWaiting } };
      connection.send(header, replyPayload(reply));
      return reply;
    }
    try {
      const reply = await this.#answer(connection, header, request, imageFollows);
      await connection.drained();
      return reply;
    } finally {
      end();
    }
  }

  async #answer(connection: Connection, header: Header, request: Request, imageFollows: boolean): Promise<Reply> {
    this.#clients += 1;
    const client = this.#clients;
    const upload = uploadOf(connection, request.command, imageFollows);
    const replied = new Promise<Reply>((answer) => {
      this.#waiting.set(client, { answer, upload, connection, header });
    });
    this.#put(client, request).catch((error: unknown) => {
      this.#log.fatal({ err: error, command: request.command.kind }, "bug");
      this.reply(client, { ok: false, refusal: { kind: "host-failed", doing: "the request", problem: "a bug" } });
    });
    const reply = await replied;
    if (this.#log.isLevelEnabled("info")) this.#log.info(logged(request, reply), reply.ok ? "done" : "refused");
    if (!reply.ok || request.command.kind !== "block-dump") connection.send(header, replyPayload(reply));
    return reply;
  }

  /** A revocation list is read, and found to be its authority's, before the supervisor hears of it. */
  async #put(client: ClientId, request: Request): Promise<void> {
    const { command } = request;
    const now = Date.now();
    if (command.kind !== "push-crl") return this.#runner().dispatch({ kind: "request", client, request, now });
    const list = readPushed(command, now);
    if (!list.ok) return this.reply(client, { ok: false, refusal: list.error });
    const event: Event = { kind: "revoked", client, request, list: list.value, crl: command.crl, now };
    return this.#runner().dispatch(event);
  }
}

/** The command of a local client, if it is one for this socket; it is told otherwise. */
function localCommand(connection: Connection, { header, payload }: Wire, service: Service): Command | undefined {
  if (payload.kind === "command" && serviceOf(payload.command) === service) return payload.command;
  connection.fail(header, `this socket takes commands about ${subjects[service]}`);
  return undefined;
}

function replyPayload(reply: Reply): Payload {
  return reply.ok
    ? { kind: "success", success: reply.success }
    : { kind: "failure", text: describeRefusal(reply.refusal) };
}

function logged({ name, command, levels }: Request, reply: Reply): object {
  const what = { target: printName(name), command: command.kind, chain: levels.length };
  return reply.ok ? what : { ...what, refusal: reply.refusal.kind };
}

/** Largest request of a chain, bytes: a session's largest frame, and what its certificates say. */
const maxRequest: number = maxFrame + 256 * 1024;

const subjects: Readonly<Record<Service, string>> = {
  daemon: "unikernels, policies and block devices",
  console: "consoles",
  stats: "statistics",
  log: "what happens",
};
