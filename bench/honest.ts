/**
 * The honest client's process, as seen by who besieges the host: what it was
 * served meanwhile.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

/** Whom the honest client goes to, and with whose authority: PEM. */
export interface Honesty {
  readonly port: number;
  /** What it presents for a single request. */
  readonly ask: { readonly cert: string; readonly key: string };
  readonly ca: string;
  readonly caKey: string;
  readonly serverCa: string;
}

/** A request with a handshake of its own; one in a session that stays; a create and its destroy; 64 KB onto a block device. */
export const errands = ["a request", "in a session", "a unikernel", "an upload"] as const;

export type Errand = (typeof errands)[number];

/** Of one errand: how long each that was served took, and why others failed. */
export interface Account {
  readonly milliseconds: readonly number[];
  readonly failures: readonly string[];
}

export type Accounts = Readonly<Record<Errand, Account>>;

export type Order = { readonly kind: "serve"; readonly honesty: Honesty } | { readonly kind: "account" };

export class Honest {
  readonly #child: ChildProcess;
  /** Rejects when it is gone. */
  readonly #gone: Promise<never>;
  readonly #exited: Promise<unknown>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#exited = once(child, "exit");
    this.#gone = this.#exited.then(() => Promise.reject(new Error("the honest client has ended")));
    this.#gone.catch(() => undefined);
  }

  /** Resolves when it goes on its errands. @param programs - the folder with `honest_client.js`, as seen from above this one */
  static async start(programs: string, honesty: Honesty): Promise<Honest> {
    const path = join(import.meta.dirname, "..", programs, "honest_client.js");
    const honest = new Honest(spawn(process.execPath, [path], { stdio: ["ignore", "inherit", "inherit", "ipc"] }));
    await honest.#ask({ kind: "serve", honesty });
    return honest;
  }

  /** What it did since this was asked last, each errand once at least. What is under way is waited for. */
  async account(): Promise<Accounts> {
    const [accounts] = await this.#ask({ kind: "account" });
    return accounts;
  }

  async stop(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    await this.#exited;
  }

  async #ask(order: Order): Promise<Awaited<ReturnType<typeof once>>> {
    const answer = once(this.#child, "message");
    this.#child.send(order);
    return Promise.race([answer, this.#gone]);
  }
}
