/**
 * What makes the audit log hold: the hash that binds each entry to all before
 * it, the signature of a checkpoint, and the check of both.
 *
 *     head(n) = SHA-256(head(n - 1) + SHA-256(entry n)),   head(0) = 32 zeros
 *
 * A checkpoint signs the newest head, with the number and the head from which
 * the log is kept. An entry that is not the reader's counts by its hash.
 *
 * @module
 */
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { type CheckpointState, decodeEntry, encodeState } from "../codec/audit.ts";
import type { Checkpoint, Sealed, Segment } from "../core/audit.ts";
import { encodePublicKey, signBytes } from "./keys.ts";
import { parsePem } from "./pem.ts";
import { sha256 } from "./signature.ts";

/** What is wrong with a log; entries by their numbers. */
export type AuditFault =
  | { readonly kind: "signature-wrong" }
  /** Fingerprints of the key that signed, and of the one that was to. */
  | { readonly kind: "key-differs"; readonly signed: string; readonly wanted: string }
  | { readonly kind: "missing"; readonly from: number; readonly to: number }
  /** Something among them was changed, taken away, added or put elsewhere. */
  | { readonly kind: "changed"; readonly from: number; readonly to: number }
  | { readonly kind: "unreadable"; readonly number: number }
  /** There is more than was signed. */
  | { readonly kind: "unsigned"; readonly from: number; readonly to: number }
  /** The daemon itself found the log damaged when it started. */
  | { readonly kind: "damaged"; readonly number: number; readonly expected: number; readonly found: number }
  /** What was seen earlier is not in it: it is another log, or an older copy went on. */
  | { readonly kind: "seen-differs"; readonly number: number };

/** A head that was seen before. */
export interface SeenHead {
  readonly number: number;
  readonly head: Uint8Array;
}

export interface AuditVerdict {
  readonly checkpoint: Checkpoint;
  /** Entries that were read, and those of which there was the hash alone. */
  readonly entries: number;
  readonly veiled: number;
  /** Empty: the log holds. At most `maxFaults`. */
  readonly faults: readonly AuditFault[];
}

/** Before the first entry. */
export const noHead: Uint8Array = new Uint8Array(32);

export function digestOf(entry: Sealed): Uint8Array {
  return entry.kind === "whole" ? sha256(entry.bytes) : entry.digest;
}

function advance(head: Uint8Array, digest: Uint8Array): Uint8Array {
  return sha256(Buffer.concat([head, digest]));
}

/** The head after a segment, given what it says came before it. */
export function headAfter({ before, entries }: Segment): Uint8Array {
  return entries.reduce((head, entry) => advance(head, digestOf(entry)), before);
}

/** @param key - an Ed25519 key */
export function signState(key: KeyObject, state: CheckpointState): Checkpoint {
  return { ...state, key: encodePublicKey(key), signature: signBytes(key, encodeState(state)) };
}

/** Whether the key that the checkpoint names signed it. */
export function isSigned({ key, signature, ...state }: Checkpoint): boolean {
  try {
    const signer = createPublicKey({ key: Buffer.from(key), format: "der", type: "spki" });
    return signer.asymmetricKeyType === "ed25519" && verify(undefined, encodeState(state), signer, signature);
  } catch {
    return false;
  }
}

/** A SubjectPublicKeyInfo of an Ed25519 key; undefined: the PEM text has none. */
export function parseAuditKey(pem: string): Uint8Array | undefined {
  const blocks = parsePem(pem);
  const der = blocks.ok ? blocks.value.find(({ label }) => label === "PUBLIC KEY")?.der : undefined;
  if (der === undefined) return undefined;
  try {
    const key = createPublicKey({ key: Buffer.from(der), format: "der", type: "spki" });
    return key.asymmetricKeyType === "ed25519" ? encodePublicKey(key) : undefined;
  } catch {
    return undefined;
  }
}

/** SHA-256 of a SubjectPublicKeyInfo, hexadecimal. */
export function fingerprintOf(key: Uint8Array): string {
  return Buffer.from(sha256(key)).toString("hex");
}

/** Goes through a log from its first segment to its last. */
export class AuditCheck {
  readonly #checkpoint: Checkpoint;
  readonly #seen: SeenHead | undefined;
  readonly #faults: AuditFault[] = [];
  /** The next entry's number, the head before it, and where the segment before began. */
  #next: number;
  #head: Uint8Array;
  #checked: number;
  #entries = 0;
  #veiled = 0;
  #met = false;

  /** @param wanted - the key that must have signed it, as SubjectPublicKeyInfo */
  constructor(checkpoint: Checkpoint, wanted?: Uint8Array, seen?: SeenHead) {
    this.#checkpoint = checkpoint;
    this.#seen = seen;
    this.#next = checkpoint.first;
    this.#checked = checkpoint.first;
    this.#head = checkpoint.before;
    if (!isSigned(checkpoint)) this.#add({ kind: "signature-wrong" });
    if (wanted !== undefined && Buffer.compare(wanted, checkpoint.key) !== 0) {
      this.#add({ kind: "key-differs", signed: fingerprintOf(checkpoint.key), wanted: fingerprintOf(wanted) });
    }
    this.#meet();
  }

  take(segment: Segment): void {
    const { first, before, entries } = segment;
    if (first > this.#next) this.#add({ kind: "missing", from: this.#next, to: first - 1 });
    else if (first < this.#next || Buffer.compare(before, this.#head) !== 0) {
      this.#add({ kind: "changed", from: Math.min(this.#checked, first), to: Math.max(this.#next - 1, first) });
    }
    this.#next = first;
    this.#checked = first;
    this.#head = before;
    for (const entry of entries) this.#takeEntry(entry);
  }

  /** A segment that cannot be read stands where entry `number` should be the first. */
  takeUnreadable(number: number): void {
    this.#add({ kind: "unreadable", number });
  }

  finish(): AuditVerdict {
    const { number, head } = this.#checkpoint;
    const last = this.#next - 1;
    if (last < number) this.#add({ kind: "missing", from: last + 1, to: number });
    else if (last > number) this.#add({ kind: "unsigned", from: number + 1, to: last });
    else if (Buffer.compare(head, this.#head) !== 0) this.#add({ kind: "changed", from: this.#checked, to: number });
    if (this.#seen !== undefined && !this.#met) this.#add({ kind: "seen-differs", number: this.#seen.number });
    return {
      checkpoint: this.#checkpoint,
      entries: this.#entries,
      veiled: this.#veiled,
      faults: this.#faults,
    };
  }

  #takeEntry(sealed: Sealed): void {
    const number = this.#next;
    this.#head = advance(this.#head, digestOf(sealed));
    this.#next += 1;
    this.#meet();
    if (sealed.kind === "veiled") {
      this.#veiled += 1;
      return;
    }
    this.#entries += 1;
    const entry = decodeEntry(sealed.bytes);
    if (!entry.ok) this.#add({ kind: "unreadable", number });
    else if (entry.value.outcome.kind === "damaged") {
      const { expected, found } = entry.value.outcome;
      this.#add({ kind: "damaged", number, expected, found });
    }
  }

  /** Whether what was seen is here; what rolled out of the log cannot be. */
  #meet(): void {
    const seen = this.#seen;
    if (seen === undefined) return;
    const here = seen.number === this.#next - 1 && Buffer.compare(seen.head, this.#head) === 0;
    this.#met ||= here || seen.number < this.#checkpoint.first - 1;
  }

  #add(fault: AuditFault): void {
    if (this.#faults.length < maxFaults) this.#faults.push(fault);
  }
}

/** More say nothing more: the log does not hold. */
const maxFaults = 20;
