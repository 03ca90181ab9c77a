/**
 * Short helper programs (ip, flock, mkfifo): run to their end, their output collected.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { env } from "node:process";
import { err, ok, type Result } from "../core/result.ts";

export type RunError =
  | { readonly kind: "program-missing"; readonly program: string; readonly code: string }
  | { readonly kind: "program-failed"; readonly program: string; readonly status: number; readonly output: string }
  | { readonly kind: "program-too-slow"; readonly program: string; readonly limit: number };

export interface RunOptions {
  /** Sent to its standard input. */
  readonly input?: string;
  /** Milliseconds. */
  readonly timeout?: number;
  /** Handed on as its descriptor 3. */
  readonly fd?: number;
}

/** Runs the program and waits: its output (both streams, in the order they came), or why there is none. */
export function run(argv: readonly string[], options: RunOptions = {}): Promise<Result<string, RunError>> {
  const [program = "", ...rest] = argv;
  const limit = options.timeout ?? defaultTimeout;
  return new Promise((resolve) => {
    const extra = options.fd === undefined ? [] : [options.fd];
    const child = spawn(program, rest, { stdio: ["pipe", "pipe", "pipe", ...extra], env: helperEnvironment });
    let output = "";
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, limit);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        if (output.length < maxOutput) output += text;
      });
    }
    child.stdin?.on("error", () => {});
    child.stdin?.end(options.input ?? "");
    child.on("error", (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      resolve(err({ kind: "program-missing", program, code: error.code ?? "" }));
    });
    child.on("close", (code) => {
      clearTimeout(timer);
      if (late) resolve(err({ kind: "program-too-slow", program, limit }));
      else if (code === 0) resolve(ok(output));
      else resolve(err({ kind: "program-failed", program, status: code ?? -1, output: output.trim() }));
    });
  });
}

/** Milliseconds. `ip` needs 3 for a tap; a machine under load may need a thousand times that. */
const defaultTimeout = 10_000;

/** Characters of output that are kept. */
const maxOutput: number = 4 * 1024 * 1024;

const { PATH = "" } = env;

/** Helpers answer in English, and find themselves where distributions put them. */
const helperEnvironment: Readonly<Record<string, string>> = {
  PATH: `${PATH}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
  LC_ALL: "C",
};
