/**
 * The consoles of all unikernels: what they printed lately, and who listens.
 *
 * A console outlives its unikernel, so that its last words can be read; of
 * those the number is bounded. Whoever listens and does not read is dropped,
 * and a guest that floods is read slower than it prints.
 *
 * @module
 */
import { decodeText } from "../codec/text.ts";
import { encodeMessage } from "../codec/wire.ts";
import type { ConsoleStart } from "../core/command.ts";
import { Console, type ConsoleLine } from "../core/console.ts";
import { type Health, parsePattern } from "../core/health.ts";
import type { DaemonLimits } from "../core/limits.ts";
import { compareListed, isWithin, type Name, type Path, printName, relativeTo } from "../core/name.ts";

/** Who listens to one console. */
export interface Subscriber {
  /** Takes lines, as messages; false if it cannot keep up. */
  send(messages: Uint8Array): boolean;
  close(): void;
}

interface Kept {
  readonly name: Name;
  readonly console: Console;
  readonly subscribers: Set<Subscriber>;
  /** Who waits for one line, and counts for no subscriber. */
  readonly watchers: Set<(line: Uint8Array) => void>;
  /** Only listened for yet, printing, or what is left of a unikernel. */
  state: "awaited" | "active" | "ended";
}

export class Consoles {
  readonly #maxSubscribers: number;
  readonly #limits: Pick<DaemonLimits, "console-lines" | "console-line" | "consoles">;
  /** By printed name. */
  readonly #consoles: Map<string, Kept> = new Map();
  /** Those whose unikernel ended, the longest ago first. */
  readonly #ended: Set<string> = new Set();

  /** There is a unikernel of that name, and its output goes here from now on. */
  activate(name: Name): void {
    this.#open(name, "active");
  }

  constructor(
    limits: Pick<DaemonLimits, "console-lines" | "console-line" | "consoles">,
    maxSubscribers: number = usualSubscribers,
  ) {
    this.#limits = limits;
    this.#maxSubscribers = maxSubscribers;
  }

  /** The unikernel printed something. */
  output(name: Name, bytes: Uint8Array, now: number): void {
    const kept = this.#open(name, "active");
    this.#tell(kept, kept.console.append(bytes, now));
  }

  /** A line of ours among the guest's. */
  note(name: Name, text: string, now: number): void {
    const kept = this.#consoles.get(printName(name));
    if (kept === undefined) return;
    this.#tell(kept, [...kept.console.flush(now), ...kept.console.append(Buffer.from(`${text}\n`), now)]);
  }

  /** The unikernel is gone; its console stays a while. */
  deactivate(name: Name): void {
    const key = printName(name);
    const kept = this.#consoles.get(key);
    if (kept === undefined) return;
    kept.state = "ended";
    this.#ended.add(key);
    while (this.#ended.size > this.#limits.consoles) this.#drop(this.#leastMissed());
  }

  /** Of the first-level delegate that has the most of what ended, what ended the longest ago: nobody crowds others out. */
  #leastMissed(): string {
    const oldest = new Map<string, { readonly key: string; count: number }>();
    for (const key of this.#ended) {
      const [owner = ""] = this.#consoles.get(key)?.name.path ?? [];
      const first = oldest.get(owner) ?? { key, count: 0 };
      first.count += 1;
      oldest.set(owner, first);
    }
    const [most] = [...oldest.values()].sort((a, b) => b.count - a.count);
    return most?.key ?? "";
  }

  /** Whether there is or was a unikernel of that name that we know of. */
  knows(name: Name): boolean {
    const kept = this.#consoles.get(printName(name));
    return kept !== undefined && kept.state !== "awaited";
  }

  /**
   * Sends the history, then every line to come. A further subscriber than the
   * most takes the place of the one that came first.
   *
   * @returns ends the subscription
   */
  subscribe(name: Name, from: ConsoleStart, subscriber: Subscriber): () => void {
    const kept = this.#open(name, "awaited");
    const [first] = kept.subscribers;
    if (kept.subscribers.size >= this.#maxSubscribers && first !== undefined) {
      kept.subscribers.delete(first);
      first.close();
    }
    subscriber.send(encodeLines(name, kept.console.history(from)));
    kept.subscribers.add(subscriber);
    return () => {
      kept.subscribers.delete(subscriber);
      if (kept.state === "awaited" && kept.subscribers.size === 0) this.#drop(printName(name));
    };
  }

  /** Whether a line that came since then, ms since the Unix epoch, or comes in time, fits a unikernel's health. */
  async prints(name: Name, { within, pattern = "" }: Health, since: number, signal: AbortSignal): Promise<boolean> {
    const parsed = parsePattern(pattern);
    if (!parsed.ok) return false;
    const { matches } = parsed.value;
    const kept = this.#open(name, "awaited");
    if (kept.console.history({ kind: "since", time: since }).some(({ line }) => matches(line))) return true;
    return new Promise((resolve) => {
      const end = (found: boolean): void => {
        clearTimeout(timer);
        kept.watchers.delete(watch);
        signal.removeEventListener("abort", stop);
        resolve(found);
      };
      const watch = (line: Uint8Array): void => {
        if (matches(line)) end(true);
      };
      const stop = (): void => end(false);
      const timer = setTimeout(end, within, false).unref();
      signal.addEventListener("abort", stop);
      kept.watchers.add(watch);
    });
  }

  /** Names, relative to `path`, whose unikernel is gone and whose console is kept. */
  inactive(path: Path): readonly Name[] {
    const names = [...this.#ended].flatMap((key) => this.#consoles.get(key)?.name ?? []);
    const below = names.filter((name) => isWithin(path, name.path)).sort(compareListed);
    return below.map((name) => relativeTo(path, name));
  }

  /** The console of that name, which is at least as much alive as `state` says. */
  #open(name: Name, state: "awaited" | "active"): Kept {
    const key = printName(name);
    const known = this.#consoles.get(key);
    if (known === undefined) {
      const kept: Kept = {
        name,
        console: new Console(this.#limits["console-lines"], this.#limits["console-line"]),
        subscribers: new Set(),
        watchers: new Set(),
        state,
      };
      this.#consoles.set(key, kept);
      return kept;
    }
    if (state === "active") {
      known.state = state;
      this.#ended.delete(key);
    }
    return known;
  }

  #drop(key: string): void {
    for (const subscriber of this.#consoles.get(key)?.subscribers ?? []) subscriber.close();
    this.#consoles.delete(key);
    this.#ended.delete(key);
  }

  #tell(kept: Kept, lines: readonly ConsoleLine[]): void {
    for (const watch of kept.watchers) for (const { line } of lines) watch(line);
    if (lines.length === 0 || kept.subscribers.size === 0) return;
    const messages = encodeLines(kept.name, lines);
    for (const subscriber of kept.subscribers) {
      if (subscriber.send(messages)) continue;
      kept.subscribers.delete(subscriber);
      subscriber.close();
    }
  }
}

/** The same for all who listen: that is most of what a line costs. */
function encodeLines(name: Name, lines: readonly ConsoleLine[]): Uint8Array {
  const header = { version: 5, sequence: 0n, name } as const;
  const messages = lines.map(({ time, line }) =>
    encodeMessage({ header, payload: { kind: "data", data: { kind: "console", time, line: decodeText(line) } } }),
  );
  return Buffer.concat(messages);
}

/** Subscribers of one console (as albatross): each costs a copy of every line. */
const usualSubscribers = 5;
