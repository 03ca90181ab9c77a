/**
 * The daemon on this machine: a connection for each command.
 *
 * @module
 */
import { encodeMessage, type Wire } from "../codec/wire.ts";
import { type Command, type Service, serviceOf } from "../core/command.ts";
import type { Name } from "../core/name.ts";
import type { Connection } from "../host/client_connection.ts";
import { connectLocal } from "../host/client_local.ts";
import type { Pieces } from "../host/client_transfer.ts";
import { describeConnection } from "./describe.ts";
import { askAlone, Connections, fail, type Server } from "./server.ts";
import { sendAll } from "./upload.ts";

/** Where a daemon is. */
export interface Sockets {
  /** Its run-time folder. */
  readonly tmpdir: string;
  /** Instead: the one socket that is gone to, whatever is asked. */
  readonly socket?: string;
}

/** The socket that a command goes to. */
export function socketOf({ tmpdir, socket }: Sockets, command: Command): string {
  return socket ?? `${tmpdir}/util/${names[serviceOf(command)]}.sock`;
}

export class LocalServer implements Server {
  /** Locally an image never follows. */
  readonly whole: number = Number.POSITIVE_INFINITY;
  readonly #sockets: Sockets;
  readonly #connections: Connections = new Connections();

  constructor(sockets: Sockets) {
    this.#sockets = sockets;
  }

  ask(name: Name, command: Command): Promise<Wire> {
    return askAlone(this, name, command);
  }

  async open(name: Name, command: Command, upload?: Pieces): Promise<Connection> {
    this.#connections.check();
    const path = socketOf(this.#sockets, command);
    const opened = await connectLocal(path);
    if (!opened.ok) {
      const why = describeConnection(opened.error);
      return fail({ ...why, text: `${path}: ${why.text}` });
    }
    const connection = this.#connections.add(opened.value);
    const payload = { kind: "command", command } as const;
    await connection.send(encodeMessage({ header: { version: 5, sequence: 0n, name }, payload }));
    if (upload !== undefined) await sendAll(connection, upload);
    return connection;
  }

  end(connection: Connection): void {
    this.#connections.end(connection);
  }

  close(): void {
    this.#connections.close();
  }
}

const names: Readonly<Record<Service, string>> = { daemon: "vmmd", log: "vmmd", console: "console", stats: "stat" };
