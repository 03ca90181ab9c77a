/**
 * A daemon that is put on trial: in folders of its own, started and killed as
 * often as the trial wants, and what can be seen of it from outside.
 *
 * @module
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, connect } from "../src/client/main.ts";
import { list, read, taps, tenders } from "./machine.ts";

/** What must hold of a daemon whatever was done to it; texts, so that a difference can be read. */
export interface Sight {
  /** Unikernels, policies, block devices, and all files of these with their contents: what clients rely on, a line each. */
  readonly kept: readonly string[];
  /** What the machine holds that nothing of it accounts for. */
  readonly orphans: readonly string[];
}

export class Place {
  readonly folder: string = mkdtempSync(join(tmpdir(), "fulmar-trial-"));
  readonly dbdir: string = join(this.folder, "db");
  readonly tmpdir: string = join(this.folder, "run");
  readonly #top: string;
  #daemon: ChildProcess | undefined;
  #under = false;
  #log = "";

  /** @param top - of the repository, with guest/ and dist/ */
  constructor(top: string) {
    this.#top = top;
    chmodSync(this.folder, 0o711);
    mkdirSync(this.dbdir, { mode: 0o711 });
    // A double of solo5-spt: what is tried is the daemon, and a guest of it must do nothing but go on.
    writeFileSync(join(this.dbdir, "solo5-spt"), tender);
    chmodSync(join(this.dbdir, "solo5-spt"), 0o755);
  }

  /** Of all daemons so far. */
  get log(): string {
    return this.#log;
  }

  /** Of the daemon itself, whatever it was started under. */
  get pid(): number {
    const { pid = 0 } = this.#daemon ?? {};
    return this.#under ? (childOf(pid) ?? pid) : pid;
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
   * @param before - words in front of its own: what it is run under
   * @returns whether it serves; false where it ended first
   */
  async start(before: readonly string[] = []): Promise<boolean> {
    const { dbdir, tmpdir: run } = this;
    const words = ["--dbdir", dbdir, "--tmpdir", run, "--tenders", "spt", "--grace", "2", "-v"];
    const [program = "", ...rest] = [...before, process.execPath, join(this.#top, "dist/bin/fulmard.js"), ...words];
    const daemon = spawn(program, rest, { stdio: ["ignore", "pipe", "pipe"] });
    this.#daemon = daemon;
    this.#under = before.length > 0;
    daemon.stderr.setEncoding("utf8").on("data", (text: string) => (this.#log += text));
    const ended = once(daemon, "exit").then(() => false);
    return await Promise.race([once(daemon.stdout, "data").then(() => true), ended]);
  }

  async kill(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const daemon = this.#daemon;
    if (daemon === undefined || !this.isAlive) return;
    const ended = once(daemon, "exit");
    const late = setTimeout(() => daemon.kill("SIGKILL"), patience);
    process.kill(this.pid, signal);
    await ended;
    clearTimeout(late);
  }

  client(): Promise<Client> {
    return connect({ tmpdir: this.tmpdir });
  }

  /** The tender of a unikernel, by its label. */
  tenderOf(label: string): number | undefined {
    return tenders(this.dbdir).find(([, words]) => words.includes(` --name=${label} `))?.[0];
  }

  /** Waits until nothing moves any more, and tells what there is then. */
  async see(): Promise<Sight> {
    let last = await this.#look();
    for (let tries = 0; tries < mostLooks; tries++) {
      await sleep(lookInterval);
      const next = await this.#look();
      const settled = next.orphans.length === 0 && JSON.stringify(next) === JSON.stringify(last);
      if (settled) return next;
      last = next;
    }
    return last;
  }

  /** Ends everything that was started here, and removes the folder. */
  async close(): Promise<void> {
    await this.kill("SIGKILL");
    for (const [pid] of this.#processes()) killProcess(pid);
    for (const tap of taps()) spawnSync("ip", ["link", "delete", tap]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #look(): Promise<Sight> {
    const client = await this.client();
    const unikernels = await client.info();
    const blocks = await client.blocks.list();
    const policies = (await client.policies()).filter(({ path }) => path !== "");
    const kept = [
      ...unikernels.map(({ name, memory, digest, arguments: words = [], blocks: attached, bridges }) => {
        const devices = [...attached, ...bridges].map(({ hostDevice }) => hostDevice);
        return `unikernel ${name} ${memory} MB ${digest.slice(0, 8)} ${words.join(" ")} ${devices.join(" ")}`;
      }),
      ...policies.map((policy) => `policy ${JSON.stringify(policy)}`),
      ...blocks.map(({ name, size, active }) => `block ${name} ${size} MB ${active ? "used" : "free"}`),
      ...readAll(join(this.dbdir, "block")).map(({ file, digest }) => `content ${file} ${digest}`),
    ];
    const running = unikernels.filter(({ started }) => started !== undefined);
    const tapped = running.reduce((sum, { bridges }) => sum + bridges.length, 0);
    const digests = new Set(unikernels.map(({ digest }) => digest));
    await client.close();
    return { kept, orphans: this.#orphans(running.length, tapped, digests) };
  }

  #orphans(running: number, tapped: number, digests: ReadonlySet<string>): readonly string[] {
    const counts = [
      ["tenders", tenders(this.dbdir).length, running],
      ["consoles", list(join(this.tmpdir, "fifo")).length, running],
      ["records", list(join(this.tmpdir, "guest")).filter((file) => file.endsWith(".guest")).length, running],
      ["taps", taps().length, tapped],
    ] as const;
    const images = list(join(this.dbdir, "images"));
    return [
      ...counts.flatMap(([what, there, wanted]) => (there === wanted ? [] : [`${there} ${what}, not ${wanted}`])),
      ...images.filter((file) => !digests.has(file)).map((file) => `image ${file}`),
      ...[...digests].filter((digest) => !images.includes(digest)).map((digest) => `no image ${digest}`),
    ];
  }

  #processes(): readonly (readonly [number, string])[] {
    return list("/proc").flatMap((pid) => {
      const words =
        /^\d+$/.test(pid) && Number(pid) !== process.pid ? read(`/proc/${pid}/cmdline`).replaceAll("\0", " ") : "";
      return words.includes(this.folder) ? [[Number(pid), words] as const] : [];
    });
  }
}

function readAll(folder: string): readonly { readonly file: string; readonly digest: string }[] {
  return list(folder)
    .filter((file) => statSync(join(folder, file)).isFile())
    .sort()
    .map((file) => ({
      file,
      digest: createHash("sha256")
        .update(readFileSync(join(folder, file)))
        .digest("hex")
        .slice(0, 8),
    }));
}

function childOf(pid: number): number | undefined {
  return Number.parseInt(read(`/proc/${pid}/task/${pid}/children`), 10) || undefined;
}

function killProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended since.
  }
}

const tender = `#!/bin/sh
if [ "$1" = --version ]; then echo "double of solo5-spt"; echo "ABI version 2"; exit 0; fi
case "$*" in *" bad"*) exit 1;; esac
while :; do sleep 2; done
`;

/** Milliseconds that a daemon has to end. */
const patience = 20_000;

/** Milliseconds between two looks, and how many: what is under way after a start takes a second or two. */
const lookInterval = 150;
const mostLooks = 60;
