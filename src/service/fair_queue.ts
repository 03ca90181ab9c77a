/**
 * Requests of many delegates in turns, so that none starves another: each has so
 * many under way at once and begins so many in a second, and where several wait,
 * each begins one before any begins a second one.
 *
 * Whoever waits is not read further, which holds his client back.
 *
 * @module
 */
import type { DaemonLimits } from "../core/limits.ts";

/** One delegate's. There are as many as the trust anchor has signed and were ever heard of. */
interface Line {
  running: number;
  /** Requests that may begin now, and when that was so: ms. */
  allowed: number;
  since: number;
  readonly waiting: (() => void)[];
}

export class FairQueue {
  readonly #limits: Pick<DaemonLimits, "requests" | "waiting" | "rate">;
  readonly #now: () => number;
  readonly #lines: Map<string, Line> = new Map();
  /** Those in which somebody waits, who is next first. */
  readonly #inTurn: Set<Line> = new Set();
  #woken = false;

  /** @param now - milliseconds of a clock that never goes back */
  constructor(limits: Pick<DaemonLimits, "requests" | "waiting" | "rate">, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  /** Resolves when it is one's turn, to what ends it, to be called once; undefined where too many wait already. */
  async take(key: string): Promise<(() => void) | undefined> {
    const line = this.#lines.get(key) ?? { running: 0, allowed: this.#limits.rate, since: this.#now(), waiting: [] };
    this.#lines.set(key, line);
    if (this.#inTurn.size > 0 || !this.#mayBegin(line)) {
      if (line.waiting.length >= this.#limits.waiting) return undefined;
      await new Promise<void>((go) => this.#wait(line, go));
    } else begin(line);
    return () => {
      line.running -= 1;
      this.#wake();
    };
  }

  #wait(line: Line, go: () => void): void {
    line.waiting.push(go);
    this.#inTurn.add(line);
    this.#wake();
  }

  #wake(delay = 0): void {
    if (this.#woken || this.#inTurn.size === 0) return;
    this.#woken = true;
    const round = (): void => {
      this.#woken = false;
      this.#round();
    };
    if (delay === 0) setImmediate(round);
    else setTimeout(round, delay);
  }

  /** One of each line that may begin one. */
  #round(): void {
    let delay = Number.POSITIVE_INFINITY;
    for (const line of [...this.#inTurn]) {
      if (this.#mayBegin(line)) {
        begin(line);
        line.waiting.shift()?.();
        if (line.waiting.length === 0) this.#inTurn.delete(line);
        delay = 0;
      } else if (line.running < this.#limits.requests) delay = Math.min(delay, Math.ceil(1000 / this.#limits.rate));
    }
    // Otherwise the end of a running one wakes us.
    if (delay < Number.POSITIVE_INFINITY) this.#wake(delay);
  }

  #mayBegin(line: Line): boolean {
    const { requests, rate } = this.#limits;
    const now = this.#now();
    line.allowed = Math.min(rate, line.allowed + ((now - line.since) * rate) / 1000);
    line.since = now;
    return line.running < requests && line.allowed >= 1;
  }
}

function begin(line: Line): void {
  line.running += 1;
  line.allowed -= 1;
}
