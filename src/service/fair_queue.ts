/**
 * Requests of many delegates in turns, so that none starves another: each has so
 * many under way at once and begins so many in a second, and where several wait,
 * each begins one before any begins a second one.
 *
 * Most requests are done before anything else runs, and so would all be that
 * have come. They are carried out in passes of a few milliseconds, between which
 * whatever else there is to do is done: who comes meanwhile is in the next pass.
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
  /** When the pass is over that is under way: ms. */
  #passEnds = 0;
  /** The next pass; where only rates hold anybody back, it has a time. */
  #next: NodeJS.Immediate | undefined;
  #later: NodeJS.Timeout | undefined;

  /** @param now - milliseconds of a clock that never goes back */
  constructor(limits: Pick<DaemonLimits, "requests" | "waiting" | "rate">, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  /** Resolves when it is one's turn, to what ends it, to be called once; undefined where too many wait already. */
  async take(key: string): Promise<(() => void) | undefined> {
    const { requests, waiting, rate } = this.#limits;
    const line = this.#lines.get(key) ?? { running: 0, allowed: rate, since: this.#now(), waiting: [] };
    this.#lines.set(key, line);
    const free = this.#mayBegin(line);
    if (free && this.#isAlone(line) && this.#inPass()) begin(line);
    else {
      // Who waits for others' turns alone is refused none of what he may have under way.
      if (line.waiting.length >= (free ? requests + waiting : waiting)) return undefined;
      await new Promise<void>((go) => this.#wait(line, go));
    }
    return () => {
      line.running -= 1;
      if (this.#inTurn.size > 0) this.#goOn();
    };
  }

  #wait(line: Line, go: () => void): void {
    line.waiting.push(go);
    this.#inTurn.add(line);
    this.#wake();
  }

  /**
   * Whether no other delegate waits: then whoever had a turn has the next one too, if he asks for it before the pass is
   * over, so that what came together is answered together.
   */
  #isAlone(line: Line): boolean {
    return this.#inTurn.size === 0 || (this.#inTurn.size === 1 && this.#inTurn.has(line));
  }

  /** The first request opens the pass. */
  #inPass(): boolean {
    const now = this.#now();
    if (this.#next === undefined) {
      this.#passEnds = now + pass;
      this.#wake();
    }
    return now < this.#passEnds;
  }

  #wake(): void {
    this.#next ??= setImmediate(() => {
      this.#next = undefined;
      this.#pass();
    });
  }

  /** One of each line that may begin one; what ends within the pass makes way for further ones. */
  #pass(): void {
    if (this.#inTurn.size === 0) return;
    this.#passEnds = this.#now() + pass;
    let begun = false;
    for (let left = this.#inTurn.size; left > 0 && this.#beginNext(); left--) begun = true;
    if (begun) this.#wake();
    else if ([...this.#inTurn].some(({ running }) => running < this.#limits.requests)) this.#wakeLater();
    // Otherwise the end of a running one wakes us.
  }

  #wakeLater(): void {
    this.#later ??= setTimeout(
      () => {
        this.#later = undefined;
        this.#wake();
      },
      Math.ceil(1000 / this.#limits.rate),
    );
  }

  /** Behind what the one that has ended asks next, if that has come. Whom his rate holds back the next pass comes back to. */
  #goOn(): void {
    process.nextTick(() => {
      if (this.#now() < this.#passEnds) this.#beginNext();
      if (this.#inTurn.size > 0) this.#wake();
    });
  }

  /** One of the first line that may begin one, which is the last then. @returns whether there was one */
  #beginNext(): boolean {
    for (const line of this.#inTurn) {
      if (!this.#mayBegin(line)) continue;
      this.#inTurn.delete(line);
      begin(line);
      line.waiting.shift()?.();
      if (line.waiting.length > 0) this.#inTurn.add(line);
      return true;
    }
    return false;
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

/** Milliseconds of a pass: some dozens of requests, or one that is large. */
const pass = 2;
