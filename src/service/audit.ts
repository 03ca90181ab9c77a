/**
 * The audit log for who asks: the entries about what is at and below a name, or
 * the whole log with all others as their hashes, so that it can be verified.
 *
 * @module
 */

import { decodeEntry } from "../codec/audit.ts";
import { encodeMessage, type Header } from "../codec/wire.ts";
import { type AuditItem, type AuditQuery, matches, type Sealed, type Segment, sees } from "../core/audit.ts";
import type { Name } from "../core/name.ts";
import type { AuditLog } from "../host/audit_log.ts";
import { digestOf } from "../x509/audit_chain.ts";
import type { Connection } from "./connection.ts";

export class AuditReaders {
  readonly #log: AuditLog;
  readonly #flush: () => Promise<void>;
  /** By first-level delegate; local ones share the empty one. */
  readonly #reading: Map<string, number> = new Map();

  /** @param flush - has what waits for the store written */
  constructor(log: AuditLog, flush: () => Promise<void>) {
    this.#log = log;
    this.#flush = flush;
  }

  /** Sends what is asked for, then a success without a word; as slowly as the client reads. */
  async serve(connection: Connection, header: Header, query: AuditQuery): Promise<void> {
    const [whose = ""] = header.name.path;
    const others = this.#reading.get(whose) ?? 0;
    if (others >= maxReaders) {
      return connection.fail(header, `${maxReaders} read the audit log already, more are not let in`);
    }
    this.#reading.set(whose, others + 1);
    try {
      await this.#flush();
      const sent = query.proof ? await this.#prove(connection, header) : await this.#list(connection, header, query);
      if (sent) connection.send(header, { kind: "success", success: { kind: "empty" } });
      else connection.fail(header, "the log has rolled on meanwhile, ask again");
    } finally {
      const left = (this.#reading.get(whose) ?? 1) - 1;
      if (left > 0) this.#reading.set(whose, left);
      else this.#reading.delete(whose);
    }
  }

  async #list(connection: Connection, header: Header, query: AuditQuery): Promise<boolean> {
    const wanted = (sealed: Sealed, number: number): AuditItem | undefined => find(header.name, query, sealed, number);
    const { number: last } = this.#log.checkpoint;
    const start = query.limit === undefined ? 0 : await this.#startOf(Math.max(1, query.limit), wanted);
    for (let from = Math.max(start, this.#log.checkpoint.first); from <= last; ) {
      const segments = this.#log.read(from, atOnce);
      if (segments.length === 0) break;
      for (const segment of segments) {
        const found = numbered(segment).filter(([, number]) => number >= from && number <= last);
        const items = found.flatMap(([sealed, number]) => wanted(sealed, number) ?? []);
        if (!(await send(connection, header, items))) return true;
      }
      from = Math.max(...segments.map(({ first, entries }) => first + entries.length));
      await rest();
    }
    return true;
  }

  /** The number of the entry from which on there are `limit` that are wanted; 0: there are not so many. */
  async #startOf(limit: number, wanted: (sealed: Sealed, number: number) => AuditItem | undefined): Promise<number> {
    let left = limit;
    let before = this.#log.checkpoint.number + 1;
    for (;;) {
      const segments = this.#log.readBefore(before, atOnce);
      const oldest = segments.at(-1);
      if (oldest === undefined) return 0;
      const found = segments.flatMap((segment) => numbered(segment).reverse()).filter((one) => wanted(...one));
      const last = found[left - 1];
      if (last !== undefined) return last[1];
      left -= found.length;
      before = oldest.first;
      await rest();
    }
  }

  /** @returns whether nothing of it rolled away before it was sent */
  async #prove(connection: Connection, header: Header): Promise<boolean> {
    const { checkpoint } = this.#log;
    if (!(await send(connection, header, [{ kind: "checkpoint", checkpoint }]))) return true;
    for (let from = checkpoint.first; from <= checkpoint.number; ) {
      const segments = this.#log.read(from, atOnce).filter(({ first }) => first <= checkpoint.number);
      if (this.#log.checkpoint.first > from) return false;
      if (segments.length === 0) break;
      for (const segment of segments) {
        if (!(await send(connection, header, [{ kind: "segment", segment: veil(header.name, segment) }]))) return true;
      }
      from = Math.max(...segments.map(({ first, entries }) => first + entries.length));
      await rest();
    }
    return true;
  }
}

/** The segment with what is not the reader's as its hash. */
function veil(reader: Name, segment: Segment): Segment {
  if (reader.path.length === 0 && reader.label === undefined) return segment;
  const entries = segment.entries.map((sealed): Sealed => {
    const entry = sealed.kind === "whole" ? decodeEntry(sealed.bytes) : undefined;
    const visible = entry?.ok === true && sees(reader, entry.value.name);
    return visible ? sealed : { kind: "veiled", digest: digestOf(sealed) };
  });
  return { ...segment, entries };
}

function find(reader: Name, query: AuditQuery, sealed: Sealed, number: number): AuditItem | undefined {
  const entry = sealed.kind === "whole" ? decodeEntry(sealed.bytes) : undefined;
  if (entry === undefined || !entry.ok) return undefined;
  const wanted = sees(reader, entry.value.name) && matches(query, entry.value);
  return wanted ? { kind: "entry", number, entry: entry.value } : undefined;
}

function numbered({ first, entries }: Segment): (readonly [Sealed, number])[] {
  return entries.map((sealed, index) => [sealed, first + index]);
}

/** @returns whether the client is still there, and has read */
async function send(connection: Connection, header: Header, items: readonly AuditItem[]): Promise<boolean> {
  const frames = items.map((item) =>
    encodeMessage({ header, payload: { kind: "data", data: { kind: "audit", item } } }),
  );
  if (frames.length > 0) connection.push(Buffer.concat(frames));
  return connection.drained();
}

/** Others have their turn. */
function rest(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Of one first-level delegate at once: each takes its turn of some milliseconds, again and again. */
const maxReaders = 4;

/** Segments that are read before others have their turn: at most 800 entries, of some 8 µs each. */
const atOnce = 8;
