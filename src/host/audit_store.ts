/**
 * Where the audit log lies in the store: segments by the number of their first
 * entry, and behind them the newest checkpoint.
 *
 * @module
 */
import { decodeCheckpoint, decodeSegment } from "../codec/audit.ts";
import type { Checkpoint, Segment } from "../core/audit.ts";
import type { Entry, Store } from "./store.ts";

export interface StoredSegment {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** Absent: it cannot be read. */
  readonly segment?: Segment;
}

/** Of the segment whose first entry has the number: keys are in the order of numbers. */
export function keyOf(number: number): string {
  return String(number).padStart(digits, "0");
}

/** Absent: there is none, or none that can be read. */
export function readCheckpoint(store: Store): Checkpoint | undefined {
  const [stored] = store.range("audit", headKey, 1, "up");
  const checkpoint = stored === undefined ? undefined : decodeCheckpoint(stored.value);
  return checkpoint?.ok ? checkpoint.value : undefined;
}

/** Segments from the one on that holds the entry, at most so many. */
export function readSegments(store: Store, from: number, limit: number): readonly StoredSegment[] {
  const [holding] = store.range("audit", keyOf(from), 1, "down");
  const stored = store.range("audit", holding?.key ?? keyOf(from), limit, "up");
  return stored.filter(({ key }) => key !== headKey).map(decoded);
}

/** Segments that begin before the entry, the newest first. */
export function readSegmentsBefore(store: Store, number: number, limit: number): readonly Segment[] {
  const stored = store.range("audit", keyOf(number - 1), limit, "down");
  return stored.flatMap((entry) => decoded(entry).segment ?? []);
}

function decoded({ key, value }: Entry): StoredSegment {
  const segment = decodeSegment(value);
  const common = { key, size: value.length };
  return segment.ok && segment.value.entries.length > 0 ? { ...common, segment: segment.value } : common;
}

/** Behind all segments. */
export const headKey = "head";

/** Of the largest number that a double holds exactly. */
const digits = 16;
