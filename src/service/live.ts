/**
 * Who is connected through a chain now, so that those who are not let in any
 * more can be told so and go: sessions, subscriptions, uploads; and so that,
 * where all connections are taken, one of the delegate with most makes room.
 *
 * @module
 */
import type { Socket } from "node:net";
import type { Header } from "../codec/wire.ts";
import { checkAdmission, type Gates } from "../core/admission.ts";
import { Crowd } from "../core/crowd.ts";
import { describeRefusal } from "../core/describe.ts";
import type { Request } from "../core/state.ts";
import type { Connection } from "./connection.ts";

interface Open {
  readonly request: Request;
  readonly header: Header;
  /** Counts it out of those in which nothing is asked. */
  readonly wake: () => void;
}

export class Live {
  readonly #most: number;
  readonly #open: Map<Connection, Open> = new Map();
  /** Sessions between two commands, and subscriptions: by their first-level delegate. */
  readonly #idle = new Crowd<Connection>();

  /** @param most - connections there may be */
  constructor(most: number) {
    this.#most = most;
  }

  /** What the connection is for from now on. It is carried out; `rest` follows. */
  enter(connection: Connection, header: Header, request: Request): void {
    this.#open.get(connection)?.wake();
    // Being there takes nothing: what was asked for was decided when it was.
    this.#open.set(connection, { request: { ...request, command: { kind: "session" } }, header, wake: none });
  }

  /** Nothing is carried out for it now: it waits for commands, or for what there will be to tell it. */
  rest(connection: Connection): void {
    const open = this.#open.get(connection);
    if (open === undefined) return;
    open.wake();
    const wake = this.#idle.enter(open.request.levels[0]?.label ?? "", connection);
    this.#open.set(connection, { ...open, wake });
  }

  leave(connection: Connection): void {
    this.#open.get(connection)?.wake();
    this.#open.delete(connection);
  }

  /** Ends the one that has been idle longest of the delegate with most. */
  makeRoom(): Socket | undefined {
    const connection = this.#idle.first(this.#idle.largest());
    const open = connection && this.#open.get(connection);
    if (connection === undefined || open === undefined) return undefined;
    this.leave(connection);
    connection.evict({ ...open.header, sequence: 0n }, describeRefusal({ kind: "made-room", limit: this.#most }));
    return connection.socket;
  }

  /** @param now - ms since the Unix epoch */
  recheck(gates: Gates, now: number): void {
    for (const [connection, { request, header }] of this.#open) {
      const refusal = checkAdmission(gates, request, now);
      if (refusal === undefined) continue;
      this.leave(connection);
      connection.expel({ ...header, sequence: 0n }, describeRefusal(refusal));
    }
  }
}

const none = (): void => undefined;
