/**
 * What a guest has of the host: a user, taps, block files, a console. Lent
 * before it starts, taken back when it has ended, and known again by a daemon
 * that finds it running.
 *
 * All that is lent is given back exactly once, whichever step failed.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { geteuid } from "node:process";
import { type Name, printName } from "../core/name.ts";
import type { Refusal } from "../core/refusal.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { Incarnation } from "../core/state.ts";
import { lendBlock, reclaimBlocks, takeBackBlock } from "./block.ts";
import { firstUid, UidPool } from "./cage.ts";
import { type Cell, type CellPlaces, Cells, dissolveCells, openCells } from "./cell.ts";
import { openKvm, openTun } from "./devices.ts";
import { type ConsoleInput, openConsole, removeConsole, removeConsoles } from "./fifo.ts";
import type { IoError } from "./io.ts";
import type { Log } from "./log.ts";
import { refuseHost } from "./refuse.ts";
import type { Target } from "./statistics.ts";
import { Taps } from "./tap.ts";

export interface LenderOptions extends CellPlaces {
  /** Whether guests get a uid of their own; only root can do that. */
  readonly cage: boolean;
  readonly log: Log;
  /** A piece of a guest's console output. */
  readonly output: (name: Name, bytes: Uint8Array) => void;
  /** A guest's console is open. */
  readonly opened: (name: Name) => void;
}

/** What one guest has of the host. */
export interface Loan {
  readonly name: Name;
  readonly uid?: number;
  readonly taps: readonly string[];
  readonly blocks: readonly Name[];
  readonly console?: ConsoleInput;
}

export class Lender {
  readonly #options: LenderOptions;
  readonly #uids: UidPool;
  readonly #taps: Taps;
  /** Of this daemon's taps and cgroups. */
  readonly #tag: string;
  #cells: Cells;

  constructor(options: LenderOptions) {
    this.#options = options;
    // Of two daemons each has a folder of its own.
    const number = createHash("sha256").update(options.dbdir).digest();
    this.#uids = new UidPool(firstUid(number.readUInt32BE()));
    this.#tag = `fulmar-${number.toString("hex", 0, 8)}`;
    this.#taps = new Taps(this.#tag, (uid) => this.#uids.has(uid));
    this.#cells = new Cells(options.dbdir, undefined, undefined);
  }

  /** Makes sure that guests can open what their tenders need. @returns what is wrong with it, where something is */
  prepareDevices(): readonly string[] {
    const faults = this.#options.cage ? [openTun(), openKvm()] : [];
    return [...faults, this.#taps.offloadFault].filter((fault) => fault !== undefined);
  }

  /** Finds out of what this host lets the guests' cells be made, and says what is missing. */
  async prepareCells(): Promise<void> {
    const { cage, log } = this.#options;
    if (!cage) return;
    const { cells, faults } = await openCells(this.#options, this.#tag);
    this.#cells = cells;
    for (const fault of faults) log.warn(fault, "the cage of guests is less than it could be");
  }

  /** What the guest is started in, with the tender's command line; `takeBack` takes it away again. */
  cellOf({ name, uid }: Loan, incarnation: Incarnation, words: readonly string[]): Promise<Result<Cell, IoError>> {
    return this.#cells.create({ name, incarnation, words, ...(uid === undefined ? {} : { uid }) });
  }

  /** Everything that the guest needs of the host, or nothing. */
  async lend(name: Name, { devices }: Incarnation): Promise<Result<Loan, Refusal>> {
    const uid = this.#options.cage ? this.#uids.take() : undefined;
    if (this.#options.cage && uid === undefined)
      return err(refuseHost("finding a user id", { kind: "uids-exhausted" }));
    let loan: Loan = { name, taps: [], blocks: [], ...(uid === undefined ? {} : { uid }) };
    const fail = async (refusal: Refusal): Promise<Result<Loan, Refusal>> => {
      await this.takeBack(loan);
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
    const console = await this.#listen(name);
    return console.ok
      ? ok({ ...loan, console: console.value })
      : fail(refuseHost("opening the console", console.error));
  }

  /** A guest's loan from an earlier daemon is ours from here on; its console is not read yet. */
  claim(loan: Loan): void {
    if (loan.uid !== undefined) this.#uids.claim(loan.uid);
    this.#taps.claim(loan.taps);
  }

  /** Reads the console of a guest that runs already, what it printed while no daemon did first. */
  async resume(loan: Loan): Promise<Loan> {
    const console = await this.#listen(loan.name);
    if (console.ok) return { ...loan, console: console.value };
    this.#options.log.error({ target: printName(loan.name), error: console.error }, "cannot read a guest's console");
    return loan;
  }

  async takeBack(loan: Loan): Promise<void> {
    const { log, dbdir } = this.#options;
    const target = printName(loan.name);
    await (loan.console?.release() ?? removeConsole(this.#fifoDir, loan.name));
    for (const block of loan.blocks) {
      const back = await takeBackBlock(dbdir, block);
      if (!back.ok) log.error({ target, error: back.error }, "cannot take a block device back");
    }
    const left = await this.#cells.remove(loan.name);
    if (!left.ok) log.error({ target, error: left.error }, "cannot remove a guest's cgroup");
    const removed = await this.#taps.remove(loan.taps);
    if (!removed.ok) log.error({ target, error: removed.error }, "cannot remove a guest's taps");
    if (loan.uid !== undefined) this.#uids.release(loan.uid);
  }

  /** Takes back what earlier daemons lent to guests that are no more: all but what these have. */
  async tidy(kept: readonly Loan[]): Promise<void> {
    const { log, dbdir } = this.#options;
    const consoles = await removeConsoles(
      this.#fifoDir,
      kept.map(({ name }) => name),
    );
    if (!consoles.ok) log.warn({ error: consoles.error }, "cannot remove the consoles of an earlier daemon");
    const blocks = await reclaimBlocks(
      dbdir,
      kept.flatMap((loan) => loan.blocks),
    );
    if (!blocks.ok) log.warn({ error: blocks.error }, "cannot take back the block devices of an earlier daemon");
    const held = new Set(kept.flatMap(({ taps }) => taps));
    const taps = await this.#taps.list();
    if (taps.ok) await this.#taps.remove(taps.value.filter((tap) => !held.has(tap)));
  }

  /** Nothing is lent any more, and nothing will be. */
  async close(): Promise<void> {
    const { cage, log } = this.#options;
    const dissolved = cage ? await dissolveCells(this.#options, this.#tag) : ok(undefined);
    if (!dissolved.ok) log.warn({ error: dissolved.error }, "cannot remove the guests' cgroups");
  }

  #listen(name: Name): ReturnType<typeof openConsole> {
    const opened = openConsole(this.#fifoDir, name, (bytes) => this.#options.output(name, bytes));
    return opened.then((console) => {
      if (console.ok) this.#options.opened(name);
      return console;
    });
  }

  get #fifoDir(): string {
    return join(this.#options.tmpdir, "fifo");
  }
}

/** The guest's devices with their taps: so albatross tells them to who measures. */
export function networkOf({ taps }: Loan, incarnation: Incarnation | undefined): Target["network"] {
  const devices = incarnation?.devices ?? [];
  const names = devices.flatMap((device) => (device.kind === "net" ? [device.device] : []));
  return names.map((bridge, index) => ({ bridge, tap: taps[index] ?? "" }));
}
