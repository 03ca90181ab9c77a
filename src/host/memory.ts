/**
 * Memory that goes back to the system: of their own accord glibc keeps what was
 * freed between blocks that were not, and V8 what its heap had room for, which
 * after a crowd is most of what the crowd took.
 *
 * @module
 */
import { getHeapStatistics } from "node:v8";
import { collectAll } from "./collect.ts";
import { bindLibc } from "./libc.ts";

/**
 * Blocks of some MB are glibc's to keep, too, once such blocks have come and gone: up to 64 MB of certificates. With the
 * threshold set by hand they go back at once. Without koffi, or without glibc, there is nothing to set.
 */
export function tuneMalloc(): void {
  bindLibc((libc) => libc.func("int mallopt(int, int)")(mmapThreshold, 1024 * 1024));
}

let trim: ((keep: number) => number) | undefined;

/** Gives back what is free, in some milliseconds for 100 MB. */
function giveBack(): void {
  // The guests of a large host are no crowd's, and to go through them all would keep others waiting.
  if (getHeapStatistics().used_heap_size < largest) collectAll();
  trim ??= bindLibc((libc) => libc.func("int malloc_trim(size_t)")) ?? (() => 0);
  trim(0);
}

/** Looks at how many there are, and gives back what a crowd took when that has gone. */
export class Ebb {
  /** Since the last time. */
  #most = 0;
  #present = 0;
  #timer: NodeJS.Timeout | undefined;
  #again: NodeJS.Timeout | undefined;

  /** @param present - how many there are now */
  count(present: number): void {
    this.#present = present;
    this.#most = Math.max(this.#most, present);
    if (this.#hasGone()) this.#timer ??= setTimeout(() => this.#look(), rest).unref();
  }

  #look(): void {
    this.#timer = undefined;
    if (!this.#hasGone()) return;
    this.#most = this.#present;
    giveBack();
    // By then V8 has found out that it has nothing to do, and looked after its garbage.
    clearTimeout(this.#again);
    this.#again = setTimeout(giveBack, calm).unref();
  }

  #hasGone(): boolean {
    return this.#most >= crowd && this.#present <= this.#most / 2;
  }
}

/** Connections that take some megabytes. */
const crowd = 100;

/** Milliseconds: who comes and goes all the time is no reason to do so all the time. */
const rest = 2000;
const calm = 60_000;

/** M_MMAP_THRESHOLD of malloc.h. */
const mmapThreshold = -3;

/** Bytes of a heap that is gone through in well under a tenth of a second. */
const largest: number = 128 * 1024 * 1024;
