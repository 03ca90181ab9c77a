/**
 * Questions to a server, and what is made of its replies.
 *
 * @module
 */
import type { Data } from "../codec/data.ts";
import type { Header, Wire } from "../codec/wire.ts";
import type { Command, Success } from "../core/command.ts";
import { type Name, printName, root } from "../core/name.ts";
import type { Connection } from "../host/client_connection.ts";
import type { Pieces } from "../host/client_transfer.ts";
import { withFullName } from "./answer.ts";
import { describeConnection } from "./describe.ts";
import { problem } from "./problem.ts";
import { fail, firstReply, type Server } from "./server.ts";

export interface Answer {
  readonly header: Header;
  readonly success: Success;
}

/** An answer after which more comes. */
export interface Opening extends Answer {
  readonly connection: Connection;
  readonly close: () => void;
}

/** What a subscription brings. */
export interface Message {
  readonly name: Name;
  readonly data: Data;
}

export class Question {
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
  }

  async ask(name: Name, command: Command): Promise<Answer> {
    return successOf(await this.#server.ask(name, command));
  }

  /** Asks on a connection of its own, with an upload or for a large answer. */
  async send(name: Name, command: Command, upload?: Pieces): Promise<Answer> {
    const connection = await this.#server.open(name, command, upload);
    try {
      return successOf(await firstReply(connection, command));
    } finally {
      this.#server.end(connection);
    }
  }

  /** The same, where the answer is only the beginning. */
  async open(name: Name, command: Command): Promise<Opening> {
    const connection = await this.#server.open(name, command);
    const close = (): void => this.#server.end(connection);
    try {
      return { ...successOf(await firstReply(connection, command)), connection, close };
    } catch (error) {
      close();
      throw error;
    }
  }

  /** A subscription, to its end. A server may send something before it answers. */
  async *subscribe(name: Name, command: Command, signal?: AbortSignal): AsyncGenerator<Message, void, undefined> {
    const connection = await this.#server.open(name, command);
    const stop = (): void => connection.close();
    signal?.addEventListener("abort", stop);
    if (signal?.aborted === true) stop();
    let path = root;
    try {
      for await (const message of connection.messages()) {
        if (signal?.aborted === true) return;
        if (!message.ok) return fail(describeConnection(message.error));
        const { header, payload } = withFullName(path, message.value);
        if (payload.kind === "data") yield { name: header.name, data: payload.data };
        else path = successOf(message.value).header.name.path;
      }
    } finally {
      signal?.removeEventListener("abort", stop);
      this.#server.end(connection);
    }
  }
}

/** Nothing but that it was done. */
export function expectText({ success }: Answer): void {
  if (success.kind !== "string" && success.kind !== "empty") expectWord(success.kind);
}

/** Throws: the server answered with something else. */
export function expectWord(kind: string): never {
  return fail(problem("communication", `the server answered with ${kind}`));
}

function successOf({ header, payload }: Wire): Answer {
  if (payload.kind === "success") return { header, success: payload.success };
  if (payload.kind === "failure") return fail(problem("refused", `${printName(header.name)}: ${payload.text}`));
  return expectWord(payload.kind);
}
