/**
 * Several processes that serve one port: a worker that breaks off takes its own
 * connections along and no others, and is started again.
 *
 * Each of them is the same program with the same words. The one that was started
 * first serves nobody: it holds the port, which its workers take connections
 * from as they have time, and passes its end on to them.
 *
 * @module
 */
import cluster, { type Worker } from "node:cluster";
import { once } from "node:events";
import { err, ok, type Result } from "../core/result.ts";
import type { Log } from "./log.ts";
import type { Given } from "./tls.ts";

export interface Workers {
  readonly host: string;
  readonly port: number;
  /** Ends all of them; those that are not done after `grace` milliseconds are killed. */
  close(grace: number): Promise<void>;
}

/** A worker did not come to serve, and has said why. */
export interface WorkersError {
  readonly kind: "worker-failed";
}

export const isWorker: boolean = cluster.isWorker;

/** In a worker: the descriptor that the first process was given. */
export function inheritedListener(): Given | undefined {
  const fd = process.env[listenerVariable];
  return isWorker && fd !== undefined ? { kind: "listener", fd: Number(fd) } : undefined;
}

/**
 * Resolves when all of them serve.
 *
 * @param given - a socket that listens, for them to take connections from
 */
export function startWorkers(
  count: number,
  given: Given | undefined,
  log: Log,
): Promise<Result<Workers, WorkersError>> {
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  // It is us that the service manager listens to.
  const env = { NOTIFY_SOCKET: "", ...(given === undefined ? {} : { [listenerVariable]: `${given.fd}` }) };
  return new Pool(count, env, log).start();
}

class Pool {
  readonly #count: number;
  readonly #env: Readonly<Record<string, string>>;
  readonly #log: Log;
  readonly #running: Map<number, Worker> = new Map();
  readonly #delays: Map<number, number> = new Map();
  readonly #waiting: Set<NodeJS.Timeout> = new Set();
  #ending = false;

  constructor(count: number, env: Readonly<Record<string, string>>, log: Log) {
    this.#count = count;
    this.#env = env;
    this.#log = log;
  }

  async start(): Promise<Result<Workers, WorkersError>> {
    const bound = await Promise.all(Array.from({ length: this.#count }, (_, index) => this.#first(index)));
    const [place] = bound;
    if (place === undefined || bound.includes(undefined)) {
      await this.#close(0);
      return err({ kind: "worker-failed" });
    }
    return ok({ ...place, close: (grace) => this.#close(grace) });
  }

  /** Where it listens; undefined where it ends before that. */
  #first(index: number): Promise<Pick<Workers, "host" | "port"> | undefined> {
    const worker = this.#fork(index);
    return new Promise((resolve) => {
      worker.once("exit", () => resolve(undefined));
      worker.once("listening", ({ address, port }) => {
        worker.once("exit", (code, signal) => this.#lost(index, performance.now(), code, signal));
        // Of a socket that was given, Node tells the port alone.
        resolve({ host: String(address ?? "a socket of systemd,"), port });
      });
    });
  }

  #fork(index: number): Worker {
    const worker = cluster.fork(this.#env);
    this.#running.set(index, worker);
    worker.once("exit", () => this.#running.delete(index));
    worker.on("error", (error) => this.#log.error({ worker: index, problem: error.message }, "worker"));
    return worker;
  }

  #lost(index: number, since: number, code: number, signal: string): void {
    if (this.#ending) return;
    const lived = performance.now() - since;
    const delay = lived > longestDelay ? shortestDelay : (this.#delays.get(index) ?? shortestDelay);
    this.#delays.set(index, Math.min(delay * 2, longestDelay));
    this.#log.error({ worker: index, code, signal, delay }, "a worker has ended, another one follows");
    const timer = setTimeout(() => {
      this.#waiting.delete(timer);
      const start = performance.now();
      this.#fork(index).once("exit", (again, by) => this.#lost(index, start, again, by));
    }, delay);
    this.#waiting.add(timer);
  }

  async #close(grace: number): Promise<void> {
    this.#ending = true;
    for (const timer of this.#waiting) clearTimeout(timer);
    const workers = [...this.#running.values()];
    const ends = workers.map((worker) => once(worker, "exit"));
    for (const worker of workers) worker.process.kill("SIGTERM");
    const late = setTimeout(() => {
      for (const worker of workers) worker.process.kill("SIGKILL");
    }, grace);
    await Promise.all(ends);
    clearTimeout(late);
  }
}

/** Milliseconds before a worker follows one that ended: the longer, the sooner they end. */
const shortestDelay = 1000;
const longestDelay = 60_000;

const listenerVariable = "FULMAR_LISTENER";
