/**
 * What must survive: policies, how new those were that went, unikernels, locks,
 * revocation lists and the audit log, in LMDB at `<dbdir>/store`.
 *
 * Invariant: LMDB never meets a full disk, on which it rejects promises that
 * nobody holds and then corrupts the heap (lmdb 3.5.6). Its file is therefore
 * grown by zeros ahead of every commit, and where that fails nothing is
 * committed. Removals may use a reserve that additions leave alone, so that a
 * full disk hinders nobody from destroying.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { access, type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { open as openDatabase, type RootDatabase } from "lmdb";
import { err, ok, type Result } from "../core/result.ts";
import { attempt, type IoError, makeFolder } from "./io.ts";
import { readFolderSpace } from "./proc.ts";
import { run } from "./run.ts";

type Table = "policy" | "past" | "unikernel" | "lock" | "crl" | "audit";

export interface Entry {
  readonly key: string;
  readonly value: Uint8Array;
}

/** A new value for a key, or without one its removal. */
export interface Change {
  readonly table: Table;
  readonly key: string;
  readonly value?: Uint8Array;
}

export type StoreError =
  /** Another daemon has this folder. */
  | { readonly kind: "store-locked"; readonly path: string; readonly pid?: number }
  /** Bytes that the store needs to be large, and MB that the disk has left. */
  | { readonly kind: "store-full"; readonly needed: number; readonly free: number }
  /** LMDB failed in some other way; no commit is tried after that. */
  | { readonly kind: "store-failed"; readonly reason: string }
  | IoError;

/** Writes something along with every transaction, the same way or not at all. */
export interface Journal {
  /**
   * What goes with the transaction that is put together just now: nothing that was told later.
   *
   * @param pressing - it makes room, and may use the reserve: so little as may be
   */
  seal(pressing: boolean): readonly Change[];
  /** What became of it; none is put together meanwhile. */
  settle(stored: boolean): void;
}

export interface Store {
  /** All entries of a table, in no order that means anything. */
  load(table: Table): readonly Entry[];
  /** At most so many entries of a table by their keys, from this one upwards, or downwards. */
  range(table: Table, from: string, limit: number, direction: "up" | "down"): readonly Entry[];
  /** From now on, every transaction is the journal's, too. */
  keep(journal: Journal): void;
  /** All changes or none; resolves when they are on the disk. Those that wait for the same write share its fate. */
  commit(changes: readonly Change[]): Promise<Result<void, StoreError>>;
  /** Waits for what is being written, and lets another daemon have the folder. */
  close(): Promise<void>;
}

/** Opens the store, and makes it at first; it stays ours until `close` or the end of this process. */
export async function openStore(dbdir: string): Promise<Result<Store, StoreError>> {
  const folder = join(dbdir, "store");
  const made = await attempt("create", folder, () => makeFolder(folder, 0o700));
  if (!made.ok) return made;
  const lock = await takeLock(join(folder, "daemon.lock"));
  if (!lock.ok) return lock;
  const database = openLmdb(folder);
  if (!database.ok) {
    await lock.value.close();
    return database;
  }
  const data = await attempt("open", folder, () => open(join(folder, "data.mdb"), "r+"));
  if (!data.ok) {
    await database.value.close();
    await lock.value.close();
    return data;
  }
  return ok(new LmdbStore(folder, database.value, data.value, lock.value));
}

/** Whether there is a store, without making one. */
export function findStore(dbdir: string): Promise<Result<void, IoError>> {
  const path = join(dbdir, "store", "data.mdb");
  return attempt("open", path, () => access(path));
}

type Database = RootDatabase<Buffer, string>;

class LmdbStore implements Store {
  readonly #folder: string;
  readonly #database: Database;
  readonly #data: FileHandle;
  readonly #lock: FileHandle;
  #waiting: { readonly changes: readonly Change[]; readonly done: (result: Result<void, StoreError>) => void }[] = [];
  #writing: Promise<void> | undefined;
  #failure: StoreError | undefined;
  #journal: Journal | undefined;

  constructor(folder: string, database: Database, data: FileHandle, lock: FileHandle) {
    this.#folder = folder;
    this.#database = database;
    this.#data = data;
    this.#lock = lock;
  }

  load(table: Table): readonly Entry[] {
    const range = this.#database.getRange({ start: `${table}:`, end: `${table};` });
    return [...range].map(({ value }) => decodeEntry(value));
  }

  range(table: Table, from: string, limit: number, direction: "up" | "down"): readonly Entry[] {
    const reverse = direction === "down";
    const start = placeOf(table, from);
    const range = this.#database.getRange({ start, end: reverse ? `${table}:` : `${table};`, reverse, limit });
    return [...range].map(({ value }) => decodeEntry(value));
  }

  keep(journal: Journal): void {
    this.#journal = journal;
  }

  commit(changes: readonly Change[]): Promise<Result<void, StoreError>> {
    return new Promise((done) => {
      this.#waiting.push({ changes, done });
      this.#writing ??= this.#writeWaiting();
    });
  }

  async close(): Promise<void> {
    await this.#writing;
    this.#failure ??= { kind: "store-failed", reason: "closed" };
    await this.#database.close();
    await this.#data.close();
    await this.#lock.close();
  }

