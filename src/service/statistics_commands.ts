/**
 * The commands about statistics: what is measured, and subscriptions.
 *
 * @module
 */
import type { Header } from "../codec/wire.ts";
import type { Command } from "../core/command.ts";
import { type Name, printName } from "../core/name.ts";
import { readProcess } from "../host/proc.ts";
import type { Connection } from "./connection.ts";
import type { Meter } from "./statistics.ts";

/** One connection's commands, as many as it likes: its subscriptions end with it. */
export class StatisticsSession {
  readonly #meter: Meter;
  readonly #connection: Connection;
  /** By printed name. */
  readonly #subscriptions: Map<string, () => void> = new Map();

  constructor(meter: Meter, connection: Connection) {
    this.#meter = meter;
    this.#connection = connection;
  }

  /** Carries out one command. @returns whether it was not refused */
  serve(header: Header, name: Name, command: Command): boolean {
    switch (command.kind) {
      case "stats-add": {
        const process = readProcess(command.pid);
        if (process === undefined) return this.#refuse(header, `there is no process ${command.pid}`);
        this.#meter.watch(name, { process, network: command.network });
        return this.#say(header, "added");
      }
      case "stats-remove":
        this.#meter.forget(name);
        return this.#say(header, "removed");
      case "stats-subscribe":
        this.#subscribe(header, name);
        return true;
      default:
        return this.#refuse(header, "this is no command about statistics");
    }
  }

  close(): void {
    for (const unsubscribe of this.#subscriptions.values()) unsubscribe();
    this.#subscriptions.clear();
  }

  #subscribe(header: Header, name: Name): void {
    const connection = this.#connection;
    const key = printName(name);
    this.#subscriptions.get(key)?.();
    this.#say(header, "subscribed");
    const unsubscribe = this.#meter.subscribe(name, {
      send: (from, statistics) =>
        connection.sendAll({ ...header, sequence: 0n, name: from }, [
          { kind: "data", data: { kind: "statistics", statistics } },
        ]),
      close: () => connection.socket.destroy(),
    });
    this.#subscriptions.set(key, unsubscribe);
  }

  #say(header: Header, text: string): true {
    this.#connection.send(header, { kind: "success", success: { kind: "string", text } });
    return true;
  }

  #refuse(header: Header, text: string): false {
    this.#connection.fail(header, text);
    return false;
  }
}
