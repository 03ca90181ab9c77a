/**
 * The statistics of all unikernels: what is measured, and who is told.
 *
 * Everything that is watched is measured at an interval, some of it at a time,
 * so that no request waits for all of it; nothing is while nobody wants it.
 *
 * @module
 */
import type { Named } from "../core/command.ts";
import { type Name, printName, relativeTo } from "../core/name.ts";
import { namesAbout, type Statistics } from "../core/statistics.ts";
import type { Log } from "../host/log.ts";
import type { Sampler, Target } from "../host/statistics.ts";

/** Who listens to one name and, if that is a path, to all below it. */
export interface StatisticsSubscriber {
  /** Takes one measurement, its name as seen from the path subscribed to; false if it cannot keep up. */
  send(name: Name, statistics: Statistics): boolean;
  close(): void;
}

/** Takes all measurements of one time. */
export type Sink = (samples: readonly Named<Statistics>[]) => void;

interface Watched {
  readonly name: Name;
  readonly target: Target;
}

interface Subscriptions {
  readonly name: Name;
  readonly subscribers: Set<StatisticsSubscriber>;
}

export class Meter {
  readonly #sampler: Sampler;
  readonly #log: Log;
  readonly #most: number;
  #timer: NodeJS.Timeout | undefined;
  /** By printed name. */
  readonly #watched: Map<string, Watched> = new Map();
  /** By printed name. */
  readonly #subscriptions: Map<string, Subscriptions> = new Map();
  readonly #sinks: Sink[] = [];
  #measuring = false;

  /** @param most - subscribers of one name */
  constructor(sampler: Sampler, log: Log, most: number) {
    this.#sampler = sampler;
    this.#log = log;
    this.#most = most;
  }

  /** @param interval - milliseconds from one measurement to the next */
  start(interval: number): void {
    this.#timer = setInterval(() => {
      void this.#measure().catch((error: unknown) => this.#log.fatal({ err: error }, "bug"));
    }, interval);
    this.#timer.unref();
  }

  /** Measures a process under that name from now on, in place of another that was. */
  watch(name: Name, target: Target): void {
    this.#watched.set(printName(name), { name, target });
  }

  /** @param target - absent: whatever is watched under that name */
  forget(name: Name, target?: Target): void {
    const key = printName(name);
    if (target === undefined || this.#watched.get(key)?.target === target) this.#watched.delete(key);
  }

  watches(name: Name): boolean {
    return this.#watched.has(printName(name));
  }

  /**
   * Tells of every measurement to come. A further subscriber of a name than the
   * most takes the place of the one that came first.
   *
   * @returns ends the subscription
   */
  subscribe(name: Name, subscriber: StatisticsSubscriber): () => void {
    const key = printName(name);
    const { subscribers } = this.#subscriptions.get(key) ?? { subscribers: new Set() };
    this.#subscriptions.set(key, { name, subscribers });
    const [first] = subscribers;
    if (subscribers.size >= this.#most && first !== undefined) {
      subscribers.delete(first);
      first.close();
    }
    subscribers.add(subscriber);
    return () => this.#unsubscribe(key, subscriber);
  }

  /** Everything is measured from now on, for it. */
  addSink(sink: Sink): void {
    this.#sinks.push(sink);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#watched.clear();
  }

  async #measure(): Promise<void> {
    if (this.#measuring) return;
    this.#measuring = true;
    try {
      const wanted = [...this.#watched.values()].filter(({ name }) => this.#isWanted(name));
      const samples: Named<Statistics>[] = [];
      for (let at = 0; at < wanted.length; at += batchSize) {
        samples.push(...this.#measureSome(wanted.slice(at, at + batchSize)));
        await new Promise((resolve) => setImmediate(resolve));
      }
      for (const sink of this.#sinks) sink(samples);
    } finally {
      this.#measuring = false;
    }
  }

  #measureSome(some: readonly Watched[]): readonly Named<Statistics>[] {
    // What went while others were measured is no longer told of.
    const present = some.filter(({ name, target }) => this.#watched.get(printName(name))?.target === target);
    const measured = this.#sampler.sample(present.map(({ target }) => target));
    return present.flatMap(({ name, target }, index) => {
      const value = measured[index];
      if (value === undefined) {
        this.#log.info({ target: printName(name), pid: target.process.pid }, "a process that was measured has ended");
        this.forget(name, target);
        return [];
      }
      this.#tell(name, value);
      return [{ name, value }];
    });
  }

  #isWanted(name: Name): boolean {
    if (this.#sinks.length > 0) return true;
    for (const about of namesAbout(name)) if (this.#subscriptions.has(printName(about))) return true;
    return false;
  }

  #tell(name: Name, statistics: Statistics): void {
    for (const about of namesAbout(name)) {
      const key = printName(about);
      for (const subscriber of this.#subscriptions.get(key)?.subscribers ?? []) {
        if (subscriber.send(relativeTo(about.path, name), statistics)) continue;
        this.#unsubscribe(key, subscriber);
        subscriber.close();
      }
    }
  }

  #unsubscribe(key: string, subscriber: StatisticsSubscriber): void {
    const subscribers = this.#subscriptions.get(key)?.subscribers;
    subscribers?.delete(subscriber);
    if (subscribers?.size === 0) this.#subscriptions.delete(key);
  }
}

/** Processes measured at once: these take 3 ms, in which nothing else is done. */
const batchSize = 32;
