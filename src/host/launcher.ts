/**
 * Starting, adopting and stopping guests: a guest that is lent what it needs
 * runs until it ends, under this daemon or the next, and then gives it back.
 *
 * What runs outlives the launcher: `leave` lets go of it, and the launcher of
 * the next daemon finds it again.
 *
 * @module
 */
import { encodeNote } from "../codec/note.ts";
import { type Name, printName } from "../core/name.ts";
import type { Refusal } from "../core/refusal.ts";
import type { ExitStatus } from "../core/restart.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { Incarnation } from "../core/state.ts";
import { guestArguments, tenderArguments } from "../core/tender.ts";
import { blockPath } from "./block.ts";
import { isCaging } from "./cage.ts";
import { type Guest, startGuest, stopGuest } from "./guest.ts";
import { forgetGuest, markStopping } from "./guest_files.ts";
import { imagePath, verifyImage } from "./image.ts";
import { attempt } from "./io.ts";
import { type Left, loanOf, runFolder } from "./left.ts";
import { Lender, type LenderOptions, type Loan, networkOf } from "./loan.ts";
import { isAlive, listInheritable } from "./proc.ts";
import { refuseHost } from "./refuse.ts";
import type { Target } from "./statistics.ts";

export interface LauncherOptions extends LenderOptions {
  /** Milliseconds from SIGTERM to SIGKILL. */
  readonly grace: number;
  /** Whether `--name` tells a guest its label alone. */
  readonly dropPath: boolean;
  /** A guest runs, and can be measured; then it has ended. */
  readonly started: (name: Name, target: Target) => void;
  readonly ended: (name: Name, target: Target) => void;
}

/** Hears of a guest's end, once it has given everything back; the guest is forgotten when that is dealt with. */
export type Ended = (status: ExitStatus) => Promise<void>;

interface Running {
  readonly guest: Guest;
  readonly loan: Loan;
  readonly over: Promise<void>;
  /** Whether it has ended, where it was told to. */
  stopping?: Promise<boolean>;
}

export class Launcher {
  readonly #options: LauncherOptions;
  readonly #lender: Lender;
  /** The store is open by now; all that is opened later is Node's. */
  readonly #inheritable: readonly number[] = listInheritable();
  readonly #running: Map<number, Running> = new Map();
  readonly #starting: Set<Promise<unknown>> = new Set();
  /** The run that a name's files in the run folder are of. */
  readonly #latest: Map<string, number> = new Map();
  /** What an earlier daemon left and nobody has decided about yet, and what is being cleared away. */
  readonly #left: Map<string, Left> = new Map();
  readonly #clearing: Map<string, Promise<boolean>> = new Map();
  #closing = false;
  #leaving = false;

  /** @param left - what an earlier daemon left, to be adopted or discarded one by one; nothing is done to it yet */
  constructor(left: readonly Left[], options: LauncherOptions) {
    this.#options = options;
    this.#lender = new Lender(options);
    for (const one of left) this.#left.set(printName(one.name), one);
  }

