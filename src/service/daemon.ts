/**
 * The daemon's four sockets: what comes in on them becomes events of the
 * supervisor or subscriptions to consoles, and what comes of that goes back.
 *
 * `chain.sock` takes requests of verified chains from the endpoint; the others
 * are albatross's own, for local clients, who may do anything.
 *
 * @module
 */
import type { Socket } from "node:net";
import { maxFrame } from "../codec/frame.ts";
import { decodeText } from "../codec/text.ts";
import type { Header, Payload } from "../codec/wire.ts";
import { allowedInLeaf, type ChainRequest, type Command, serviceOf } from "../core/command.ts";
import { describePath, describeRefusal } from "../core/describe.ts";
import { type Name, printName, sameName } from "../core/name.ts";
import type { ClientId, Reply, Request } from "../core/state.ts";
import type { Image } from "../core/unikernel.ts";
import type { Log } from "../host/log.ts";
import type { IncomingImage } from "../host/preparer.ts";
import type { Runner } from "../host/runner.ts";
import { Connection } from "./connection.ts";
import type { Consoles } from "./consoles.ts";

interface Waiting {
  readonly answer: (reply: Reply) => void;
  readonly image: IncomingImage;
}

export class Daemon {
  readonly #runner: () => Runner;
  readonly #consoles: Consoles;
  readonly #log: Log;
  readonly #waiting: Map<ClientId, Waiting> = new Map();
  #clients = 0;

  constructor(runner: () => Runner, consoles: Consoles, log: Log) {
    this.#runner = runner;
    this.#consoles = consoles;
    this.#log = log;
  }

  /** Answers a request that waits; called by the runner. */
  reply(client: ClientId, reply: Reply): void {
    this.#waiting.get(client)?.answer(reply);
    this.#waiting.delete(client);
  }

  /** The image that came with a request that waits; called by the runner. */
  image(client: ClientId): IncomingImage {
    return this.#waiting.get(client)?.image ?? noImage;
  }

  /** vmmd.sock: one command after the other until one is answered with anything but a policy that was added. */
  async serveLocal(socket: Socket): Promise<void> {
    const connection = new Connection(socket, maxImageFrame);
    for (;;) {
      const wire = await connection.message();
      if (wire === undefined) break;
      const { header, payload } = wire;
      if (payload.kind !== "command" || serviceOf(payload.command) !== "daemon") {
        connection.fail(header, "this socket takes commands about unikernels, policies and block devices");
        break;
      }
      const { command } = payload;
      const reply = await this.#ask({ name: header.name, command, levels: [] }, incoming(command));
      connection.send(header, replyPayload(reply));
      if (!reply.ok || command.kind !== "policy-add") break;
    }
    await connection.close();
  }

  /** chain.sock: one request of a verified chain, and perhaps an image behind it. */
  async serveChain(socket: Socket): Promise<void> {
    const connection = new Connection(socket, maxFrame);
    const wire = await connection.message();
    if (wire !== undefined) {
      const { header, payload } = wire;
      if (payload.kind !== "request") connection.fail(header, "this socket takes requests of verified chains");
      else await this.#serveRequest(connection, header, payload.request);
    }
    await connection.close();
  }

  /** console.sock: a subscription, or the list of consoles whose unikernel is gone. */
  async serveConsole(socket: Socket): Promise<void> {
    const connection = new Connection(socket, maxFrame);
    const wire = await connection.message();
    if (wire !== undefined) {
      const { header, payload } = wire;
      if (payload.kind === "command" && serviceOf(payload.command) === "console") {
        await this.#console(connection, header, header.name, payload.command);
      } else connection.fail(header, "this socket takes commands about consoles");
    }
    await connection.close();
  }

  /** stat.sock. */
  async serveStatistics(socket: Socket): Promise<void> {
    const connection = new Connection(socket, maxFrame);
    const wire = await connection.message();
    if (wire !== undefined) connection.fail(wire.header, "this daemon does not serve statistics");
    await connection.close();
  }

