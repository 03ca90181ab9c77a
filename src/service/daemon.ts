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
import { serviceOf } from "../core/command.ts";
import type { DaemonLimits } from "../core/limits.ts";
import type { Runner } from "../host/runner.ts";
import { askedLocally } from "./asked.ts";
import { ChainRequests } from "./chain_requests.ts";
import { Connection } from "./connection.ts";
import { serveConsoles } from "./console_commands.ts";
import { localCommand } from "./local_command.ts";
import { note, type Services, tell } from "./services.ts";
import { StatisticsSession } from "./statistics_commands.ts";

export class Daemon {
  /** chain.sock. */
  readonly chain: ChainRequests;
  readonly #services: Services;
  readonly #limits: DaemonLimits;

  constructor(runner: () => Runner, services: Services, limits: DaemonLimits) {
    this.chain = new ChainRequests(runner, services, limits);
    this.#services = services;
    this.#limits = limits;
  }

  /** vmmd.sock: one command after the other until one is answered with anything but a policy that was added. */
  async serveLocal(socket: Socket): Promise<void> {
    const connection = this.#connect(socket, this.#limits.upload);
    for (;;) {
      const wire = await connection.message();
      if (wire === undefined) break;
      const { header } = wire;
      const command = localCommand(connection, wire, "daemon", "log");
      if (command === undefined) break;
      const { name } = header;
      const asked = askedLocally(connection.socket, name, command);
      if (serviceOf(command) === "log") {
        await tell(this.#services, connection, header, command, asked);
        break;
      }
      if (command.kind === "stats-initial") {
        note(this.#services, connection, asked);
        await this.#services.collectors.serve(connection, header);
        break;
      }
      const reply = await this.#services.requests.ask({
        connection,
        header,
        request: { name, command, levels: [] },
        asked,
      });
      if (reply.ok && command.kind === "policy-add") continue;
      // Who is refused may still send, an upload or the next policy: over a closed connection it would break before it reads why.
      return reply.ok && command.kind !== "block-set" ? connection.leave() : connection.close();
    }
    await connection.close();
  }

  /** console.sock: one command about consoles. */
  async serveConsole(socket: Socket): Promise<void> {
    const connection = this.#connect(socket, this.#limits.frame);
    const wire = await connection.message();
    const command = wire && localCommand(connection, wire, "console");
    if (wire !== undefined && command !== undefined) {
      const { name } = wire.header;
      note(this.#services, connection, askedLocally(socket, name, command));
      await serveConsoles(this.#services.consoles, connection, wire.header, name, command);
    }
    await connection.close();
  }

  /** stat.sock: one command after the other, until one is refused. */
  async serveStatistics(socket: Socket): Promise<void> {
    const connection = this.#connect(socket, this.#limits.frame);
    const session = new StatisticsSession(this.#services.meter, connection);
    for (;;) {
      const wire = await connection.message();
      const command = wire && localCommand(connection, wire, "stats");
      if (wire === undefined || command === undefined) break;
      note(this.#services, connection, askedLocally(socket, wire.header.name, command));
      if (!session.serve(wire.header, wire.header.name, command)) break;
    }
    session.close();
    await connection.close();
  }

  #connect(socket: Socket, largest: number): Connection {
    return new Connection(socket, largest, this.#limits.unread);
  }
}
