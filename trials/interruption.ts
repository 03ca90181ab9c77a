/**
 * Interrupting a process at one of its system calls, by strace: at the Nth time
 * that one of its threads, or of the processes that it starts, makes the call.
 *
 * @module
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** What happens at the call: the process is killed, or the call fails. */
export type Harm = "KILL" | "EIO" | "ENOSPC";

/** Where and how: before the `at`th call, counted from 1. */
export interface Interruption {
  readonly call: string;
  readonly at: number;
  readonly harm: Harm;
}

/**
 * Calls that change something on the disk, among the processes, or for a client. Not those by which ip makes taps: each
 * ip that follows would fail at the same place, and with it what was to put things right.
 */
export const changingCalls: readonly string[] = [
  ...["write", "pwrite64", "writev", "pwritev"],
  ...["fsync", "fdatasync", "msync", "ftruncate", "fallocate"],
  ...["rename", "renameat", "renameat2", "link", "unlink", "unlinkat", "mkdir", "rmdir", "mknod", "mknodat"],
  ...["chmod", "fchmod", "fchmodat", "chown", "fchown", "fchownat"],
  ...["clone", "clone3", "vfork", "execve", "kill"],
];

/** Those that a disk can fail at; not write, by which threads wake each other, too, and for that it never fails. */
export const diskCalls: readonly string[] = [
  ...["pwrite64", "pwritev", "fsync", "fdatasync", "msync", "ftruncate"],
  ...["rename", "link", "unlink", "mkdir", "mknodat"],
];

/** Whether processes can be interrupted here. */
export function canInterrupt(): boolean {
  return spawnSync("strace", ["-f", "-q", "-o", "/dev/null", "-e", "trace=none", "true"]).status === 0;
}

/** The words that a program is started under, to be interrupted from its first call on; or only watched. */
export function straceWords(log: string, interruption?: Interruption): readonly string[] {
  const injected = interruption === undefined ? [] : ["-e", inject(interruption)];
  return ["strace", "-f", "-q", "-o", log, ...injected, "-e", `trace=${callsOf(interruption)}`, "--"];
}

/** Interrupts a process that runs already. */
export class Interrupter {
  readonly #strace: ChildProcess;
  readonly #log: string;

  private constructor(strace: ChildProcess, log: string) {
    this.#strace = strace;
    this.#log = log;
  }

  /** Resolves when the process is watched. @param interruption - absent: nothing happens, the calls are written down */
  static async attach(pid: number, log: string, interruption?: Interruption): Promise<Interrupter> {
    const words = ["-f", "-o", log, "-e", `trace=${callsOf(interruption)}`, "-p", String(pid)];
    const injected = interruption === undefined ? [] : ["-e", inject(interruption)];
    const strace = spawn("strace", [...injected, ...words], { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    strace.stderr.on("data", (text: Buffer) => (said += text.toString()));
    for (let tries = 0; tries < 500 && !/attached/.test(said) && strace.exitCode === null; tries++) await sleep(10);
    return new Interrupter(strace, log);
  }

  /** Lets the process go. @returns the calls that were seen, one a line */
  async detach(): Promise<readonly string[]> {
    if (this.#strace.exitCode === null && this.#strace.signalCode === null) {
      const ended = once(this.#strace, "exit");
      this.#strace.kill("SIGTERM");
      const late = setTimeout(() => this.#strace.kill("SIGKILL"), patience);
      await ended;
      clearTimeout(late);
    }
    return readFileSync(this.#log, "latin1").split("\n");
  }
}

/** Whether a line of strace's shows that it interfered. */
export function wasHarmed(lines: readonly string[], { harm }: Interruption): boolean {
  return lines.some((line) => (harm === "KILL" ? line.includes("killed by SIGKILL") : line.includes("(INJECTED)")));
}

/** strace counts a call only where it traces it. */
function callsOf(interruption: Interruption | undefined): string {
  return interruption?.call ?? changingCalls.map((call) => `?${call}`).join(",");
}

function inject({ call, at, harm }: Interruption): string {
  return `inject=${call}:${harm === "KILL" ? "signal=KILL" : `error=${harm}`}:when=${at}`;
}

/** Milliseconds that strace has to let go of what it watches. */
const patience = 5000;
