/**
 * What the endpoint refused before there was a valid chain, told to the daemon
 * for its audit log: a few a second, and how many more there were.
 *
 * @module
 */
import { createConnection } from "node:net";
import { encodeMessage } from "../codec/wire.ts";
import type { AuditEntry } from "../core/audit.ts";
import type { Name } from "../core/name.ts";

export class Refusals {
  readonly #socket: string;
  #waiting: AuditEntry[] = [];
  #more = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param socket - the daemon's `chain.sock` */
  constructor(socket: string) {
    this.#socket = socket;
  }

  /** @param name - as much as the chain tells */
  note(address: string, name: Name, reason: string): void {
    if (this.#waiting.length < most) {
      const actor = { kind: "endpoint", address } as const;
      this.#waiting.push({ time: 0, actor, name, policies: [], outcome: { kind: "refused", reason } });
    } else this.#more += 1;
    this.#timer ??= setTimeout(() => this.close(), interval);
  }

  /** Tells what waits. A daemon that is not there hears of it never. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const counted = { kind: "counted", count: this.#more } as const;
    const rest: AuditEntry = {
      time: 0,
      actor: { kind: "endpoint" },
      name: { path: [] },
      policies: [],
      outcome: counted,
    };
    const entries = this.#more > 0 ? [...this.#waiting, rest] : this.#waiting;
    this.#waiting = [];
    this.#more = 0;
    if (entries.length === 0) return;
    const socket = createConnection({ path: this.#socket });
    socket.on("error", () => socket.destroy());
    socket.resume().end(Buffer.concat(entries.map(frameOf)));
  }
}

function frameOf(entry: AuditEntry): Uint8Array {
  const header = { version: 5, sequence: 0n, name: entry.name } as const;
  const item = { kind: "entry", number: 0, entry } as const;
  return encodeMessage({ header, payload: { kind: "data", data: { kind: "audit", item } } });
}

/** Of one worker, in an interval: strangers can have as many refused as they like. */
const most = 10;

/** Milliseconds. */
const interval = 1000;
