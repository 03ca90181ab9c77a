/**
 * `npm run soak -- [--minutes N] [--seed S]`: requests at random, valid and not,
 * over TLS and on the local sockets, while guests crash and the daemon and the
 * endpoint are killed. At quiet points everything is compared with a model of
 * what must be; the end is calm, and nothing may grow in it.
 *
 * It runs in namespaces of its own: what it starts ends with it.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { env } from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Lane } from "./soak_lane.ts";
import { compare, measure, type Size } from "./soak_look.ts";
import { Model } from "./soak_model.ts";
import { Random } from "./soak_random.ts";
import { allowed, clock, World } from "./soak_world.ts";

const top = join(import.meta.dirname, "..", "..");

class Soak {
  readonly #random: Random;
  readonly #world: World;
  readonly #model = new Model();
  readonly #lanes: readonly Lane[];
  readonly #faults: string[] = [];
  readonly #begin = performance.now();
  #kills = 0;

  constructor(folder: string, seed: number) {
    this.#random = new Random(seed);
    this.#world = new World(top, folder);
    const people = ["root", "alice", "alice:bob", "alice:carol", "alice:bob"] as const;
    this.#lanes = people
      .slice(0, 4)
      .map((person) => new Lane(person, this.#world, this.#model, this.#random.split(), (text) => this.#fault(text)));
  }

  /** @returns whether all was as it must be */
  async run(milliseconds: number): Promise<boolean> {
    await this.#world.start("daemon");
    await this.#world.start("endpoint");
    await this.#allow();
    const stormEnd = this.#begin + milliseconds * stormShare;
    while (performance.now() < stormEnd && this.#faults.length === 0) {
      await this.#together(Math.min(roundLength, stormEnd - performance.now()), true);
      await this.#quiet();
    }
    await this.#clear();
    const before = measure(this.#world);
    while (performance.now() < this.#begin + milliseconds && this.#faults.length === 0) {
      await this.#together(Math.min(roundLength, this.#begin + milliseconds - performance.now()), false);
      await this.#quiet();
    }
    await this.#clear();
    this.#judge(before, measure(this.#world));
    await this.#end();
    return this.#faults.length === 0;
  }

  /** Policies by the host, which are newer than any certificate: what they are is the model's to know. */
  async #allow(): Promise<void> {
    const client = await this.#world.connect("root");
    for (const [path, limit] of Object.entries(allowed)) {
      await client.addPolicy(path, { ...limit, cpuids: [0], bridges: ["service"] });
      this.#model.put(this.#model.limits, path, [limit]);
    }
    await client.close();
  }

  async #together(length: number, storm: boolean): Promise<void> {
    const stop = new AbortController();
    const moving = this.#lanes.map((lane) => lane.run(stop.signal));
    const end = performance.now() + length;
    while (performance.now() < end && this.#faults.length === 0) {
      await sleep(Math.min(storm ? 300 + this.#random.below(2500) : length, Math.max(0, end - performance.now())));
      if (storm) await this.#kill();
    }
    stop.abort();
    await Promise.all(moving);
  }

  async #kill(): Promise<void> {
    const program = this.#random.pick(["daemon", "daemon", "daemon", "endpoint"] as const);
    const signal = this.#random.pick(["SIGKILL", "SIGKILL", "SIGTERM"] as const);
    await this.#world.stop(program, signal);
    this.#kills += 1;
    this.#world.note(`${clock()}, ${program} was ended by ${signal}`);
    await sleep(this.#random.below(400));
    await this.#world.start(program);
    this.#world.note(`${clock()}, ${program} serves`);
  }

  /** Waits until what is and what must be agree. */
  async #quiet(): Promise<void> {
    let differences: readonly string[] = [];
    for (let waited = 0; waited < quietLimit; waited += quietInterval) {
      const client = await this.#world.connect("root");
      differences = await compare(this.#world, this.#model, client).finally(() => client.close());
      if (differences.length === 0) break;
      await sleep(quietInterval);
    }
    for (const bug of this.#world.bugs()) this.#fault(`a program says: ${bug}`);
    for (const difference of differences) this.#fault(difference);
    this.#report();
  }

  async #clear(): Promise<void> {
    for (const lane of this.#lanes) await lane.clear();
    await this.#quiet();
  }

  #judge(before: Size, after: Size): void {
    for (const program of ["daemon", "endpoint"] as const) {
      const [was, is] = [before[program], after[program]];
      if (is.descriptors > was.descriptors + fewDescriptors)
        this.#fault(`the ${program} had ${was.descriptors} descriptors, and has ${is.descriptors}`);
      if (is.megabytes > Math.max(was.megabytes + fewMegabytes, settledMegabytes))
        this.#fault(`the ${program} had ${was.megabytes} MB of memory, and has ${is.megabytes}`);
    }
    if (after.taps > 0) this.#fault(`${after.taps} taps are left`);
  }

  async #end(): Promise<void> {
    for (const lane of this.#lanes) await lane.close().catch(() => undefined);
    await this.#world.stop("endpoint", "SIGTERM");
    await this.#world.stop("daemon", "SIGUSR2");
  }

  #fault(text: string): void {
    this.#faults.push(text);
    say(`FAULT after ${Math.round((performance.now() - this.#begin) / 1000)} s: ${text}`);
    const name = /^(?:block device|force create|\S+) (\S+)/.exec(text)?.[1] ?? "";
    for (const line of this.#world.recall(name)) say(`  ${line}`);
  }

  #report(): void {
    const sum = (kind: "done" | "refused" | "unknown"): number =>
      this.#lanes.reduce((total, { answers }) => total + answers[kind], 0);
    const { daemon, endpoint, taps } = measure(this.#world);
    const seconds = Math.round((performance.now() - this.#begin) / 1000);
    say(
      `${seconds} s: ${sum("done")} done, ${sum("refused")} refused, ${sum("unknown")} unknown, ${this.#kills} kills; ` +
        `daemon ${daemon.descriptors} fds ${daemon.megabytes} MB, ` +
        `endpoint ${endpoint.descriptors} fds ${endpoint.megabytes} MB, ${taps} taps`,
    );
  }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function words(): { readonly minutes: number; readonly seed: number } {
  const { values } = parseArgs({ options: { minutes: { type: "string" }, seed: { type: "string" } } });
  const { minutes = "1", seed = String(Date.now() % 1_000_000) } = values;
  return { minutes: Number(minutes), seed: Number(seed) };
}

/** Here the sh is the init that waits for whoever lost his parent. */
function enter(): number {
  const { minutes, seed } = words();
  const folder = mkdtempSync(join(tmpdir(), "fulmar-soak-"));
  const own = [
    "setpriv",
    "--pdeathsig",
    "KILL",
    "--",
    "unshare",
    "--net",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
  ];
  const inner = [process.execPath, import.meta.filename, "--minutes", String(minutes), "--seed", String(seed)];
  const [program = "", ...rest] = [...own, "--mount-proc", "--", "sh", "-c", '"$@"; exit $?', "init", ...inner];
  const { FULMAR_SOAK_KEEP: keep } = env;
  const { status } = spawnSync(program, rest, {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...env, [inside]: folder },
    timeout: minutes * 60_000 + overtime,
    killSignal: "SIGKILL",
  });
  if (status === 0 || keep === undefined) rmSync(folder, { recursive: true, force: true });
  return status ?? 1;
}

async function main(): Promise<number> {
  const { [inside]: folder } = env;
  if (folder === undefined) return enter();
  const { minutes, seed } = words();
  say(`seed ${seed}, ${minutes} minutes`);
  const right = await new Soak(folder, seed).run(minutes * 60_000);
  say(right ? "what is and what must be agree" : `they do not agree: --minutes ${minutes} --seed ${seed}`);
  return right ? 0 : 1;
}

const inside = "FULMAR_SOAK_FOLDER";

/** The rest is calm: nothing is killed in it, so that what grows can be seen. */
const stormShare = 0.75;

/** Milliseconds between two quiet points. */
const roundLength = 10_000;

/** Milliseconds in which everything comes to rest: guests end, restarts back off, up to 8 s in a round. */
const quietLimit = 40_000;
const quietInterval = 250;

/** Milliseconds: quiet points, starts and ends on a busy machine. */
const overtime = 240_000;

/** What a program may have at its end that it had not at the beginning of the calm: caches, a pool's threads. */
const fewDescriptors = 6;
const fewMegabytes = 40;

/** MB that a program may have in any case: it has just been started when it is measured first. */
const settledMegabytes = 160;

process.exit(await main());
