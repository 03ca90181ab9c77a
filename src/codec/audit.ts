/**
 * The audit log in bytes: ours, tag 22 of Command, tag 17 of Data, and the store.
 *
 *     Entry ::= SEQUENCE { salt OCTET STRING, time GeneralizedTime, actor Actor, name Name, command [0] UTF8String OPTIONAL,
 *       policies SEQUENCE OF Name, outcome Outcome }
 *     Actor ::= CHOICE { chain [0] SEQUENCE { levels SEQUENCE OF Sha256, leaf Sha256 },
 *       local [1] SEQUENCE { peer SEQUENCE { uid Int, pid Int } OPTIONAL },
 *       endpoint [2] SEQUENCE { address [0] UTF8String OPTIONAL, leaf [1] Sha256 OPTIONAL }, daemon [3] NULL }
 *     Outcome ::= CHOICE { begun [0] NULL, done [1] NULL, refused [2] SEQUENCE { reason UTF8String, at [0] Name OPTIONAL },
 *       counted [3] Int, damaged [4] SEQUENCE { expected Int, found Int } }
 *     Segment ::= SEQUENCE { first Int, before Sha256, entries SEQUENCE OF CHOICE { whole [0] Entry, veiled [1] Sha256 } }
 *     Checkpoint ::= SEQUENCE { state State, key OCTET STRING, signature OCTET STRING }
 *     State ::= SEQUENCE { what UTF8String, number Int, head Sha256, first Int, before Sha256, bytes Int, time GeneralizedTime }
 *     Query ::= SEQUENCE { since [0] GeneralizedTime OPTIONAL, until [1] GeneralizedTime OPTIONAL,
 *       outcome [2] UTF8String OPTIONAL, limit [3] Int OPTIONAL, proof BOOLEAN }
 *     Item ::= CHOICE { entry [0] SEQUENCE { number Int, entry Entry }, checkpoint [1] Checkpoint, segment [2] Segment }
 *
 * The salt keeps an entry that is shown as its hash from being guessed.
 *
 * @module
 */
import type {
  Actor,
  AuditEntry,
  AuditItem,
  AuditOutcome,
  AuditQuery,
  Checkpoint,
  Sealed,
  Segment,
} from "../core/audit.ts";
import type { Path } from "../core/name.ts";
import { type Result, unreachable } from "../core/result.ts";
import { type DerError, decodeDer, type Reader } from "./der.ts";
import {
  boolean,
  type Der,
  encodeDer,
  encoded,
  explicit,
  integer,
  nul,
  octets,
  optionalExplicit,
  sequence,
  sequenceOf,
  text,
} from "./der_writer.ts";
import { readName, writeName } from "./name.ts";
import { readNatural } from "./number.ts";
import { readGeneralizedTime, writeGeneralizedTime } from "./time.ts";

export function encodeEntry(entry: AuditEntry, salt: Uint8Array): Uint8Array {
  return encodeDer(writeEntry(entry, salt));
}

export function decodeEntry(bytes: Uint8Array): Result<AuditEntry, DerError> {
  return decodeDer(bytes, readEntry);
}

export function encodeSegment(segment: Segment): Uint8Array {
  return encodeDer(writeSegment(segment));
}

export function decodeSegment(bytes: Uint8Array): Result<Segment, DerError> {
  return decodeDer(bytes, readSegment);
}

export function encodeCheckpoint(checkpoint: Checkpoint): Uint8Array {
  return encodeDer(writeCheckpoint(checkpoint));
}

export function decodeCheckpoint(bytes: Uint8Array): Result<Checkpoint, DerError> {
  return decodeDer(bytes, readCheckpoint);
}

/** What a checkpoint's signature is over. */
export function encodeState(checkpoint: CheckpointState): Uint8Array {
  return encodeDer(writeState(checkpoint));
}

export type CheckpointState = Omit<Checkpoint, "key" | "signature">;

