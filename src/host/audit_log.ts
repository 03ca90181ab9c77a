/**
 * The audit log as it is written: what is told waits in memory, and goes into
 * the store with the next transaction, whatever that is for.
 *
 * Invariant: an entry that was told before a change was given to the store is
 * in the change's transaction or in an earlier one. What records no change
 * waits for a second at most, and is left out, counted, where there is too much.
 *
 * @module
 */
import { type KeyObject, randomFillSync } from "node:crypto";
import { encodeCheckpoint, encodeEntry, encodeSegment } from "../codec/audit.ts";
import type { AuditEntry, Checkpoint, Segment } from "../core/audit.ts";
import { AuditAllowance } from "../core/audit_allowance.ts";
import { type Path, parsePath } from "../core/name.ts";
import { headAfter, isSigned, noHead, signState } from "../x509/audit_chain.ts";
import { encodePublicKey } from "../x509/keys.ts";
import type { AuditKey } from "./audit_key.ts";
import { headKey, keyOf, readCheckpoint, readSegments, readSegmentsBefore } from "./audit_store.ts";
import type { Change, Journal, Store } from "./store.ts";

/** What is told: the log adds the time. */
export type Told = Omit<AuditEntry, "time">;

interface Waiting {
  readonly entry: AuditEntry;
  /** Absent: it records a change. */
  readonly delegate?: string;
}

export class AuditLog implements Journal {
  readonly #store: Store;
  readonly #key: KeyObject;
  /** Bytes. */
  readonly #most: number;
  readonly #allowance = new AuditAllowance();
  /** As stored. */
  #checkpoint: Checkpoint;
  #waiting: Waiting[] = [];
  #sealed: { readonly taken: ReadonlySet<Waiting>; readonly checkpoint: Checkpoint } | undefined;
  #flush: () => Promise<unknown> = () => Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #delay = usualDelay;

  /**
   * Goes on with the log that the store holds; what is not as it was left is said in its next entry.
   *
   * @param most - bytes that are kept; older entries go
   */
  constructor(store: Store, { key, begun }: AuditKey, most: number) {
    this.#store = store;
    this.#key = key;
    this.#most = most;
    const { checkpoint, damage } = find(store, key, begun);
    this.#checkpoint = checkpoint;
    if (damage !== undefined) this.tell({ ...daemonItself, outcome: { kind: "damaged", ...damage } });
  }

  /** The newest one that is stored. */
  get checkpoint(): Checkpoint {
    return this.#checkpoint;
  }

  get damaged(): boolean {
    return this.#waiting.some(({ entry }) => entry.outcome.kind === "damaged");
  }

  /** @param flush - has the store make a transaction */
  start(flush: () => Promise<unknown>): void {
    this.#flush = flush;
    this.tell({ ...daemonItself, command: "start", outcome: { kind: "done" } });
  }

