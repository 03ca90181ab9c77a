/**
 * For the daemon's tests: a daemon in folders of its own, callers of its
 * sockets, guests of the tender that runs here or of a scripted one, and an
 * end that leaves nothing.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished, test } from "vitest";
import { findTender } from "../../demo/tenders.ts";
import type { BlockState, Command, ConsoleStart, Level } from "../../src/core/command.ts";
import type { TenderKind } from "../../src/core/manifest.ts";
import { parseLabel, printName, printPath } from "../../src/core/name.ts";
import type { Policy } from "../../src/core/policy.ts";
import type { UnikernelConfig, UnikernelInfo } from "../../src/core/unikernel.ts";
import { createLog } from "../../src/host/log.ts";
import { isAlive, kill, type ProcessIdentity, readHostFacts, readProcess } from "../../src/host/proc.ts";
import { type DaemonOptions, type RunningDaemon, startDaemon } from "../../src/service/start.ts";
import { expectOk, isRoot } from "../host/folder.ts";
import { Caller, told, until } from "./caller.ts";

type SocketName = "vmmd" | "chain" | "console" | "stat";

const top = join(import.meta.dirname, "..", "..");

/** Of the demo guest's images, `hello.spt` and the like. */
export function readGuest(file: string): Buffer {
  return readFileSync(join(top, "guest", file));
}

let found: { readonly tender: TenderKind | undefined } | undefined;

/** A test with the demo guest below a real tender, the one that runs on this machine. */
export function guestTest(title: string, body: (place: Place) => Promise<void>): void {
  found ??= { tender: findTender(join(top, "guest")) };
  const { tender } = found;
  test(title, async ({ skip }) => {
    if (tender === undefined) skip("no tender runs the demo guest on this machine");
    else await body(new Place(tender));
  });
}

/** A test with a scripted tender, for what no real one does when asked: a double of solo5-spt, in place of all guests. */
export function scriptTest(title: string, script: string, body: (place: Place) => Promise<void>): void {
  test(title, () => body(openScripted(script)));
}

export function openScripted(script: string): Place {
  const place = new Place("spt");
  place.script(script);
  return place;
}

/** Folders for one daemon after the other; whatever they started is gone after the test. */
export class Place {
  readonly folder: string = mkdtempSync(join(tmpdir(), "fulmar-daemon-"));
  readonly dbdir: string = join(this.folder, "db");
  readonly tmpdir: string = join(this.folder, "run");
  readonly tender: TenderKind;
  readonly #closing: (() => Promise<unknown>)[] = [];
  #log = "";

