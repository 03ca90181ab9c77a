/**
 * Entries of the audit log as lines, and what its check found.
 *
 * @module
 */
import type { Actor, AuditEntry, AuditOutcome } from "../core/audit.ts";
import { describePath } from "../core/describe.ts";
import { printName, printPath } from "../core/name.ts";
import { unreachable } from "../core/result.ts";
import { type AuditVerdict, fingerprintOf } from "../x509/audit_chain.ts";
import { describeAuditFault } from "../x509/describe_audit.ts";
import { escapeText } from "./escape.ts";
import { type Failure, failure } from "./failure.ts";
import { printTime } from "./print.ts";

/** `2026-11-29T06:40:31-00:00 12 alice:web unikernel-create done by 1f2e… below alice 9ab0…` */
export function printEntry(number: number, { time, actor, name, command, policies, outcome }: AuditEntry): string {
  const what = `${printName(name)} ${escapeText(command ?? "-")}`;
  const policy = policies.length === 0 ? "" : `, policies of ${policies.map(describePath).join(", ")}`;
  return `${printTime(time)} ${number} ${what} ${describeOutcome(outcome)} by ${describeActor(actor)}${policy}\n`;
}

/** One JSON object on a line: times as of RFC 3339, fingerprints as hexadecimal. */
export function printEntryJson(number: number, entry: AuditEntry): string {
  const { time, actor, name, policies, outcome, ...rest } = entry;
  const said = outcome.kind === "refused" && outcome.at !== undefined ? { at: printPath(outcome.at) } : {};
  const line = {
    number,
    time: new Date(time).toISOString(),
    name: printName(name),
    ...rest,
    outcome: { ...outcome, ...said },
    actor,
    ...(policies.length === 0 ? {} : { policies: policies.map(printPath) }),
  };
  return `${JSON.stringify(line, (_, value: unknown) => (value instanceof Uint8Array ? hex(value) : value))}\n`;
}

/** What the check of a log found, and what it says nothing about. */
export function printVerdict({ checkpoint, veiled, faults }: AuditVerdict, keyGiven: boolean): string {
  const { first, number, time, head, key } = checkpoint;
  const word = faults.length === 0 ? "the audit log holds" : "the audit log does NOT hold";
  const kept = number < first ? "no entries" : `entries ${first} to ${number}, the newest of ${printTime(time)}`;
  return [
    `${word}: ${kept}`,
    ...faults.map((fault) => `fault: ${describeAuditFault(fault)}`),
    ...(first > 1 ? [`entries 1 to ${first - 1} have rolled out of it; the checkpoint vouches for that`] : []),
    ...(veiled > 0
      ? [`${veiled} of them are others', and checked by their hashes: that they are there, not what they say`]
      : []),
    `head ${number}:${hex(head)}, to be given to a later check as --seen`,
    `key ${fingerprintOf(key)}${keyGiven ? "" : ", in the log's own words: compare it, or give --key"}`,
    "",
  ].join("\n");
}

/** Why a check failed, if it did. */
export function verdictFailure({ faults }: AuditVerdict): Failure | undefined {
  const [fault] = faults;
  return fault === undefined
    ? undefined
    : failure("refused", `the audit log does not hold: ${describeAuditFault(fault)}`);
}

function describeOutcome(outcome: AuditOutcome): string {
  switch (outcome.kind) {
    case "begun":
    case "done":
      return outcome.kind;
    case "refused":
      return `refused (${escapeText(outcome.reason)}${outcome.at === undefined ? "" : `, by ${describePath(outcome.at)}`})`;
    case "counted":
      return `${outcome.count} more that changed nothing, counted`;
    case "damaged":
      return `found the audit log damaged: it ended with ${outcome.found} in place of ${outcome.expected}, noted`;
    default:
      return unreachable(outcome);
  }
}

function describeActor(actor: Actor): string {
  switch (actor.kind) {
    case "chain":
      return [actor.leaf, ...actor.levels.toReversed()].map(hex).join(" below ");
    case "local":
      return actor.peer === undefined ? "a local client" : `uid ${actor.peer.uid}, pid ${actor.peer.pid}`;
    case "endpoint": {
      const from = actor.address === undefined ? "" : `, from ${escapeText(actor.address)}`;
      return `the endpoint${from}${actor.leaf === undefined ? "" : `, certificate ${hex(actor.leaf)}`}`;
    }
    case "daemon":
      return "fulmard";
    default:
      return unreachable(actor);
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
