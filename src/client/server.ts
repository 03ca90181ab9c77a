/**
 * A daemon as the client sees it, near or far.
 *
 * @module
 */
import type { Wire } from "../codec/wire.ts";
import type { Command } from "../core/command.ts";
import type { Name } from "../core/name.ts";
import type { Connection } from "../host/client_connection.ts";
import type { Pieces } from "../host/client_transfer.ts";
import { answerLimit } from "./answer.ts";
import { describeConnection, unanswered } from "./describe.ts";
import { FulmarError, type Problem, problem } from "./problem.ts";

export interface Server {
  /** Largest image that a create may hold itself, bytes; a larger one is streamed. */
  readonly whole: number;
  /** The reply, whatever it says. Throws where there is none. */
  ask(name: Name, command: Command): Promise<Wire>;
  /**
   * A connection of its own on which the command is sent, and all that follows it.
   *
   * @param upload - what follows: an image without which the command is, or a content
   */
  open(name: Name, command: Command, upload?: Pieces): Promise<Connection>;
  /** Ends one of these. */
  end(connection: Connection): void;
  /** Ends all connections. */
  close(): void;
}

/** Connections that are open: they end together. */
export class Connections {
  readonly #open: Set<Connection> = new Set();
  #closed = false;

  /** Throws where it is too late for another one. */
  check(): void {
    if (this.#closed) throw new FulmarError(problem("communication", "the client was closed"));
  }

  add(connection: Connection): Connection {
    if (this.#closed) connection.close();
    this.#open.add(connection);
    return connection;
  }

  end(connection: Connection): void {
    this.#open.delete(connection);
    connection.close();
  }

  close(): void {
    this.#closed = true;
    for (const connection of this.#open) connection.close();
    this.#open.clear();
  }
}

/** One command on a connection of its own. */
export async function askAlone(server: Pick<Server, "open" | "end">, name: Name, command: Command): Promise<Wire> {
  const connection = await server.open(name, command);
  try {
    return await firstReply(connection, command);
  } finally {
    server.end(connection);
  }
}

/** The first message. Throws where there is none. */
export async function firstReply(connection: Connection, command: Command): Promise<Wire> {
  for await (const message of connection.messages(answerLimit(command))) {
    if (message.ok) return message.value;
    throw new FulmarError(describeConnection(message.error));
  }
  throw new FulmarError(unanswered);
}

export function fail(why: Problem): never {
  throw new FulmarError(why);
}
