/**
 * A daemon that is put on trial: in folders and a network of its own, started
 * and killed as often as the trial wants.
 *
 * @module
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, closeSync, fsyncSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, connect } from "../src/client/main.ts";
import type { Tracer } from "./interruption.ts";
import { killProcess, processesWith, taps, tenders } from "./machine.ts";
import type { Network } from "./network.ts";
import { type Sight, see } from "./sight.ts";

/** Where the repository is, and the network that nobody else has meanwhile. */
export interface Ground {
  readonly top: string;
  readonly network: Network;
}

export class Place {
  readonly folder: string = mkdtempSync(join(tmpdir(), "fulmar-trial-"));
  readonly dbdir: string;
  readonly tmpdir: string = join(this.folder, "run");
  readonly #top: string;
  readonly #inside: readonly string[];
  readonly #words: readonly string[];
  #daemon: ChildProcess | undefined;
  #log = "";

  /**
   * @param words - of the daemon, besides the usual ones
   * @param dbdir - the daemon's folder, where it is not to be a new one
   */
  constructor({ top, network }: Ground, words: readonly string[] = [], dbdir?: string) {
    this.#top = top;
    this.#inside = network.words;
    this.#words = words;
    this.dbdir = dbdir ?? join(this.folder, "db");
    chmodSync(this.folder, 0o711);
    mkdirSync(this.dbdir, { mode: 0o711, recursive: true });
    // A double of solo5-spt: what is tried is the daemon, and a guest of it must do nothing but go on.
    const double = openSync(join(this.dbdir, "solo5-spt"), "w", 0o755);
    writeSync(double, tender);
    fsyncSync(double);
    closeSync(double);
  }

  /** Of all daemons so far. */
  get log(): string {
    return this.#log;
  }

  get pid(): number {
    return this.#daemon?.pid ?? 0;
  }

  get isAlive(): boolean {
    return this.#daemon !== undefined && this.#daemon.exitCode === null && this.#daemon.signalCode === null;
  }

  image(name: string): string {
    return join(this.#top, "guest", `${name}.spt`);
  }

  /**
   * Starts the daemon.
   *
   * @param tracer - traces it from its first call on
   * @returns whether it serves; false where it ended first
   */
  async start(tracer?: Tracer): Promise<boolean> {
    const words = [...this.#fulmard(), "--tenders", "spt", "--grace", "2", "-v", ...this.#words];
    const daemon = this.#spawn(words);
    this.#daemon = daemon;
    return await this.#begin(daemon, tracer);
  }

  /** Runs `fulmard --stop-guests`. @returns whether it ended well */
  async stopGuests(tracer?: Tracer): Promise<boolean> {
    const command = this.#spawn([...this.#fulmard(), "--stop-guests", "--grace", "2"]);
    const ended = once(command, "exit");
    await this.#begin(command, tracer);
    await ended;
    return command.exitCode === 0;
  }

  async kill(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const daemon = this.#daemon;
    if (daemon === undefined || !this.isAlive) return;
    const ended = once(daemon, "exit");
    const late = setTimeout(() => daemon.kill("SIGKILL"), patience);
    daemon.kill(signal);
    await ended;
    clearTimeout(late);
  }

  /** Ends everything that runs, as the host's end does, with what was in its memory. */
  async powerOff(): Promise<void> {
    await this.kill("SIGKILL");
    await this.#clear();
    rmSync(this.tmpdir, { recursive: true, force: true });
  }

  client(): Promise<Client> {
    return connect({ tmpdir: this.tmpdir });
  }

  /** The tender of a unikernel, by its label. */
  tenderOf(label: string): number | undefined {
    return tenders(this.dbdir).find(([, words]) => words.includes(` --name=${label} `))?.[0];
  }

  /** Waits until nothing moves any more, and tells what there is then. @param more - further lines of what is kept */
  async see(more: () => Promise<readonly string[]> = async () => []): Promise<Sight> {
    const client = await this.client();
    try {
      return await see({ dbdir: this.dbdir, tmpdir: this.tmpdir, inside: this.#inside }, client, more);
    } finally {
      await client.close();
    }
  }

  /** Ends everything that was started here, and removes the folder. */
  async close(): Promise<void> {
    await this.kill("SIGKILL");
    await this.#clear();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** What starts another program just then is seen the next time. */
  async #clear(): Promise<void> {
    for (let none = 0; none < 2; await sleep(lookInterval)) {
      const found = [this.folder, this.dbdir].flatMap(processesWith);
      for (const [pid] of found) killProcess(pid);
      none = found.length === 0 ? none + 1 : 0;
    }
    for (const tap of taps(this.#inside)) {
      const [program = "", ...words] = [...this.#inside, "ip", "link", "delete", tap];
      spawnSync(program, words);
    }
  }

  #fulmard(): readonly string[] {
    const program = join(this.#top, "dist/bin/fulmard.js");
    return [process.execPath, program, "--dbdir", this.dbdir, "--tmpdir", this.tmpdir];
  }

  /** It waits to be told to begin. */
  #spawn(words: readonly string[]): ChildProcess {
    const [program = "", ...rest] = [...this.#inside, "sh", "-c", gate, "gate", ...words];
    const child = spawn(program, rest, { stdio: ["pipe", "pipe", "pipe"] });
    child.stderr.setEncoding("utf8").on("data", (text: string) => (this.#log += text));
    child.stdin.on("error", () => undefined);
    return child;
  }

  /** @returns whether it said something then */
  async #begin(child: ChildProcess, tracer: Tracer | undefined): Promise<boolean> {
    const { stdout, stdin } = child;
    if (stdout === null) return false;
    const ended = once(child, "exit").then(() => false);
    const waits = await Promise.race([once(stdout, "data").then(() => true), ended]);
    if (!waits) return false;
    if (tracer !== undefined && !(await tracer.trace(child.pid ?? 0))) throw new Error("it cannot be traced");
    const speaks = once(stdout, "data").then(() => true);
    stdin?.end("\n");
    return await Promise.race([speaks, ended]);
  }
}

/** Keeps the pid: what is run becomes it. */
const gate = 'echo && read -r _ && exec "$@"';

/** Nothing that it starts, and nothing that it writes, is to be interrupted. */
const tender = `#!/bin/sh
if [ "$1" = --version ]; then echo "double of solo5-spt"; echo "ABI version 2"; exit 0; fi
case "$*" in *" bad"*) exit 1;; esac
while :; do read -r _ <&1; done
`;

/** Milliseconds between looks at whether anything is left. */
const lookInterval = 10;

/** Milliseconds that a daemon has to end. */
const patience = 20_000;
