/**
 * ptrace(2), as far as it takes to see the system calls of other processes,
 * and to make one fail: x86-64 alone.
 *
 * A process that is traced stops before and after each call, and so does all
 * that it starts from then on; with the tracer's end they go on untraced.
 *
 * @module
 */
import { readdirSync, readSync } from "node:fs";
import { createRequire } from "node:module";

/** A call that is about to be made. */
export interface Call {
  /** As in the kernel's table of this architecture. */
  readonly number: number;
  readonly words: readonly bigint[];
}

/** Why a thread stopped. */
export type Stop =
  | { readonly kind: "enter"; readonly tid: number; readonly call: Call }
  | { readonly kind: "leave"; readonly tid: number }
  /** It is to go on with this signal, or none (0). */
  | { readonly kind: "signal"; readonly tid: number; readonly signal: number }
  | { readonly kind: "ended"; readonly tid: number; readonly signal: number };

export class Ptrace {
  readonly #ptrace: (request: number, tid: number, address: number, data: number) => number;
  readonly #read: (request: number, tid: number, size: number, into: Uint8Array) => number;
  readonly #wait: (pid: number, status: Uint8Array, options: number) => number;
  readonly #status = Buffer.alloc(4);
  readonly #info = Buffer.alloc(infoSize);

  /** Throws where koffi is not installed. */
  constructor() {
    const koffi: typeof import("koffi") = createRequire(import.meta.url)("koffi");
    const library = koffi.load(null);
    this.#ptrace = library.func("ptrace", "long", ["long", "long", "long", "long"]);
    this.#read = library.func("ptrace", "long", ["long", "long", "long", "_Inout_ uint8_t *"]);
    this.#wait = library.func("waitpid", "int", ["int", "_Inout_ uint8_t *", "int"]);
  }

  /** Takes a process with all its threads. @returns whether it may */
  seize(pid: number): boolean {
    const taken = new Set<number>();
    // A thread that is started while we look is in the next look, or comes with the one that started it.
    for (let found = true; found; ) {
      found = false;
      for (const tid of readdirSync(`/proc/${pid}/task`).map(Number)) {
        if (taken.has(tid)) continue;
        taken.add(tid);
        if (this.#ptrace(request.seize, tid, 0, options) !== 0) continue;
        found = true;
        this.#ptrace(request.interrupt, tid, 0, 0);
      }
    }
    return taken.size > 0;
  }

  /** The next stop of any thread; undefined once none is left. */
  next(): Stop | undefined {
    for (;;) {
      const tid = this.#wait(-1, this.#status, everyThread);
      if (tid <= 0) return undefined;
      const stop = this.#stopOf(tid, this.#status.readInt32LE());
      if (stop !== undefined) return stop;
    }
  }

  /** Lets a thread that stopped go on to its next call. */
  resume(tid: number, signal: number = 0): void {
    this.#ptrace(request.syscall, tid, 0, signal);
  }

  /** Instead of the call that the thread has entered none is made. */
  skip(tid: number): void {
    this.#ptrace(request.pokeUser, tid, registerOfNumber, -1);
  }

  /** What the call that the thread leaves comes to. */
  answer(tid: number, value: number): void {
    this.#ptrace(request.pokeUser, tid, registerOfResult, value);
  }

  #stopOf(tid: number, status: number): Stop | undefined {
    if ((status & 0xff) !== 0x7f) return { kind: "ended", tid, signal: status & 0x7f };
    const signal = (status >> 8) & 0xff;
    const event = status >> 16;
    if (signal === (trap | 0x80)) return this.#callOf(tid);
    if (event === 0) return { kind: "signal", tid, signal };
    // Stopped by a signal that stops: it stays so until it is told to go on.
    if (event === eventStop && signal !== trap) this.#ptrace(request.listen, tid, 0, 0);
    else this.resume(tid);
    return undefined;
  }

  #callOf(tid: number): Stop | undefined {
    this.#read(request.syscallInfo, tid, infoSize, this.#info);
    if (this.#info[0] !== entering) return { kind: "leave", tid };
    const word = (index: number): bigint => this.#info.readBigUInt64LE(24 + 8 * index);
    return { kind: "enter", tid, call: { number: Number(word(0)), words: [1, 2, 3, 4, 5, 6].map(word) } };
  }
}

/** A text in another process's memory; empty where there is none. @param memory - its /proc/PID/mem */
export function readText(memory: number, address: bigint): string {
  const bytes = Buffer.alloc(longestPath);
  try {
    const length = readSync(memory, bytes, 0, longestPath, address);
    return bytes.subarray(0, length).toString("latin1").split("\0")[0] ?? "";
  } catch {
    return "";
  }
}

/** linux/ptrace.h */
const request = {
  pokeUser: 6,
  syscall: 24,
  seize: 0x4206,
  interrupt: 0x4207,
  listen: 0x4208,
  syscallInfo: 0x420e,
} as const;

/** PTRACE_O_TRACESYSGOOD, and what the thread forks, vforks, clones and executes. */
const options = 0x01 | 0x02 | 0x04 | 0x08 | 0x10;
const eventStop = 128;

/** SIGTRAP */
const trap = 5;

/** __WALL | __WNOTHREAD */
const everyThread = 0x40000000 | 0x20000000;

/** struct ptrace_syscall_info: what it is at first, number and words of a call from byte 24 on. */
const infoSize = 88;
const entering = 1;

/** Bytes into struct user of x86-64: orig_rax and rax. */
const registerOfNumber = 15 * 8;
const registerOfResult = 10 * 8;

/** Bytes: of our folders' names, more than enough. */
const longestPath = 512;
