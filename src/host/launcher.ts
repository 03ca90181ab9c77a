/**
 * Starting and stopping guests: lends a guest what it needs (a uid, taps, block
 * files, a console), starts its tender, and takes everything back when it ends.
 *
 * All that is lent is given back exactly once, whichever step failed.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { geteuid } from "node:process";
import { type Name, printName } from "../core/name.ts";
import type { Refusal } from "../core/refusal.ts";
import type { ExitStatus } from "../core/restart.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { Incarnation } from "../core/state.ts";
import { guestArguments, tenderArguments } from "../core/tender.ts";
import { blockPath, lendBlock, takeBackBlock } from "./block.ts";
import { type Cage, cageArgv, UidPool } from "./cage.ts";
import { kvmGroup, openKvm, openTun } from "./devices.ts";
import { type ConsoleInput, openConsole } from "./fifo.ts";
import { adoptGuests, forgetGuest, type Guest, startGuest, stopGuest } from "./guest.ts";
import { imagePath } from "./image.ts";
import type { Log } from "./log.ts";
import { listInheritable } from "./proc.ts";
import { refuseHost } from "./refuse.ts";
import type { Target } from "./statistics.ts";
import { Taps } from "./tap.ts";

export interface LauncherOptions {
  readonly dbdir: string;
  readonly tmpdir: string;
  /** Whether guests get a uid of their own; only root can do that. */
  readonly cage: boolean;
  /** Milliseconds from SIGTERM to SIGKILL. */
  readonly grace: number;
  /** Whether `--name` tells a guest its label alone. */
  readonly dropPath: boolean;
  readonly log: Log;
  /** A piece of a guest's console output. */
  readonly output: (name: Name, bytes: Uint8Array) => void;
  /** A guest's console is open. */
  readonly opened: (name: Name) => void;
  /** A guest runs, and can be measured; then it has ended. */
  readonly started: (name: Name, target: Target) => void;
  readonly ended: (name: Name, target: Target) => void;
}

/** What one guest has of the host. */
interface Loan {
  readonly name: Name;
  readonly uid?: number;
  readonly taps: readonly string[];
  readonly blocks: readonly Name[];
  readonly console?: ConsoleInput;
}

interface Running {
  readonly guest: Guest;
  readonly over: Promise<void>;
}

export class Launcher {
  readonly #options: LauncherOptions;
  readonly #uids: UidPool = new UidPool();
  readonly #taps: Taps;
  /** The store is open by now; all that is opened later is Node's. */
  readonly #inheritable: readonly number[] = listInheritable();
  readonly #running: Map<number, Running> = new Map();
  readonly #starting: Set<Promise<unknown>> = new Set();
  #closing = false;

  constructor(options: LauncherOptions) {
    this.#options = options;
    this.#taps = new Taps(tapTag(options.dbdir));
  }