  constructor(tender: TenderKind) {
    this.tender = tender;
    chmodSync(this.folder, 0o711);
    mkdirSync(this.dbdir, { mode: 0o711 });
    onTestFinished(() => this.#close());
  }

  get log(): string {
    return this.#log;
  }

  /** Puts a program where the daemon looks first for solo5-spt. */
  script(body: string): void {
    const version = 'if [ "$1" = --version ]; then echo "double of solo5-spt"; echo "ABI version 2"; exit 0; fi';
    const file = join(this.dbdir, "solo5-spt");
    writeFileSync(file, `#!/bin/sh\n${version}\n${body}\n`);
    chmodSync(file, 0o755);
  }

  options(changes: Partial<DaemonOptions> = {}): DaemonOptions {
    const log = createLog("fulmard", 2, { write: (line: string) => (this.#log += line) });
    const { dbdir, tmpdir: run, tender } = this;
    return { dbdir, tmpdir: run, tenders: [tender], allowTcg: true, cage: isRoot, grace: 5000, log, ...changes };
  }

  /** Starts the daemon in this process. */
  async start(changes: Partial<DaemonOptions> = {}): Promise<RunningDaemon> {
    const daemon = expectOk(await startDaemon(this.options(changes)));
    this.#closing.push(() => daemon.stop("stop"));
    return daemon;
  }

  /** Starts the daemon as a process of its own, and waits until it serves. */
  async spawn(): Promise<ChildProcess> {
    const { dbdir, tmpdir: run, tender } = this;
    const words = ["--dbdir", dbdir, "--tmpdir", run, "--tenders", tender, "--allow-tcg", "--grace", "5", "-v"];
    const daemon = spawn(process.execPath, [join(top, "dist/bin/fulmard.js"), ...words], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    daemon.stderr.setEncoding("utf8").on("data", (text: string) => (this.#log += text));
    const ended = once(daemon, "exit");
    this.#closing.push(async () => {
      daemon.kill("SIGUSR2");
      await ended;
    });
    if (await Promise.race([once(daemon.stdout, "data").then(() => false), ended.then(() => true)])) {
      throw new Error(`no daemon: ${this.#log}`);
    }
    return daemon;
  }

  async call(socket: SocketName): Promise<Caller> {
    const connection = connect({ path: join(this.tmpdir, "util", `${socket}.sock`), allowHalfOpen: true });
    const caller = new Caller(connection);
    this.#closing.unshift(async () => caller.close());
    await once(connection, "connect");
    return caller;
  }

  /** What a local client is answered: the text, or `refused: ` and the reason. */
  async ask(target: string, command: Command): Promise<string> {
    const caller = await this.call("vmmd");
    caller.say(target, { kind: "command", command });
    return told(await caller.next());
  }

  async infos(target: string = ":"): Promise<readonly (readonly [string, UnikernelInfo])[]> {
    const caller = await this.call("vmmd");
    caller.say(target, { kind: "command", command: { kind: "unikernel-info", form: "current" } });
    const { payload } = await caller.next();
    if (payload.kind !== "success" || payload.success.kind !== "unikernels") throw new Error(JSON.stringify(payload));
    return payload.success.unikernels.map((one) => [one.name.label ?? "", one.value]);
  }

  async info(target: string): Promise<UnikernelInfo | undefined> {
    return (await this.infos(target))[0]?.[1];
  }

  /** Waits until so many unikernels run, whoever started them. */
  async running(count: number): Promise<void> {
    await until(async () => {
      const started = (await this.infos()).filter(([, info]) => info.started !== undefined);
      return started.length === count && this.tenders().length === count;
    }, `${count} unikernels`);
  }

  /** Subscribes to a console. */
  async listen(target: string, from: ConsoleStart = { kind: "count", count: 1024 }): Promise<Caller> {
    const caller = await this.call("console");
    caller.say(target, { kind: "command", command: { kind: "console-subscribe", from } });
    return caller;
  }

  async policies(target: string = ":"): Promise<readonly (readonly [string, Policy])[]> {
    const caller = await this.call("vmmd");
    caller.say(target, { kind: "command", command: { kind: "policy-info" } });
    const { payload } = await caller.next();
    if (payload.kind !== "success" || payload.success.kind !== "policies") throw new Error(JSON.stringify(payload));
    return payload.success.policies.map((one) => [printPath(one.name.path), one.value]);
  }

  async blocks(): Promise<readonly (readonly [string, BlockState])[]> {
    const caller = await this.call("vmmd");
    caller.say(":", { kind: "command", command: { kind: "block-info" } });
    const { payload } = await caller.next();
    if (payload.kind !== "success" || payload.success.kind !== "block-devices")
      throw new Error(JSON.stringify(payload));
    return payload.success.devices.map((one) => [printName(one.name), one.value]);
  }

  /** The tenders that run, whoever started them. */
  tenders(): readonly number[] {
    return this.#tenders().map(([pid]) => pid);
  }

  /** Their command lines, the oldest first. */
  commands(): readonly string[] {
    return this.#tenders().map(([, words]) => words);
  }

  images(): readonly string[] {
    return readdirSync(join(this.dbdir, "images"));
  }

  /** What a daemon that stopped should not have left: processes, consoles, sockets, files of guests and of uploads. */
  leftovers(): readonly string[] {
    const files = ["fifo", "guest", "util"].flatMap((folder) => list(join(this.tmpdir, folder)));
    const uploads = this.images().filter((file) => !/^[0-9a-f]{64}$/.test(file));
    return [...this.#processes().map(([, words]) => words), ...files, ...uploads];
  }

  #tenders(): readonly (readonly [number, string])[] {
    const images = `${this.dbdir}/images/`;
    const age = (pid: number): number => readProcess(pid)?.start ?? 0;
    const found = this.#processes().filter(([, words]) => words.includes(images) && !words.includes("fulmar-shim"));
    // What a scripted one has just forked is still called as it is.
    const forked = new Set(found.filter(([pid]) => found.some(([other]) => other === parentOf(pid))));
    return found.filter((one) => !forked.has(one)).sort(([a], [b]) => age(a) - age(b) || a - b);
  }

  #processes(): readonly (readonly [number, string])[] {
    return readdirSync("/proc").flatMap((pid) => {
      const words = /^\d+$/.test(pid) ? commandLine(Number(pid)) : "";
      return words.includes(this.folder) ? [[Number(pid), words] as const] : [];
    });
  }

  async #close(): Promise<void> {
    for (const close of this.#closing) await close().catch(() => undefined);
    for (const guest of this.#recorded()) kill(guest, "SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Guests whose daemon did not end them. */
  #recorded(): readonly ProcessIdentity[] {
    const files = list(join(this.tmpdir, "guest")).filter((file) => file.endsWith(".pid"));
    return files
      .map((file) => readFileSync(file, "latin1").split(" ").map(Number))
      .map(([pid = 0, start = 0]) => ({ pid, start }))
      .filter(isAlive);
  }
}

export const config: UnikernelConfig = {
  typ: "solo5",
  addName: true,
  failBehaviour: { kind: "quit" },
  cpuids: readHostFacts().cpuids.slice(0, 1),
  memory: 32,
  blocks: [],
  bridges: [],
  cpus: 1,
};

export function create(
  bytes: Uint8Array,
  changes: Partial<UnikernelConfig> = {},
  form: { readonly replace?: boolean; readonly compressed?: boolean } = {},
): Command {
  const { replace = false, compressed = false } = form;
  return { kind: "unikernel-create", config: { ...config, ...changes }, image: { compressed, bytes }, replace };
}

export const destroy: Command = { kind: "unikernel-destroy" };

/** A delegation as the endpoint tells of it. */
export function level(text: string, changes: Partial<Policy> = {}): Level {
  const { cpuids } = readHostFacts();
  const policy = { unikernels: 2, cpuids, memory: 256, block: 16, bridges: [], ...changes };
  const notBefore = Date.now() - 10_000;
  return {
    label: expectOk(parseLabel(text)),
    policy,
    notBefore: notBefore - (notBefore % 1000),
    notAfter: notBefore - (notBefore % 1000) + 300_000,
    fingerprint: new Uint8Array(32),
  };
}

function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder).map((file) => join(folder, file));
  } catch {
    return [];
  }
}

function parentOf(pid: number): number {
  try {
    return Number(/^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]);
  } catch {
    return 0;
  }
}

/** Empty for a process that has ended. */
function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}
