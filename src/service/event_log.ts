/**
 * What happens to unikernels, told to whoever watches, from now on.
 *
 * @module
 */
import type { Header } from "../codec/wire.ts";
import type { Happening } from "../core/happening.ts";
import { isWithin, type Name, sameName } from "../core/name.ts";
import type { Connection } from "./connection.ts";

export class EventLog {
  readonly #watchers: Set<{ readonly name: Name; readonly connection: Connection; readonly header: Header }> =
    new Set();
  readonly #most: number;

  /** @param most - who may watch of one first-level delegate, or of the root */
  constructor(most: number) {
    this.#most = most;
  }

  tell(name: Name, time: number, happening: Happening): void {
    for (const watcher of this.#watchers) {
      if (!covers(watcher.name, name)) continue;
      const header: Header = { ...watcher.header, sequence: 0n, name };
      const reading = watcher.connection.sendAll(header, [
        { kind: "data", data: { kind: "happening", time, happening } },
      ]);
      if (!reading) watcher.connection.socket.destroy();
    }
  }

  /** Answers, and tells what happens at and below the name until either side closes. */
  async serve(connection: Connection, header: Header, name: Name): Promise<void> {
    const neighbours = [...this.#watchers].filter((other) => other.name.path[0] === name.path[0]);
    if (neighbours.length >= this.#most) {
      return connection.fail(header, `${this.#most} watch already, more are not let in`);
    }
    connection.send(header, { kind: "success", success: { kind: "string", text: "subscribed" } });
    const watcher = { name, connection, header };
    this.#watchers.add(watcher);
    await connection.inbox.anything();
    this.#watchers.delete(watcher);
  }
}

/** Whether a watcher of `watched` is told of `name`. */
function covers(watched: Name, name: Name): boolean {
  return watched.label === undefined ? isWithin(watched.path, name.path) : sameName(watched, name);
}
