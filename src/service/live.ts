/**
 * Who is connected through a chain now, so that those who are not let in any
 * more can be told so and go: sessions, subscriptions, uploads.
 *
 * @module
 */
import type { Header } from "../codec/wire.ts";
import { checkAdmission, type Gates } from "../core/admission.ts";
import { describeRefusal } from "../core/describe.ts";
import type { Request } from "../core/state.ts";
import type { Connection } from "./connection.ts";

export class Live {
  readonly #open: Map<Connection, { readonly request: Request; readonly header: Header }> = new Map();

  /** What the connection is for from now on. */
  enter(connection: Connection, header: Header, request: Request): void {
    // Being there takes nothing: what was asked for was decided when it was.
    this.#open.set(connection, { request: { ...request, command: { kind: "session" } }, header });
  }

  leave(connection: Connection): void {
    this.#open.delete(connection);
  }

  /** @param now - ms since the Unix epoch */
  recheck(gates: Gates, now: number): void {
    for (const [connection, { request, header }] of this.#open) {
      const refusal = checkAdmission(gates, request, now);
      if (refusal === undefined) continue;
      this.#open.delete(connection);
      connection.expel({ ...header, sequence: 0n }, describeRefusal(refusal));
    }
  }
}