  async #writeWaiting(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      const changes = group.flatMap((one) => one.changes);
      const pressing = changes.length > 0 && changes.every(({ value }) => value === undefined);
      const along = this.#journal?.seal(pressing) ?? [];
      const result = await this.#write([...changes, ...along], pressing);
      this.#journal?.settle(result.ok);
      for (const { done } of group) done(result);
    }
    this.#writing = undefined;
  }

  /** @param pressing - whether it may use the reserve */
  async #write(changes: readonly Change[], pressing: boolean): Promise<Result<void, StoreError>> {
    if (this.#failure !== undefined) return err(this.#failure);
    if (changes.length === 0) return ok(undefined);
    const grown = await this.#grow(changes, pressing);
    if (!grown.ok) return grown;
    const held: Promise<unknown>[] = [];
    try {
      const committed = this.#database.batch(() => {
        for (const change of changes) held.push(this.#apply(change));
      });
      const outcomes = await Promise.allSettled([committed, ...held]);
      await this.#database.flushed;
      const failed = outcomes.find((outcome) => outcome.status === "rejected");
      return failed === undefined ? ok(undefined) : this.#fail(failed.reason);
    } catch (thrown) {
      return this.#fail(thrown);
    }
  }

  #apply({ table, key, value }: Change): Promise<boolean> {
    const place = placeOf(table, key);
    return value === undefined ? this.#database.remove(place) : this.#database.put(place, encodeEntry(key, value));
  }

  #fail(thrown: unknown): Result<void, StoreError> {
    if (thrown instanceof Error && "commitError" in thrown && thrown.commitError instanceof Promise) {
      thrown.commitError.catch(() => {});
    }
    this.#failure = { kind: "store-failed", reason: thrown instanceof Error ? thrown.message : String(thrown) };
    return err(this.#failure);
  }

  /** Makes the file as large as the changes can make it at worst, unless it is. */
  async #grow(changes: readonly Change[], pressing: boolean): Promise<Result<void, StoreError>> {
    const used = readUsed(this.#database);
    const added = changes.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
    const copied = Math.min(changes.length * changeCost, used + changes.length * entryCost);
    const worst = used + 2 * added + copied + fixedCost;
    const needed = pressing ? worst : worst + reserve;
    const size = await attempt("measure", this.#folder, async () => (await this.#data.stat()).size);
    if (!size.ok || size.value >= needed) return size.ok ? ok(undefined) : size;
    const grown = await attempt("grow", this.#folder, () => writeZeros(this.#data, size.value, needed + growth));
    if (grown.ok) return grown;
    await attempt("shrink", this.#folder, () => this.#data.truncate(size.value));
    if (grown.error.code !== "ENOSPC" && grown.error.code !== "EDQUOT") return grown;
    return err({ kind: "store-full", needed, free: readFolderSpace(this.#folder).free });
  }
}

function openLmdb(folder: string): Result<Database, StoreError> {
  try {
    // Without overlapping sync a commit's promise resolves after the data is on the disk.
    return ok(
      openDatabase<Buffer, string>({ path: folder, encoding: "binary", overlappingSync: false, noSubdir: false }),
    );
  } catch (thrown) {
    return err({ kind: "store-failed", reason: thrown instanceof Error ? thrown.message : String(thrown) });
  }
}

/** Locks the file for as long as the handle is open: flock(1) locks our open file, of which it has a copy. */
async function takeLock(path: string): Promise<Result<FileHandle, StoreError>> {
  const opened = await attempt("open", path, () => open(path, "a+", 0o600));
  if (!opened.ok) return opened;
  const file = opened.value;
  const locked = await run(["flock", "-n", "3"], { fd: file.fd });
  if (!locked.ok) {
    const pid = Number(await file.readFile("latin1"));
    await file.close();
    if (locked.error.kind !== "program-failed") return err({ kind: "store-failed", reason: "flock is missing" });
    return err({ kind: "store-locked", path, ...(pid > 0 && { pid }) });
  }
  const written = await attempt("write", path, async () => {
    await file.truncate(0);
    await file.write(`${process.pid}\n`);
  });
  return written.ok ? ok(file) : written;
}

/** Bytes of the file that LMDB has ever used. */
function readUsed(database: Database): number {
  const { lastPageNumber, pageSize }: { lastPageNumber?: number; pageSize?: number } = database.getStats();
  return ((lastPageNumber ?? 0) + 1) * (pageSize ?? 4096);
}

async function writeZeros(file: FileHandle, from: number, to: number): Promise<void> {
  const zeros = new Uint8Array(64 * 1024);
  for (let at = from; at < to; ) {
    const { bytesWritten } = await file.write(zeros, 0, Math.min(zeros.length, to - at), at);
    at += bytesWritten;
  }
  await file.sync();
}

/** LMDB's key: names may be longer than it takes, so an entry spells its own. */
function placeOf(table: Table, key: string): string {
  const short = key.length <= maxPlainKey;
  return `${table}:${short ? key : `sha256-${createHash("sha256").update(key).digest("hex")}`}`;
}

function encodeEntry(key: string, value: Uint8Array): Buffer {
  const text = Buffer.from(key, "utf8");
  const head = Buffer.alloc(4);
  head.writeUInt32BE(text.length);
  return Buffer.concat([head, text, value]);
}

function decodeEntry(entry: Buffer): Entry {
  const start = 4 + entry.readUInt32BE(0);
  return { key: entry.toString("utf8", 4, start), value: Uint8Array.from(entry.subarray(start)) };
}

/** Characters; LMDB takes 1,978 bytes. No name is as short as the hash of a longer one: names have colons. */
const maxPlainKey = 400;

/** Pages that one change may copy: the path to its leaf in a tree far deeper than ours (4 KiB each). */
const changeCost: number = 16 * 4096;

/** What one small change of very many adds at worst, where all pages are copied anyway: two pages of its own. */
const entryCost: number = 2 * 4096;

/** Pages that a commit copies whatever it changes: roots, the list of free pages. */
const fixedCost: number = 64 * 4096;

/** Bytes that only removals may use. */
const reserve: number = 1024 * 1024;

/** Bytes that the file grows by at once. */
const growth: number = 2 * 1024 * 1024;