export function writeQuery({ since, until, outcome, limit, proof }: AuditQuery): Der {
  return sequence(
    optionalExplicit(0, since, writeGeneralizedTime),
    optionalExplicit(1, until, writeGeneralizedTime),
    optionalExplicit(2, outcome, text),
    optionalExplicit(3, limit, integer),
    boolean(proof),
  );
}

export function readQuery(reader: Reader): AuditQuery {
  return reader.sequence((inside) => {
    const since = inside.optionalExplicit(0, readGeneralizedTime);
    const until = inside.optionalExplicit(1, readGeneralizedTime);
    const outcome = inside.optionalExplicit(2, (word) => word.utf8());
    const limit = inside.optionalExplicit(3, readNatural);
    return {
      ...(since === undefined ? {} : { since }),
      ...(until === undefined ? {} : { until }),
      ...(outcome === undefined ? {} : { outcome }),
      ...(limit === undefined ? {} : { limit }),
      proof: inside.boolean(),
    };
  });
}

/** An entry that is only told has no salt. */
export function writeItem(item: AuditItem): Der {
  switch (item.kind) {
    case "entry":
      return explicit(0, sequence(integer(item.number), writeEntry(item.entry, noSalt)));
    case "checkpoint":
      return explicit(1, writeCheckpoint(item.checkpoint));
    case "segment":
      return explicit(2, writeSegment(item.segment));
    default:
      return unreachable(item);
  }
}

export function readItem(reader: Reader): AuditItem {
  return reader.choice(items);
}

function writeEntry({ time, actor, name, command, policies, outcome }: AuditEntry, salt: Uint8Array): Der {
  return sequence(
    octets(salt),
    writeGeneralizedTime(time),
    writeActor(actor),
    writeName(name),
    optionalExplicit(0, command, text),
    sequenceOf(policies, writePath),
    writeOutcome(outcome),
  );
}

function readEntry(reader: Reader): AuditEntry {
  return reader.sequence((inside) => {
    inside.octets();
    const time = readGeneralizedTime(inside);
    const actor = inside.choice(actors);
    const name = readName(inside);
    const command = inside.optionalExplicit(0, (word) => word.utf8());
    const policies = inside.sequenceOf(readPath);
    const known = command === undefined ? {} : { command };
    return { time, actor, name, ...known, policies, outcome: inside.choice(outcomes) };
  });
}

function writeActor(actor: Actor): Der {
  switch (actor.kind) {
    case "chain":
      return explicit(0, sequence(sequenceOf(actor.levels, octets), octets(actor.leaf)));
    case "local": {
      const { peer } = actor;
      return explicit(1, sequence(peer && sequence(integer(peer.uid), integer(peer.pid))));
    }
    case "endpoint":
      return explicit(2, sequence(optionalExplicit(0, actor.address, text), optionalExplicit(1, actor.leaf, octets)));
    case "daemon":
      return explicit(3, nul);
    default:
      return unreachable(actor);
  }
}

const actors: Readonly<Record<number, (reader: Reader) => Actor>> = {
  0: (reader) =>
    reader.sequence((inside) => ({ kind: "chain", levels: inside.sequenceOf(readSha256), leaf: readSha256(inside) })),
  1: (reader) =>
    reader.sequence((inside) => {
      if (inside.done) return { kind: "local" };
      const peer = inside.sequence((ids) => ({ uid: readNatural(ids), pid: readNatural(ids) }));
      return { kind: "local", peer };
    }),
  2: (reader) =>
    reader.sequence((inside) => {
      const address = inside.optionalExplicit(0, (word) => word.utf8());
      const leaf = inside.optionalExplicit(1, readSha256);
      const from = address === undefined ? {} : { address };
      return { kind: "endpoint", ...from, ...(leaf === undefined ? {} : { leaf }) };
    }),
  3: (reader) => reader.null({ kind: "daemon" }),
};

