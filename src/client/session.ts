/**
 * One connection for many commands: each is sent as it comes, and finds its
 * reply by its sequence.
 *
 * @module
 */
import { encodeMessage, type Wire } from "../codec/wire.ts";
import type { Command } from "../core/command.ts";
import type { Name } from "../core/name.ts";
import type { Connection } from "../host/client_connection.ts";
import { describeConnection, unanswered } from "./describe.ts";
import { FulmarError, type Problem, problem } from "./problem.ts";

interface Waiting {
  readonly resolve: (wire: Wire) => void;
  readonly reject: (error: FulmarError) => void;
}

export class Session {
  readonly #connection: Connection;
  readonly #waiting: Map<bigint, Waiting> = new Map();
  /** Frames that go together, when the program has come to rest. */
  #out: Uint8Array[] = [];
  #sequence = 0n;
  #over: Problem | undefined;
  #retired = false;
  #patience: NodeJS.Timeout | undefined;

  /** Takes over a connection on which the server has met a leaf that says `session`. */
  constructor(connection: Connection) {
    this.#connection = connection;
    void this.#listen();
  }

  /** Whether nothing can be asked any more. */
  get over(): boolean {
    return this.#over !== undefined;
  }

  /** @param name - relative to the path of the certificates */
  ask(name: Name, command: Command): Promise<Wire> {
    if (this.#over !== undefined) return Promise.reject(new FulmarError(this.#over));
    this.#sequence += 1n;
    const sequence = this.#sequence;
    const payload = { kind: "command", command } as const;
    if (this.#out.length === 0) process.nextTick(() => this.#flush());
    this.#out.push(encodeMessage({ header: { version: 5, sequence, name }, payload }));
    this.#patience ??= setTimeout(() => this.#lose(silent), patience);
    return new Promise((resolve, reject) => this.#waiting.set(sequence, { resolve, reject }));
  }

  /** It is asked nothing more, and closes when all is answered. */
  retire(): void {
    this.#retired = true;
    this.#settle();
  }

  #flush(): void {
    const frames = this.#out;
    this.#out = [];
    void this.#connection.send(frames.length === 1 && frames[0] ? frames[0] : Buffer.concat(frames));
  }

  async #listen(): Promise<void> {
    let last: Problem = unanswered;
    for await (const message of this.#connection.messages()) {
      if (!message.ok) {
        last = describeConnection(message.error);
        break;
      }
      const { header, payload } = message.value;
      const waiting = this.#waiting.get(header.sequence);
      if (waiting === undefined) {
        // Why it ends, if it says so.
        if (payload.kind === "failure") last = problem("communication", payload.text);
        continue;
      }
      this.#waiting.delete(header.sequence);
      this.#settle();
      waiting.resolve(message.value);
    }
    this.#lose(last);
  }

  /** The server has shown itself: the next reply has its whole time again. */
  #settle(): void {
    if (this.#waiting.size > 0) this.#patience?.refresh();
    else {
      clearTimeout(this.#patience);
      this.#patience = undefined;
      if (this.#retired) this.#lose(closed);
    }
  }

  #lose(why: Problem): void {
    if (this.#over !== undefined) return;
    this.#over = why;
    clearTimeout(this.#patience);
    this.#connection.close();
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(new FulmarError(why));
  }
}

/** Milliseconds without any reply while some are awaited: the longest is the unpacking of an image. */
const patience = 300_000;

const silent: Problem = problem("communication", `no answer within ${patience / 1000} seconds`);
const closed: Problem = problem("communication", "the client was closed");