  /** Makes sure that guests can open what their tenders need, and frees what no guest has any more. @returns what is wrong */
  async prepare(): Promise<readonly string[]> {
    const loans = [...this.#left.values()].filter(({ guest }) => guest !== undefined).map(loanOf);
    for (const loan of loans) this.#lender.claim(loan);
    await this.#lender.tidy(loans);
    return this.#lender.prepareDevices();
  }

  /** Before anything is started: finds out of what this host lets cages be made. */
  async prepareCells(): Promise<void> {
    await this.#lender.prepareCells();
  }

  /**
   * Takes over a guest that runs.
   *
   * @param ended - called once, when the guest has ended and given everything back
   */
  async adopt(run: number, name: Name, ended: Ended): Promise<void> {
    const left = this.#left.get(printName(name));
    if (left?.guest === undefined) return;
    this.#left.delete(printName(name));
    this.#latest.set(printName(name), run);
    this.#watch(run, left.guest, await this.#lender.resume(loanOf(left)), left.note.incarnation, ended);
  }

  /** Ends what was found under this name, in the background. */
  discard(name: Name): void {
    void this.#clear(name);
  }

  /**
   * Starts a tender.
   *
   * @param ended - called once, when the guest has ended and given everything back
   * @returns when it was started, ms since the Unix epoch
   */
  async start(run: number, name: Name, incarnation: Incarnation, ended: Ended): Promise<Result<number, Refusal>> {
    if (this.#closing) return err({ kind: "shutting-down" });
    const starting = this.#start(run, name, incarnation, ended);
    this.#starting.add(starting);
    try {
      return await starting;
    } finally {
      this.#starting.delete(starting);
    }
  }

  async #start(run: number, name: Name, incarnation: Incarnation, ended: Ended): Promise<Result<number, Refusal>> {
    if (!(await this.#clear(name))) return err(refuseHost("ending the guest before it", { kind: "guest-unkillable" }));
    const sound = await checkImage(this.#options.dbdir, incarnation.digest);
    if (!sound.ok) return sound;
    this.#latest.set(printName(name), run);
    const loan = await this.#lender.lend(name, incarnation);
    if (!loan.ok) return loan;
    const started = Date.now();
    const guest = await this.#startWith(loan.value, incarnation, started);
    if (!guest.ok) {
      await this.#lender.takeBack(loan.value);
      return guest;
    }
    this.#watch(run, guest.value, loan.value, incarnation, ended);
    return ok(started);
  }

  async #startWith(loan: Loan, incarnation: Incarnation, started: number): Promise<Result<Guest, Refusal>> {
    const { name, uid, taps, console } = loan;
    const cell = await this.#lender.cellOf(loan, incarnation, this.#words(loan, incarnation));
    if (!cell.ok) return err(refuseHost("making the cage", cell.error));
    const guest = await startGuest({
      ...cell.value,
      name,
      fifo: console?.path ?? "",
      runDir: this.#runDir,
      note: encodeNote({ incarnation, started, taps, ...(uid === undefined ? {} : { uid }) }),
      inheritable: this.#inheritable,
    });
    return guest.ok ? guest : err(refuseHost("starting the tender", guest.error));
  }

  /** Stops a guest; `ended` tells when that is done. @returns whether it has ended */
  stop(run: number): Promise<boolean> {
    const running = this.#running.get(run);
    if (running === undefined) return Promise.resolve(true);
    running.stopping = this.#end(running.guest);
    return running.stopping;
  }

  /** The taps of a guest that runs, in the order of its network devices. */
  taps(run: number): readonly string[] {
    return this.#running.get(run)?.loan.taps ?? [];
  }

  /** Whether the tender of a run is there, and not only what makes its cage, or an end that is not known yet. */
  runs(run: number): boolean {
    const identity = this.#running.get(run)?.guest.identity;
    return identity === undefined || (isAlive(identity) && !isCaging(identity.pid));
  }

  /** Stops all guests, and waits until they have ended, or cannot be made to. */
  async close(): Promise<void> {
    this.#closing = true;
    await Promise.allSettled(this.#starting);
    for (const left of this.#left.values()) this.discard(left.name);
    await Promise.all(this.#clearing.values());
    await Promise.all(
      [...this.#running].map(async ([run, { over }]) => {
        if (await this.stop(run)) await over;
      }),
    );
    await this.#lender.close();
  }

  /** Lets go of all guests but those that are being stopped, whose end is waited for. */
  async leave(): Promise<void> {
    this.#closing = true;
    this.#leaving = true;
    await Promise.allSettled(this.#starting);
    const ending = [...this.#running].map(async ([run, { stopping, loan, over }]) => {
      if ((await stopping) === true) return over;
      this.#running.delete(run);
      loan.console?.close();
    });
    await Promise.all([...ending, ...this.#clearing.values()]);
  }

  get #runDir(): string {
    return runFolder(this.#options.tmpdir);
  }

  /** Ends what an earlier daemon left under a name. @returns whether nothing is left there */
  #clear(name: Name): Promise<boolean> {
    const key = printName(name);
    const left = this.#left.get(key);
    if (left === undefined) return this.#clearing.get(key) ?? Promise.resolve(true);
    this.#left.delete(key);
    const clearing = this.#endLeft(left).finally(() => this.#clearing.delete(key));
    this.#clearing.set(key, clearing);
    return clearing;
  }

  /** What one that has ended had of the host is taken back already. */
  async #endLeft(left: Left): Promise<boolean> {
    const { name, guest } = left;
    if (guest !== undefined) {
      this.#options.log.info(
        { target: printName(name), pid: guest.identity.pid },
        "ending a guest of an earlier daemon",
      );
      if (!(await this.#end(guest))) {
        this.#left.set(printName(name), left);
        return false;
      }
      await this.#lender.takeBack(loanOf(left));
    }
    forgetGuest(this.#runDir, name);
    return true;
  }

  /** @returns whether it has ended */
  async #end(guest: Guest): Promise<boolean> {
    const { log, grace } = this.#options;
    const target = printName(guest.name);
    const marked = await attempt("mark", this.#runDir, () => markStopping(this.#runDir, guest.name));
    if (!marked.ok) log.warn({ target, error: marked.error }, "the next daemon may take a guest's end for its own");
    const stopped = await stopGuest(guest, grace);
    if (!stopped.ok) log.error({ target, error: stopped.error }, "cannot stop a guest");
    return stopped.ok;
  }

  #watch(run: number, guest: Guest, loan: Loan, incarnation: Incarnation | undefined, ended: Ended): void {
    const { name, identity } = guest;
    const target = { process: identity, network: networkOf(loan, incarnation) };
    this.#options.started(name, target);
    const over = guest.exited.then(async (status) => {
      // One that was let go of belongs to the next daemon.
      if (!this.#running.has(run)) return;
      await this.#lender.takeBack(loan);
      this.#running.delete(run);
      this.#options.ended(name, target);
      await ended(status);
      if (this.#leaving || this.#latest.get(printName(name)) !== run) return;
      this.#latest.delete(printName(name));
      forgetGuest(this.#runDir, name);
    });
    this.#running.set(run, { guest, loan, over });
  }

  /** What `--name` tells a guest. */
  #told(name: Name): string {
    const { label = "", path } = name;
    return this.#options.dropPath ? label : [...path, label].join(":");
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

/** Whether an image is what it was when it came: it may have lain on the disk for years. */
async function checkImage(dbdir: string, digest: Uint8Array): Promise<Result<void, Refusal>> {
  const sound = await verifyImage(dbdir, digest);
  if (!sound.ok) return err(refuseHost("reading the image", sound.error));
  return sound.value ? ok(undefined) : err({ kind: "image-damaged" });
}
