/**
 * Interrupting a process at one of the changes that it makes, or that one of
 * those makes that it starts: from outside, by a tracer of its own.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { read } from "./machine.ts";

/** What happens before the change is made. */
export type Harm =
  /** Whoever makes it is killed. */
  | "KILL"
  /** The call fails so. */
  | "EIO"
  | "ENOSPC"
  /** Where a helper makes it: the process on trial is killed, and the helper goes on. */
  | "KILL-DAEMON"
  /** Where a helper makes it: both are killed. */
  | "KILL-BOTH"
  /** Where it is the daemon's, on its disk or an answer: everything goes off, and what was not written yet is lost. */
  | "POWER"
  /** The same, and the file system has written names and sizes just before. */
  | "POWER-JOURNAL";

export const harms: readonly Harm[] = [
  ...(["KILL", "EIO", "ENOSPC", "POWER", "POWER-JOURNAL", "KILL-BOTH", "KILL-DAEMON"] as const),
];

/** Before which of the changes that the harm is done at, counted from 1. */
export interface Interruption {
  readonly at: number;
  readonly harm: Harm;
}

/** What the tracer wrote down. */
export interface Change {
  readonly at: number;
  readonly harmed: boolean;
  /** The program, the call and what it was about. */
  readonly text: string;
}

/** Why processes cannot be interrupted here; undefined where they can. */
export async function findHindrance(): Promise<string | undefined> {
  if (process.arch !== "x64" || process.platform !== "linux") return "the tracer knows the calls of x86-64 alone";
  if (process.geteuid?.() !== 0) return "it takes root";
  const victim = spawn("sleep", ["60"], { stdio: "ignore" });
  const tracer = new Tracer("/dev/null", "/");
  const traced = await tracer.trace(victim.pid ?? 0);
  victim.kill("SIGKILL");
  await tracer.end();
  return traced ? undefined : "processes cannot be traced here, or koffi is not installed";
}

export class Tracer {
  readonly #process: ChildProcess;
  readonly #log: string;
  readonly #ended: Promise<unknown>;

  /**
   * @param log - a file of its own
   * @param folder - where the files are that a disk can fail to take, or lose
   * @param interruption - absent: nothing happens, the changes are written down
   */
  constructor(log: string, folder: string, interruption?: Interruption) {
    const { at = 0, harm = "none" } = interruption ?? {};
    const words = [program, log, folder, String(at), harm];
    this.#log = log;
    this.#process = spawn(process.execPath, words, { stdio: ["pipe", "pipe", "ignore"] });
    this.#process.stdin?.on("error", () => undefined);
    this.#ended = once(this.#process, "exit");
  }

  /** Resolves once the process is traced. @returns whether it is */
  async trace(pid: number): Promise<boolean> {
    this.#process.stdin?.write(`${pid}\n`);
    const { stdout } = this.#process;
    if (stdout === null) return false;
    return await Promise.race([once(stdout, "data").then(() => true), this.#ended.then(() => false)]);
  }

  /** Resolves when no change has been made for a while. */
  async quiet(): Promise<void> {
    for (let length = -1; length !== read(this.#log).length; await sleep(settling)) length = read(this.#log).length;
  }

  /** Lets everything go on that was traced. @returns the changes that were made, in their order */
  async end(): Promise<readonly Change[]> {
    this.#process.kill("SIGKILL");
    await this.#ended;
    return read(this.#log)
      .split("\n")
      .flatMap((line) => {
        const [, at, harm, text = ""] = /^(\d+) (\S+) (.*)$/.exec(line) ?? [];
        return at === undefined ? [] : [{ at: Number(at), harmed: harm !== "-", text }];
      });
  }
}

/** As it was built, also where this is not. */
const program: string = join(import.meta.dirname.replace(/(?:\/dist)?\/trials$/, "/dist/trials"), "tracer.js");

/** Milliseconds: what a command sets in motion behind its answer goes on by then. */
const settling = 120;
