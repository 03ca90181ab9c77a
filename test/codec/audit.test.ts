import fc from "fast-check";
import { expect } from "vitest";
import {
  decodeCheckpoint,
  decodeEntry,
  decodeSegment,
  encodeCheckpoint,
  encodeEntry,
  encodeSegment,
} from "../../src/codec/audit.ts";
import { decodeWire, encodeWire } from "../../src/codec/wire.ts";
import type {
  Actor,
  AuditEntry,
  AuditItem,
  AuditOutcome,
  AuditQuery,
  Checkpoint,
  Sealed,
} from "../../src/core/audit.ts";
import { property } from "../core/property.ts";
import { mutated, name, time } from "./arbitrary.ts";

const natural = fc.oneof(fc.nat(3), fc.maxSafeNat());
const sha256 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const bytes = fc.uint8Array({ maxLength: 80 });
const word = fc.string({ maxLength: 20 });
const path = name.map((one) => one.path);

const actor: fc.Arbitrary<Actor> = fc.oneof(
  fc.record({ kind: fc.constant("chain" as const), levels: fc.array(sha256, { maxLength: 3 }), leaf: sha256 }),
  fc.record(
    { kind: fc.constant("local" as const), peer: fc.record({ uid: natural, pid: natural }) },
    { requiredKeys: ["kind"] },
  ),
  fc.record({ kind: fc.constant("endpoint" as const), address: word, leaf: sha256 }, { requiredKeys: ["kind"] }),
  fc.constant({ kind: "daemon" as const }),
);

const outcome: fc.Arbitrary<AuditOutcome> = fc.oneof(
  fc.record({ kind: fc.constantFrom("begun" as const, "done" as const) }),
  fc.record({ kind: fc.constant("refused" as const), reason: word, at: path }, { requiredKeys: ["kind", "reason"] }),
  fc.record({ kind: fc.constant("counted" as const), count: natural }),
  fc.record({ kind: fc.constant("damaged" as const), expected: natural, found: natural }),
);

const entry: fc.Arbitrary<AuditEntry> = fc.record(
  { time, actor, name, command: word, policies: fc.array(path, { maxLength: 3 }), outcome },
  { requiredKeys: ["time", "actor", "name", "policies", "outcome"] },
);

const whole = fc.tuple(entry, bytes).map(([one, salt]): Sealed => ({ kind: "whole", bytes: encodeEntry(one, salt) }));
const sealed = fc.oneof(whole, fc.record({ kind: fc.constant("veiled" as const), digest: sha256 }));
const segment = fc.record({ first: natural, before: sha256, entries: fc.array(sealed, { maxLength: 4 }) });

const checkpoint: fc.Arbitrary<Checkpoint> = fc.record({
  ...{ number: natural, head: sha256, first: natural, before: sha256, bytes: natural, time },
  ...{ key: bytes, signature: bytes },
});

const item: fc.Arbitrary<AuditItem> = fc.oneof(
  fc.record({ kind: fc.constant("entry" as const), number: natural, entry }),
  fc.record({ kind: fc.constant("checkpoint" as const), checkpoint }),
  fc.record({ kind: fc.constant("segment" as const), segment }),
);

const query: fc.Arbitrary<AuditQuery> = fc.record(
  { since: time, until: time, outcome: word, limit: natural, proof: fc.boolean() },
  { requiredKeys: ["proof"] },
);

const header = fc.record({ version: fc.constant(5 as const), sequence: fc.bigInt(0n, 9n), name });

property("decodeEntry gives what encodeEntry was given, whatever the salt", fc.tuple(entry, bytes), ([one, salt]) => {
  expect(decodeEntry(encodeEntry(one, salt))).toEqual({ ok: true, value: one });
});

property("decodeSegment gives what encodeSegment was given", segment, (one) => {
  expect(decodeSegment(encodeSegment(one))).toEqual({ ok: true, value: one });
});

property("decodeCheckpoint gives what encodeCheckpoint was given", checkpoint, (one) => {
  expect(decodeCheckpoint(encodeCheckpoint(one))).toEqual({ ok: true, value: one });
});

property(
  "decodeWire gives the audit log's items and questions back",
  fc.tuple(header, item, query),
  ([head, one, asked]) => {
    const data = { header: head, payload: { kind: "data", data: { kind: "audit", item: one } } } as const;
    expect(decodeWire(encodeWire(data))).toEqual({ ok: true, value: data });
    const command = { header: head, payload: { kind: "command", command: { kind: "audit", query: asked } } } as const;
    expect(decodeWire(encodeWire(command))).toEqual({ ok: true, value: command });
  },
);

property(
  "decoding mutated entries, segments and checkpoints gives one meaning for one encoding, or an error",
  mutated(fc.oneof(segment.map(encodeSegment), checkpoint.map(encodeCheckpoint))),
  (changed) => {
    const read = decodeSegment(changed);
    if (read.ok) expect(encodeSegment(read.value)).toEqual(changed);
    const state = decodeCheckpoint(changed);
    if (state.ok && !Number.isNaN(state.value.time))
      expect(decodeCheckpoint(encodeCheckpoint(state.value))).toEqual(state);
  },
);
