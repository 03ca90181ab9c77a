/**
 * For tests of the endpoint as a program: it and whatever it started are gone after the test.
 */
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import type { Server } from "node:net";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Lab } from "./endpoint_lab.ts";

export const program: string = join(import.meta.dirname, "..", "..", "dist/bin/fulmar-endpoint.js");

/** The words for an endpoint with a lab's files, before its daemon's stand-in. */
export function wordsFor({ dir }: Lab): string[] {
  return [...["ca.pem", "server.pem", "server.key"].map((file) => join(dir, file)), "--tmpdir", dir, "--allow-root"];
}

export interface Running {
  readonly child: ChildProcess;
  /** Of both outputs. */
  readonly said: () => string;
  readonly ended: Promise<unknown[]>;
}

/** @param command - program and words */
export function run(command: readonly string[], stdio: StdioOptions = ["ignore", "pipe", "pipe"]): Running {
  const [file = "", ...words] = command;
  const child = spawn(file, words, { stdio });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => (said += text));
  }
  const ended = once(child, "exit");
  onTestFinished(async () => {
    child.kill("SIGTERM");
    await ended;
  });
  return { child, said: () => said, ended };
}

/** In the form that systemd starts it in: descriptors from 3 on are its own. */
export function asActivated(names: string, count: number, command: readonly string[]): readonly string[] {
  const script = `LISTEN_PID=$$ LISTEN_FDS=${count} LISTEN_FDNAMES=${names} exec "$0" "$@"`;
  return ["/bin/sh", "-c", script, ...command];
}

/** Of a server or a socket of Node's. */
export function descriptorOf(stream: Server): number {
  const handle: unknown = Reflect.get(stream, "_handle");
  const fd: unknown = typeof handle === "object" && handle !== null ? Reflect.get(handle, "fd") : undefined;
  if (typeof fd !== "number") throw new Error("no descriptor");
  return fd;
}

export function portIn(said: string): number {
  return Number(/port (\d+)/.exec(said)?.[1]);
}

export function childrenOf(pid: number | undefined): readonly number[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((child) => parentOf(child) === pid);
}

/** Undefined: there is no such process, or nothing but its status is left. */
export function parentOf(pid: number): number | undefined {
  try {
    const [state, parent] = readFileSync(`/proc/${pid}/stat`, "latin1")
      .replace(/^.*\) /s, "")
      .split(" ");
    return state === "Z" ? undefined : Number(parent);
  } catch {
    return undefined;
  }
}
