/**
 * The audit log's values: who asked for what, and what became of it.
 *
 * Entries are numbered from 1 without a gap, and each is bound to all before it
 * by a hash; a checkpoint says of the newest one that it is, and of the oldest
 * one kept what came before it. No image, argument or key is ever in one.
 *
 * @module
 */
import type { Command } from "./command.ts";
import { isWithin, type Name, type Path, sameName } from "./name.ts";
import type { Refusal } from "./refusal.ts";
import { unreachable } from "./result.ts";
import type { Reply } from "./state.ts";

export interface AuditEntry {
  /** Milliseconds since the Unix epoch. */
  readonly time: number;
  readonly actor: Actor;
  readonly name: Name;
  /** A command's kind, or what the daemon does; absent: it was refused before anybody knew. */
  readonly command?: string;
  /** Whose policies are stored, changed or gone, with this entry. */
  readonly policies: readonly Path[];
  readonly outcome: AuditOutcome;
}

/** Fingerprints are the SHA-256 of certificates. */
export type Actor =
  /** Delegations from the trust anchor downwards, and the leaf. */
  | { readonly kind: "chain"; readonly levels: readonly Uint8Array[]; readonly leaf: Uint8Array }
  /** Absent: the system did not say who. */
  | { readonly kind: "local"; readonly peer?: Peer }
  /** Refused by the endpoint, in whose word this is. */
  | { readonly kind: "endpoint"; readonly address?: string; readonly leaf?: Uint8Array }
  | { readonly kind: "daemon" };

/** A process at the other end of a Unix socket, as it was when it connected. */
export interface Peer {
  readonly uid: number;
  readonly pid: number;
}

export type AuditOutcome =
  /** Something of it is stored, or is being carried out; how it ends follows. */
  | { readonly kind: "begun" }
  | { readonly kind: "done" }
  /** `at`: the level whose policy refused. */
  | { readonly kind: "refused"; readonly reason: string; readonly at?: Path }
  /** So many more that changed nothing are not written one by one. */
  | { readonly kind: "counted"; readonly count: number }
  /** The log that was found is not the one that was left: that ended with `expected`, this one with `found`. */
  | { readonly kind: "damaged"; readonly expected: number; readonly found: number };

/** Which entries are asked for, besides those of a name; times in ms since the Unix epoch. */
export interface AuditQuery {
  /** The first moment, and the first one no more. */
  readonly since?: number;
  readonly until?: number;
  readonly outcome?: string;
  /** The newest so many. */
  readonly limit?: number;
  /** All that is needed to verify the log, in place of entries. */
  readonly proof: boolean;
}

/** What an entry is in a proof: its bytes, or their hash where they are not the reader's. */
export type Sealed =
  | { readonly kind: "whole"; readonly bytes: Uint8Array }
  | { readonly kind: "veiled"; readonly digest: Uint8Array };

/** Entries that were stored together. */
export interface Segment {
  /** The number of the first. */
  readonly first: number;
  /** The hash of all before it. */
  readonly before: Uint8Array;
  readonly entries: readonly Sealed[];
}

/** The state of the log, signed: every transaction has one, and the newest is kept. */
export interface Checkpoint {
  /** Of the newest entry. */
  readonly number: number;
  /** The hash of everything up to it. */
  readonly head: Uint8Array;
  /** The oldest entry that is kept, and the hash of those before it, which are gone. */
  readonly first: number;
  readonly before: Uint8Array;
  /** Of the segments that are kept. */
  readonly bytes: number;
  readonly time: number;
  /** SubjectPublicKeyInfo of the key that signed it. */
  readonly key: Uint8Array;
  readonly signature: Uint8Array;
}

export type AuditItem =
  | { readonly kind: "entry"; readonly number: number; readonly entry: AuditEntry }
  | { readonly kind: "checkpoint"; readonly checkpoint: Checkpoint }
  | { readonly kind: "segment"; readonly segment: Segment };

/** Whether a reader of `reader`, who sees what is at and below it, sees an entry about `name`. */
export function sees(reader: Name, name: Name): boolean {
  return reader.label === undefined ? isWithin(reader.path, name.path) : sameName(reader, name);
}

export function matches({ since, until, outcome }: AuditQuery, { time, outcome: { kind } }: AuditEntry): boolean {
  return (since === undefined || time >= since) && (until === undefined || time < until) && (outcome ?? kind) === kind;
}

/** Whether a command that is carried out changes anything that lasts. */
export function changes(command: Command): boolean {
  switch (command.kind) {
    case "unikernel-create":
    case "unikernel-restart":
    case "unikernel-destroy":
    case "policy-add":
    case "policy-remove":
    case "block-add":
    case "block-remove":
    case "block-set":
    case "push-crl":
    case "lock":
    case "unlock":
      return true;
    case "console-add":
    case "console-subscribe":
    case "console-list-inactive":
    case "stats-add":
    case "stats-remove":
    case "stats-subscribe":
    case "stats-initial":
    case "unikernel-info":
    case "unikernel-get":
    case "policy-info":
    case "block-info":
    case "block-dump":
    case "status":
    case "log-subscribe":
    case "audit":
    case "session":
    case "locks":
    case "explain":
      return false;
    default:
      return unreachable(command);
  }
}

/** What became of a request, as its reply says. */
export function outcomeOf(reply: Reply): AuditOutcome {
  return reply.ok ? { kind: "done" } : refusedBy(reply.refusal);
}

export function refusedBy(refusal: Refusal): AuditOutcome {
  const at = refusal.kind === "policy-exceeds" ? refusal.above : "path" in refusal ? refusal.path : undefined;
  return { kind: "refused", reason: refusal.kind, ...(at === undefined ? {} : { at }) };
}

export const outcomes: readonly AuditOutcome["kind"][] = ["begun", "done", "refused", "counted", "damaged"];