  close(): void {
    this.tell({ ...daemonItself, command: "stop", outcome: { kind: "done" } });
    clearTimeout(this.#timer);
  }

  /** Something was changed, or is about to be: the entry goes with the next transaction. */
  tell(told: Told): void {
    const entry = { ...told, time: Date.now() };
    if (told.actor.kind === "chain" && told.actor.levels.length > 0)
      this.#allowance.charge(told.name.path[0] ?? "", entry.time);
    if (this.#waiting.length < 2 * maxWaiting) this.#waiting.push({ entry });
    else this.#allowance.count(told.name.path[0] ?? "");
    this.#arm();
  }

  /**
   * Nothing was changed.
   *
   * @param delegate - the first-level one who asked; local clients share one
   * @param told - made only where it is written
   */
  note(delegate: string, told: () => Told): void {
    const time = Date.now();
    if (this.#allowance.take(delegate, time)) {
      if (this.#waiting.length < maxWaiting) this.#waiting.push({ entry: { ...told(), time }, delegate });
      else this.#allowance.count(delegate);
    }
    this.#arm();
  }

  /** Milliseconds that the delegate waits before he asks for anything more: he has changed so much lately. */
  pause(delegate: string): number {
    return this.#allowance.pause(delegate, Date.now());
  }

  seal(pressing: boolean): readonly Change[] {
    if (!pressing) this.#waiting.push(...this.#allowance.counted().map(([whose, count]) => counted(whose, count)));
    const few = pressing && this.#waiting.length > maxKept;
    const taken = few ? this.#waiting.filter(({ delegate }) => delegate === undefined) : this.#waiting;
    if (taken.length === 0) return [];
    const { number, head, bytes, first, before } = this.#checkpoint;
    const added = segmentsOf(
      taken.map(({ entry }) => entry),
      number,
      head,
    );
    const size = added.changes.reduce((sum, { value }) => sum + value.length, 0);
    const removed = this.#roll(size);
    const checkpoint = signState(this.#key, {
      number: number + taken.length,
      head: added.head,
      first: removed.first ?? first,
      before: removed.before ?? before,
      bytes: bytes - removed.bytes + size,
      time: Date.now(),
    });
    this.#sealed = { taken: new Set(taken), checkpoint };
    const newest = { table: "audit", key: headKey, value: encodeCheckpoint(checkpoint) } as const;
    return [...removed.changes, ...added.changes, newest];
  }

  settle(stored: boolean): void {
    const sealed = this.#sealed;
    this.#sealed = undefined;
    if (sealed === undefined) return;
    if (stored) {
      this.#waiting = this.#waiting.filter((waiting) => !sealed.taken.has(waiting));
      this.#checkpoint = sealed.checkpoint;
      this.#delay = usualDelay;
    } else {
      this.#shed();
      this.#delay = Math.min(this.#delay * 2, longestDelay);
    }
    if (this.#waiting.length > 0) this.#arm();
  }

  /** Segments from the one on that holds the entry, at most so many; those that rolled away are not there. */
  read(from: number, limit: number): readonly Segment[] {
    return readSegments(this.#store, from, limit).flatMap(({ segment }) => segment ?? []);
  }

  /** Segments before the entry, the newest first. */
  readBefore(number: number, limit: number): readonly Segment[] {
    return readSegmentsBefore(this.#store, number, limit);
  }

  /** The oldest segments that go, so that those that stay and `added` bytes are within the most. */
  #roll(added: number): Rolled {
    const { bytes } = this.#checkpoint;
    if (bytes + added <= this.#most) return { bytes: 0, changes: [] };
    const oldest = readSegments(this.#store, 0, maxRolled + 1);
    const changes: Change[] = [];
    let gone = 0;
    for (const { key, size } of oldest.slice(0, -1)) {
      if (bytes + added - gone <= this.#most) break;
      changes.push({ table: "audit", key });
      gone += size;
    }
    const next = oldest[changes.length]?.segment;
    if (next === undefined || changes.length === 0) return { bytes: 0, changes: [] };
    return { bytes: gone, changes, first: next.first, before: next.before };
  }

  /** What the store could not take: changes stay and wait, the others are counted. */
  #shed(): void {
    const kept = this.#waiting.filter(({ delegate }) => delegate === undefined).slice(0, maxKept);
    for (const { entry, delegate = "" } of this.#waiting.filter((waiting) => !kept.includes(waiting))) {
      this.#allowance.count(delegate, entry.outcome.kind === "counted" ? entry.outcome.count : 1);
    }
    this.#waiting = kept;
  }

  #arm(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#flush();
    }, this.#delay).unref();
  }
}

interface Added {
  readonly changes: readonly { readonly table: "audit"; readonly key: string; readonly value: Uint8Array }[];
  /** The head after them. */
  readonly head: Uint8Array;
}

/** Entries behind entry `number`, whose head is `before`. */
function segmentsOf(entries: readonly AuditEntry[], number: number, before: Uint8Array): Added {
  const salts = randomFillSync(Buffer.alloc(saltLength * entries.length));
  const changes: Added["changes"][number][] = [];
  let head = before;
  for (let at = 0; at < entries.length; at += maxSegment) {
    const segment: Segment = {
      first: number + at + 1,
      before: head,
      entries: entries.slice(at, at + maxSegment).map((entry, index) => {
        const salt = salts.subarray((at + index) * saltLength, (at + index + 1) * saltLength);
        return { kind: "whole", bytes: encodeEntry(entry, salt) };
      }),
    };
    head = headAfter(segment);
    changes.push({ table: "audit", key: keyOf(segment.first), value: encodeSegment(segment) });
  }
  return { changes, head };
}

interface Rolled {
  readonly bytes: number;
  readonly changes: readonly Change[];
  /** The oldest entry that is left, and the head before it; absent: nothing went. */
  readonly first?: number;
  readonly before?: Uint8Array;
}

interface Found {
  readonly checkpoint: Checkpoint;
  readonly damage?: { readonly expected: number; readonly found: number };
}

/** The log as it was left, or where it is not that, what can be gone on from. */
function find(store: Store, key: KeyObject, begun: boolean): Found {
  const signed = readCheckpoint(store);
  const [last] = readSegmentsBefore(store, Number.MAX_SAFE_INTEGER, 1);
  const found = last === undefined ? 0 : last.first + last.entries.length - 1;
  const head = last === undefined ? noHead : headAfter(last);
  if (signed !== undefined && isOurs(signed, key)) {
    const whole = found === signed.number && Buffer.compare(head, signed.head) === 0;
    if (whole) return { checkpoint: signed };
    const number = Math.max(found, signed.number);
    return { checkpoint: { ...signed, number }, damage: { expected: signed.number, found } };
  }
  const segments = readSegments(store, 0, Number.MAX_SAFE_INTEGER);
  const bytes = segments.reduce((sum, { size }) => sum + size, 0);
  const [first] = segments.flatMap(({ segment }) => segment ?? []);
  const from = { first: first?.first ?? 1, before: first?.before ?? noHead };
  const checkpoint = { number: found, head, ...from, bytes, time: 0, key: encodePublicKey(key), signature: noHead };
  return begun || segments.length > 0 ? { checkpoint, damage: { expected: 0, found } } : { checkpoint };
}

function isOurs(checkpoint: Checkpoint, key: KeyObject): boolean {
  return Buffer.compare(checkpoint.key, encodePublicKey(key)) === 0 && isSigned(checkpoint);
}

function counted(delegate: string, count: number): Waiting {
  const path = parsePath(delegate);
  const name: { readonly path: Path } = { path: path.ok ? path.value : [] };
  const outcome = { kind: "counted", count } as const;
  return { entry: { ...daemonItself, name, time: Date.now(), outcome }, delegate };
}

const daemonItself = { actor: { kind: "daemon" }, name: { path: [] }, policies: [] } as const;

/** Bytes that nobody guesses. */
const saltLength = 16;

/** Milliseconds that what records no change waits for the disk; and after failures. */
const usualDelay = 1000;
const longestDelay = 60_000;

/** Entries that wait at once, half a megabyte: thirty delegates who each flood. Twice that where changes wait for a slow disk. */
const maxWaiting = 3000;

/** Entries that wait while the disk is full, and that go with a removal: they must fit into the store's reserve. */
const maxKept = 500;

/** Entries stored as one: a message with them stays below its limit however long their names are (7 kB an entry). */
const maxSegment = 100;

/** Segments that go at once: more than come. */
const maxRolled = 64;
