/**
 * Memory that goes back to the system: of its own accord glibc keeps what was
 * freed between blocks that were not, which after a crowd is most of what the
 * crowd took.
 *
 * @module
 */
import { bindLibc } from "./libc.ts";

/** Gives back what is free, in some milliseconds for 100 MB. */
export type Trim = () => void;

/** Sets malloc up; without koffi, or without glibc, there is nothing to set, and nothing to give back. */
export function tuneMalloc(): Trim {
  const trim = bindLibc((libc) => {
    // Blocks of this size are glibc's to keep, too, once such blocks have come and gone: up to 64 MB of certificates. With
    // the threshold set by hand they go back at once.
    libc.func("int mallopt(int, int)")(mmapThreshold, 1024 * 1024);
    return libc.func("int malloc_trim(size_t)");
  });
  return () => void trim?.(0);
}

/** Looks at how many there are, and trims when a crowd has gone. */
export class Ebb {
  readonly #trim: Trim;
  /** Since the last time. */
  #most = 0;
  #present = 0;
  #timer: NodeJS.Timeout | undefined;
  #again: NodeJS.Timeout | undefined;

  constructor(trim: Trim) {
    this.#trim = trim;
  }

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
    this.#trim();
    // By then V8 has found out that it has nothing to do, and looked after its garbage.
    clearTimeout(this.#again);
    this.#again = setTimeout(this.#trim, calm).unref();
  }

  #hasGone(): boolean {
    return this.#most >= crowd && this.#present <= this.#most / 2;
  }
}

/** Connections that take some megabytes. */
const crowd = 100;

/** Milliseconds: who comes and goes all the time is no reason to trim all the time. */
const rest = 2000;
const calm = 60_000;

/** M_MMAP_THRESHOLD of malloc.h. */
const mmapThreshold = -3;