  /** Makes sure that guests can open what their tenders need. @returns what is wrong with it, where something is */
  prepareDevices(): readonly string[] {
    const faults = this.#options.cage ? [openTun(), openKvm()] : [];
    return [...faults, this.#taps.offloadFault].filter((fault) => fault !== undefined);
  }

  /** Ends what an earlier daemon left running, and removes its consoles and taps: everything is started anew. */
  async clean(): Promise<void> {
    const { log, grace } = this.#options;
    const left = await adoptGuests(this.#runDir);
    if (!left.ok) log.warn({ error: left.error }, "cannot look for guests of an earlier daemon");
    const found = left.ok ? left.value : [];
    await Promise.all(
      found.map(async (one) => {
        if (one.kind === "ended") return forgetGuest(this.#runDir, one.name);
        const { guest } = one;
        log.info({ target: printName(guest.name), pid: guest.identity.pid }, "ending a guest of an earlier daemon");
        const stopped = await stopGuest(guest, grace);
        if (stopped.ok) forgetGuest(this.#runDir, guest.name);
        else log.error({ target: printName(guest.name), error: stopped.error }, "cannot stop a guest");
      }),
    );
    await rm(this.#fifoDir, { recursive: true, force: true });
    const taps = await this.#taps.list();
    if (taps.ok) await this.#taps.remove(taps.value);
  }

  /**
   * Starts a tender.
   *
   * @param ended - called once, when the guest has ended and given everything back
   */
  async start(
    run: number,
    name: Name,
    incarnation: Incarnation,
    ended: (status: ExitStatus) => void,
  ): Promise<Result<void, Refusal>> {
    if (this.#closing) return err({ kind: "shutting-down" });
    const starting = this.#start(run, name, incarnation, ended);
    this.#starting.add(starting);
    try {
      return await starting;
    } finally {
      this.#starting.delete(starting);
    }
  }

  async #start(
    run: number,
    name: Name,
    incarnation: Incarnation,
    ended: (status: ExitStatus) => void,
  ): Promise<Result<void, Refusal>> {
    const loan = await this.#lend(name, incarnation);
    if (!loan.ok) return loan;
    const argv = cageArgv(this.#cageOf(loan.value, incarnation), this.#words(loan.value, incarnation));
    const guest = await startGuest({
      name,
      argv,
      fifo: loan.value.console?.path ?? "",
      runDir: this.#runDir,
      note: JSON.stringify({ uid: loan.value.uid, taps: loan.value.taps }),
      inheritable: this.#inheritable,
    });
    if (!guest.ok) {
      await this.#takeBack(loan.value);
      return err(refuseHost("starting the tender", guest.error));
    }
    const target = { process: guest.value.identity, network: networkOf(loan.value, incarnation) };
    this.#options.started(name, target);
    const over = this.#watch(run, guest.value, loan.value, (status) => {
      this.#options.ended(name, target);
      ended(status);
    });
    this.#running.set(run, { guest: guest.value, over });
    return ok(undefined);
  }

  /** Stops a guest; `ended` tells when that is done. */
  stop(run: number): void {
    const running = this.#running.get(run);
    if (running === undefined) return;
    const { log, grace } = this.#options;
    void stopGuest(running.guest, grace).then((stopped) => {
      if (!stopped.ok)
        log.error({ target: printName(running.guest.name), error: stopped.error }, "cannot stop a guest");
    });
  }

  /** Stops all guests, and waits until they have ended. */
  async close(): Promise<void> {
    this.#closing = true;
    await Promise.allSettled(this.#starting);
    while (this.#running.size > 0) {
      for (const run of this.#running.keys()) this.stop(run);
      await Promise.all([...this.#running.values()].map(({ over }) => over));
    }
  }

  get #runDir(): string {
    return join(this.#options.tmpdir, "guest");
  }

  get #fifoDir(): string {
    return join(this.#options.tmpdir, "fifo");
  }

  async #watch(run: number, guest: Guest, loan: Loan, ended: (status: ExitStatus) => void): Promise<void> {
    const status = await guest.exited;
    await this.#takeBack(loan);
    forgetGuest(this.#runDir, guest.name);
    this.#running.delete(run);
    ended(status);
  }

  /** Everything that the guest needs of the host, or nothing. */
  async #lend(name: Name, { devices }: Incarnation): Promise<Result<Loan, Refusal>> {
    const uid = this.#options.cage ? this.#uids.take() : undefined;
    if (this.#options.cage && uid === undefined)
      return err(refuseHost("finding a user id", { kind: "uids-exhausted" }));
    let loan: Loan = { name, taps: [], blocks: [], ...(uid === undefined ? {} : { uid }) };
    const fail = async (refusal: Refusal): Promise<Result<Loan, Refusal>> => {
      await this.#takeBack(loan);
      return err(refusal);
    };
    const bridges = devices.flatMap((device) => (device.kind === "net" ? [device.bridge] : []));
    if (bridges.length > 0) {
      const taps = await this.#taps.create(bridges, uid ?? geteuid?.() ?? 0);
      if (!taps.ok) return fail(refuseHost("making the network devices", taps.error));
      loan = { ...loan, taps: taps.value.map(({ tap }) => tap) };
    }
    for (const device of devices) {
      if (device.kind !== "block" || uid === undefined) continue;
      const lent = await lendBlock(this.#options.dbdir, device.name, uid, uid);
      if (!lent.ok) return fail(refuseHost("lending the block device", lent.error));
      loan = { ...loan, blocks: [...loan.blocks, device.name] };
    }
    const console = await openConsole(this.#fifoDir, name, (bytes) => this.#options.output(name, bytes));
    if (!console.ok) return fail(refuseHost("opening the console", console.error));
    this.#options.opened(name);
    return ok({ ...loan, console: console.value });
  }

  async #takeBack(loan: Loan): Promise<void> {
    const { log, dbdir } = this.#options;
    const target = printName(loan.name);
    await loan.console?.release();
    for (const block of loan.blocks) {
      const back = await takeBackBlock(dbdir, block);
      if (!back.ok) log.error({ target, error: back.error }, "cannot take a block device back");
    }
    const removed = await this.#taps.remove(loan.taps);
    if (!removed.ok) log.error({ target, error: removed.error }, "cannot remove a guest's taps");
    if (loan.uid !== undefined) this.#uids.release(loan.uid);
  }

  /** What `--name` tells a guest. */
  #told(name: Name): string {
    const { label = "", path } = name;
    return this.#options.dropPath ? label : [...path, label].join(":");
  }

  #cageOf({ uid }: Loan, { tender }: Incarnation): Cage {
    if (uid === undefined) return { kind: "same-user" };
    const needsKvm = tender.kind === "hvt" || tender.accel === "kvm";
    return { kind: "own-user", uid, gid: (needsKvm ? kvmGroup() : undefined) ?? uid };
  }

  #words({ name, taps }: Loan, { config, digest, tender, devices }: Incarnation): readonly string[] {
    const { dbdir } = this.#options;
    const left = [...taps];
    return tenderArguments({
      kind: tender.kind,
      tender: tender.path,
      ...(tender.accel === undefined ? {} : { accel: tender.accel }),
      cpuids: config.cpuids,
      memory: config.memory,
      devices: devices.map((device) => {
        if (device.kind === "net")
          return { kind: "net", device: device.device, tap: left.shift() ?? "", mac: device.mac };
        const { sectorSize } = device;
        const file = blockPath(dbdir, device.name);
        return { kind: "block", device: device.device, file, ...(sectorSize === undefined ? {} : { sectorSize }) };
      }),
      image: imagePath(dbdir, digest),
      arguments: guestArguments(this.#told(name), config.addName, config.arguments),
    });
  }
}

/** The guest's devices with their taps: so albatross tells them to who measures. */
function networkOf({ taps }: Loan, { devices }: Incarnation): Target["network"] {
  const names = devices.flatMap((device) => (device.kind === "net" ? [device.device] : []));
  return names.map((bridge, index) => ({ bridge, tap: taps[index] ?? "" }));
}

/** Tells this daemon's taps from another's: of two daemons each has a folder of its own. */
function tapTag(dbdir: string): string {
  return `fulmar-${createHash("sha256").update(dbdir).digest("hex").slice(0, 16)}`;
}