  async #serveRequest(connection: Connection, from: Header, request: ChainRequest): Promise<void> {
    const { levels, label, command } = request;
    const path = levels.map((level) => level.label);
    const name: Name = label === undefined ? { path } : { path, label };
    const header: Header = { version: 5, sequence: 0n, name };
    if (!sameName(name, from.name) || !allowedInLeaf(command)) {
      connection.fail(header, "the request is not what the chain says");
      return;
    }
    switch (serviceOf(command)) {
      case "console":
        return this.#console(connection, header, name, command);
      case "stats":
        return connection.fail(header, "this daemon does not serve statistics");
      case "daemon": {
        const image = incoming(command, request.imageFollows ? connection.inbox.chunks(maxImageFrame) : undefined);
        const reply = await this.#ask({ name, command, levels }, image);
        connection.send(header, replyPayload(reply));
      }
    }
  }

  async #console(connection: Connection, asked: Header, name: Name, command: Command): Promise<void> {
    const header: Header = { ...asked, name };
    if (command.kind === "console-list-inactive") {
      if (name.label !== undefined)
        return connection.fail(header, `${printName(name)} is a name, and this command needs a path`);
      const names = this.#consoles.inactive(name.path);
      connection.send(header, { kind: "success", success: { kind: "consoles", names } });
      return;
    }
    if (command.kind !== "console-subscribe") return connection.fail(header, "this daemon opens its consoles itself");
    if (name.label === undefined) {
      return connection.fail(header, `${describePath(name.path)} is a path, and a console is one unikernel's`);
    }
    const text = this.#consoles.knows(name) ? "subscribed" : "waiting for VM";
    connection.send(header, { kind: "success", success: { kind: "string", text } });
    const unsubscribe = this.#consoles.subscribe(name, command.from, {
      send: (lines) =>
        connection.sendAll(
          { ...header, sequence: 0n },
          lines.map(({ time, line }) => ({ kind: "data", data: { kind: "console", time, line: decodeText(line) } })),
        ),
      close: () => connection.socket.destroy(),
    });
    await connection.inbox.anything();
    unsubscribe();
  }

  /** Puts a request to the supervisor, and waits for its one reply. */
  #ask(request: Request, image: IncomingImage): Promise<Reply> {
    this.#clients += 1;
    const client = this.#clients;
    return new Promise((resolve) => {
      this.#waiting.set(client, {
        image,
        answer: (reply) => {
          this.#log.info(logged(request, reply), reply.ok ? "done" : "refused");
          resolve(reply);
        },
      });
      this.#runner()
        .dispatch({ kind: "request", client, request, now: Date.now() })
        .catch((error: unknown) => {
          this.#log.fatal({ err: error, command: request.command.kind }, "bug");
          this.reply(client, { ok: false, refusal: { kind: "host-failed", doing: "the request", problem: "a bug" } });
        });
    });
  }
}

function replyPayload(reply: Reply): Payload {
  return reply.ok
    ? { kind: "success", success: reply.success }
    : { kind: "failure", text: describeRefusal(reply.refusal) };
}

/** The image of a create: in the command, or in the stream that follows it. */
function incoming(command: Command, stream?: AsyncIterable<Uint8Array>): IncomingImage {
  if (command.kind !== "unikernel-create") return noImage;
  const { compressed } = command.image;
  return { compressed, bytes: stream ?? once(command.image) };
}

async function* once({ bytes }: Image): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function logged({ name, command, levels }: Request, reply: Reply): object {
  const what = { target: printName(name), command: command.kind, chain: levels.length };
  return reply.ok ? what : { ...what, refusal: reply.refusal.kind };
}

const noImage: IncomingImage = { compressed: false, bytes: once({ compressed: false, bytes: new Uint8Array(0) }) };

/**
 * Largest frame or stream with an image, bytes. The largest unikernels are some
 * tens of megabytes; what is read of a frame is held until its image is stored.
 */
const maxImageFrame: number = 512 * 1024 * 1024;
