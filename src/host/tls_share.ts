/**
 * What the sessions of one delegate may have unanswered together: however many
 * there are, an endpoint that has passed so much on looks after others.
 *
 * @module
 */

export interface Share {
  /** How many commands may be passed on now: none below 1. */
  readonly left: number;
  /** So many are passed on, whatever is left. */
  take(count: number): void;
  /** So many are answered, or will not be. Whoever waits goes on, the first one first. */
  give(count: number): void;
  /** Calls `go`, once, when there is something left. */
  wait(go: () => void): void;
  /** Who waits does not any more. */
  leave(go: () => void): void;
}

/** The shares of all delegates. */
export class Shares {
  readonly #most: number;
  readonly #shares: Map<string, Share> = new Map();

  /** @param most - of each delegate */
  constructor(most: number) {
    this.#most = most;
  }

  /** As many as the trust anchor has signed and were ever heard of. */
  of(delegate: string): Share {
    const share = this.#shares.get(delegate) ?? new OneShare(this.#most);
    this.#shares.set(delegate, share);
    return share;
  }
}

class OneShare implements Share {
  left: number;
  readonly #waiting: Set<() => void> = new Set();

  constructor(most: number) {
    this.left = most;
  }

  take(count: number): void {
    this.left -= count;
  }

  give(count: number): void {
    this.left += count;
    // Who finds nothing left any more waits again, behind the others.
    for (const go of this.#waiting) {
      if (this.left <= 0) return;
      this.#waiting.delete(go);
      go();
    }
  }

  wait(go: () => void): void {
    this.#waiting.add(go);
  }

  leave(go: () => void): void {
    this.#waiting.delete(go);
  }
}
