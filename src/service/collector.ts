/**
 * albatross-stats beside us: a process that registers itself at vmmd.sock and
 * wants to be told of every guest, its pid and its taps.
 *
 * @module
 */
import type { Header } from "../codec/wire.ts";
import type { Command } from "../core/command.ts";
import { type Name, printName } from "../core/name.ts";
import type { Log } from "../host/log.ts";
import type { Target } from "../host/statistics.ts";
import type { Connection } from "./connection.ts";

/** The guests that run, and whoever collects their statistics in our place: at most one, the latest. */
export class Collectors {
  readonly #log: Log;
  /** By printed name. */
  readonly #guests: Map<string, { readonly name: Name; readonly target: Target }> = new Map();
  #collector: Collector | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  started(name: Name, target: Target): void {
    this.#guests.set(printName(name), { name, target });
    this.#collector?.tell(name, adding(target));
  }

  ended(name: Name): void {
    this.#guests.delete(printName(name));
    this.#collector?.tell(name, { kind: "stats-remove" });
  }

  /** Serves a collector that has said `initial`; resolves when it has gone. */
  async serve(connection: Connection, header: Header): Promise<void> {
    this.#collector?.close();
    connection.send(header, { kind: "success", success: { kind: "empty" } });
    const collector = new Collector(connection);
    this.#collector = collector;
    for (const { name, target } of this.#guests.values()) collector.tell(name, adding(target));
    this.#log.info({ guests: this.#guests.size }, "a statistics collector has registered");
    const fault = await collector.gone();
    this.#log.info({ fault }, "a statistics collector has gone");
    if (this.#collector === collector) this.#collector = undefined;
  }
}

/** One collector: a command at a time, each acknowledged under its number. */
class Collector {
  readonly #connection: Connection;
  #waiting: { readonly name: Name; readonly command: Command }[] = [];
  #sent = 0n;
  #acknowledged = 0n;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  tell(name: Name, command: Command): void {
    this.#waiting.push({ name, command });
    if (this.#waiting.length > maxWaiting) this.close();
    else this.#next();
  }

  close(): void {
    this.#waiting = [];
    this.#connection.socket.destroy();
  }

  /** Resolves when the collector closes, or does not do as it is told: why. */
  async gone(): Promise<string | undefined> {
    for (;;) {
      const wire = await this.#connection.message();
      if (wire === undefined) return undefined;
      const { header, payload } = wire;
      if (payload.kind === "failure") return payload.text;
      if (payload.kind !== "success" || header.sequence !== this.#sent || this.#sent === this.#acknowledged) {
        return `an unexpected ${payload.kind}, number ${header.sequence}`;
      }
      this.#acknowledged = this.#sent;
      this.#next();
    }
  }

  #next(): void {
    if (this.#sent !== this.#acknowledged) return;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    this.#sent += 1n;
    const { name, command } = next;
    this.#connection.send({ version: 5, sequence: this.#sent, name }, { kind: "command", command });
  }
}

function adding({ process, network }: Target): Command {
  return { kind: "stats-add", vmmdev: "", pid: process.pid, network };
}

/** Commands that wait for a collector that does not answer. */
const maxWaiting = 100_000;