function writeOutcome(outcome: AuditOutcome): Der {
  switch (outcome.kind) {
    case "begun":
      return explicit(0, nul);
    case "done":
      return explicit(1, nul);
    case "refused":
      return explicit(2, sequence(text(outcome.reason), optionalExplicit(0, outcome.at, writePath)));
    case "counted":
      return explicit(3, integer(outcome.count));
    case "damaged":
      return explicit(4, sequence(integer(outcome.expected), integer(outcome.found)));
    default:
      return unreachable(outcome);
  }
}

const outcomes: Readonly<Record<number, (reader: Reader) => AuditOutcome>> = {
  0: (reader) => reader.null({ kind: "begun" }),
  1: (reader) => reader.null({ kind: "done" }),
  2: (reader) =>
    reader.sequence((inside) => {
      const reason = inside.utf8();
      const at = inside.optionalExplicit(0, readPath);
      return { kind: "refused", reason, ...(at === undefined ? {} : { at }) };
    }),
  3: (reader) => ({ kind: "counted", count: readNatural(reader) }),
  4: (reader) =>
    reader.sequence((inside) => ({ kind: "damaged", expected: readNatural(inside), found: readNatural(inside) })),
};

function writeSegment({ first, before, entries }: Segment): Der {
  return sequence(integer(first), octets(before), sequenceOf(entries, writeSealed));
}

function readSegment(reader: Reader): Segment {
  return reader.sequence((inside) => ({
    first: readNatural(inside),
    before: readSha256(inside),
    entries: inside.sequenceOf((entry) => entry.choice(sealed)),
  }));
}

function writeSealed(entry: Sealed): Der {
  return entry.kind === "whole" ? explicit(0, encoded(entry.bytes)) : explicit(1, octets(entry.digest));
}

const sealed: Readonly<Record<number, (reader: Reader) => Sealed>> = {
  0: (reader) => ({ kind: "whole", bytes: reader.raw() }),
  1: (reader) => ({ kind: "veiled", digest: readSha256(reader) }),
};

function writeState({ number, head, first, before, bytes, time }: CheckpointState): Der {
  const chain = [integer(number), octets(head), integer(first), octets(before)];
  return sequence(text(purpose), ...chain, integer(bytes), writeGeneralizedTime(time));
}

function writeCheckpoint({ key, signature, ...state }: Checkpoint): Der {
  return sequence(writeState(state), octets(key), octets(signature));
}

function readCheckpoint(reader: Reader): Checkpoint {
  return reader.sequence((inside) => {
    const state = inside.sequence((fields) => {
      if (fields.utf8() !== purpose) fields.fail("value-refused");
      const [number, head] = [readNatural(fields), readSha256(fields)];
      const [first, before] = [readNatural(fields), readSha256(fields)];
      return { number, head, first, before, bytes: readNatural(fields), time: readGeneralizedTime(fields) };
    });
    return { ...state, key: inside.octets(), signature: inside.octets() };
  });
}

const items: Readonly<Record<number, (reader: Reader) => AuditItem>> = {
  0: (reader) =>
    reader.sequence((inside) => ({ kind: "entry", number: readNatural(inside), entry: readEntry(inside) })),
  1: (reader) => ({ kind: "checkpoint", checkpoint: readCheckpoint(reader) }),
  2: (reader) => ({ kind: "segment", segment: readSegment(reader) }),
};

function writePath(path: Path): Der {
  return writeName({ path });
}

function readPath(reader: Reader): Path {
  const name = readName(reader);
  return name.label === undefined ? name.path : reader.fail("value-refused");
}

function readSha256(reader: Reader): Uint8Array {
  const digest = reader.octets();
  return digest.length === 32 ? digest : reader.fail("value-refused");
}

/** So that no signature of the key over anything else is one over a state. */
const purpose = "fulmar audit checkpoint";

const noSalt = new Uint8Array(0);
