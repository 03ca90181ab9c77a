/**
 * Turns: of those who share a key, one at a time, and only so many who wait.
 *
 * An image costs a CPU while it is compressed, and a dump in one piece is in
 * memory until its client has read it; a block device that is filled takes its
 * size on the disk once more: of one delegate's there is one of each.
 *
 * @module
 */
import type { Request } from "../core/state.ts";

/** Whose turn a request takes, where it is large: its first-level delegate's; local clients share one for downloads. */
export function turnOf({ command, levels }: Request): string | undefined {
  const whose = levels[0]?.label ?? "";
  if (command.kind === "block-set") return levels.length === 0 ? undefined : `fill ${whose}`;
  const large = command.kind === "unikernel-get" || (command.kind === "block-dump" && command.form === "old");
  return large ? `send ${whose}` : undefined;
}

export class Turns {
  readonly #most: number;
  /** Of each key that somebody has: who waits, first come first. */
  readonly #waiting: Map<string, (() => void)[]> = new Map();

  /** @param most - who may wait behind the one whose turn it is */
  constructor(most: number) {
    this.#most = most;
  }

  /**
   * Resolves when it is one's turn, to what ends it, to be called once; undefined where too many wait already, and where
   * one leaves meanwhile.
   *
   * @param departure - aborts when one leaves
   */
  async take(key: string, departure?: AbortSignal): Promise<(() => void) | undefined> {
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) this.#waiting.set(key, []);
    else if (waiting.length >= this.#most || !(await waitIn(waiting, departure))) return undefined;
    return () => this.#end(key);
  }

  #end(key: string): void {
    const next = this.#waiting.get(key)?.shift();
    if (next === undefined) this.#waiting.delete(key);
    else next();
  }
}

/** @returns whether one's turn has come, before one left */
function waitIn(line: (() => void)[], departure?: AbortSignal): Promise<boolean> {
  return new Promise((settle) => {
    const go = (): void => {
      departure?.removeEventListener("abort", leave);
      settle(true);
    };
    const leave = (): void => {
      line.splice(line.indexOf(go), 1);
      settle(false);
    };
    line.push(go);
    if (departure?.aborted === true) leave();
    else departure?.addEventListener("abort", leave);
  });
}
