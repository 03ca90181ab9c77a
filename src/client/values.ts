/**
 * What programs give and get: names are texts, `alice:web` for a unikernel and
 * `alice:` for a path; times are dates, digests hex.
 *
 * @module
 */
import type { Actor, AuditEntry, AuditOutcome, Peer } from "../core/audit.ts";
import type { BlockState, Named } from "../core/command.ts";
import { describeNameError } from "../core/describe.ts";
import type { Happening } from "../core/happening.ts";
import { type Name, type Path, parseName, parsePath, printName, printPath } from "../core/name.ts";
import { type Policy, sortedSet } from "../core/policy.ts";
import type { Statistics } from "../core/statistics.ts";
import type { BlockAttachment, BridgeAttachment, FailBehaviour, Settings, UnikernelInfo } from "../core/unikernel.ts";
import { problem } from "./problem.ts";
import { fail } from "./server.ts";

/** How a unikernel runs. What is not given is as on the command line. */
export interface SettingsOptions {
  /** MB; 32. */
  readonly memory?: number;
  /** The host's CPUs that it may run on; 0. */
  readonly cpuids?: readonly number[];
  /** How many CPUs it sees; 1. */
  readonly cpus?: number;
  readonly arguments?: readonly string[];
  /** Whether `--name=<its name>` is put before the arguments; it is. */
  readonly addName?: boolean;
  /** The name in the image where that is the device's too, or both. */
  readonly blocks?: readonly (string | BlockAttachment)[];
  /** The name in the image where that is the bridge's too, or both. */
  readonly bridges?: readonly (string | BridgeAttachment)[];
  /** Whether it is started again when it exits, or the exit statuses after which it is; it is not. */
  readonly restart?: boolean | readonly number[];
  /** Its turn when the host starts: 0 first; 50. */
  readonly startup?: number;
  readonly linuxBootPartition?: string;
}

export interface PolicyOptions {
  readonly unikernels: number;
  /** MB. */
  readonly memory: number;
  readonly cpuids: readonly number[];
  /** MB; absent: no block device. */
  readonly block?: number;
  readonly bridges?: readonly string[];
}

export interface Unikernel extends Omit<UnikernelInfo, "digest" | "started"> {
  /** In full. */
  readonly name: string;
  /** SHA-256 of the image, hex. */
  readonly digest: string;
  /** Absent: it does not run. */
  readonly started?: Date;
}

/** Who asked. Fingerprints are the SHA-256 of certificates, hex. */
export type AuditActor =
  /** Delegations from the trust anchor downwards, and the leaf. */
  | { readonly kind: "chain"; readonly levels: readonly string[]; readonly leaf: string }
  /** A process on the daemon's machine, as far as the system said which. */
  | { readonly kind: "local"; readonly peer?: Peer }
  /** Somebody whom the endpoint refused. */
  | { readonly kind: "endpoint"; readonly address?: string; readonly leaf?: string }
  | { readonly kind: "daemon" };

/** An entry of the audit log. */
export interface AuditRecord {
  /** Without a gap, from 1. */
  readonly number: number;
  readonly time: Date;
  readonly actor: AuditActor;
  /** What it was about, in full. */
  readonly name: string;
  /** Absent: it was refused before anybody knew. */
  readonly command?: string;
  /** Paths, in full, whose policies came, changed or went with it. */
  readonly policies: readonly string[];
  readonly outcome:
    | Exclude<AuditOutcome, { kind: "refused" }>
    /** `at`: the path whose policy refused, in full. */
    | { readonly kind: "refused"; readonly reason: string; readonly at?: string };
}

export interface PathPolicy extends Policy {
  /** In full, `alice:bob`; empty for the root. */
  readonly path: string;
}

export interface BlockDevice extends BlockState {
  /** In full. */
  readonly name: string;
}

export interface ConsoleLine {
  readonly time: Date;
  readonly line: string;
}

export interface Measurement {
  /** In full. */
  readonly name: string;
  readonly statistics: Statistics;
}

export interface LogEntry {
  /** In full. */
  readonly name: string;
  readonly time: Date;
  readonly happening: Happening;
}

export function readName(text: string): Name {
  const name = parseName(text);
  return name.ok ? name.value : fail(problem("usage", `'${text}' is no name: ${describeNameError(name.error)}`));
}

/** `alice:bob`, with or without a colon at its end. */
export function readPath(text: string): Path {
  const path = parsePath(text.endsWith(":") ? text.slice(0, -1) : text);
  return path.ok ? path.value : fail(problem("usage", `'${text}' is no path: ${describeNameError(path.error)}`));
}

/** A listing's name in full: in a listing of a path it begins there, and one name that was asked for is whole. */
function fullName(asked: Name, name: Name): string {
  return printFull(asked.label === undefined ? { ...name, path: [...asked.path, ...name.path] } : name);
}

/** Without the colon that only the wire has before what is at the root. */
export function printFull(name: Name): string {
  return name.path.length === 0 && name.label !== undefined ? name.label : printName(name);
}

export function settingsOf(options: SettingsOptions): Settings {
  const { memory = 32, cpuids = [0], cpus = 1, addName = true, blocks = [], bridges = [] } = options;
  const { startup, linuxBootPartition } = options;
  return {
    failBehaviour: failBehaviourOf(options.restart ?? false),
    ...(startup === undefined ? {} : { startup }),
    addName,
    cpuids: sortedSet(cpuids),
    memory,
    blocks: blocks.map((block) => (typeof block === "string" ? { name: block } : block)),
    bridges: bridges.map((bridge) => (typeof bridge === "string" ? { netif: bridge } : bridge)),
    ...(options.arguments === undefined ? {} : { arguments: options.arguments }),
    cpus,
    ...(linuxBootPartition === undefined ? {} : { linuxBootPartition }),
  };
}

export function policyOf({ cpuids, bridges = [], ...rest }: PolicyOptions): Policy {
  return { ...rest, cpuids: sortedSet(cpuids), bridges: sortedSet(bridges) };
}

export function unikernelOf(asked: Name, { name, value }: Named<UnikernelInfo>): Unikernel {
  const { digest, started, ...rest } = value;
  const common = { ...rest, name: fullName(asked, name), digest: Buffer.from(digest).toString("hex") };
  return started === undefined ? common : { ...common, started: new Date(started) };
}

export function pathPolicyOf(asked: Path, { name, value }: Named<Policy>): PathPolicy {
  return { ...value, path: printPath([...asked, ...name.path]) };
}

export function blockDeviceOf(asked: Name, { name, value }: Named<BlockState>): BlockDevice {
  return { ...value, name: fullName(asked, name) };
}

function failBehaviourOf(restart: boolean | readonly number[]): FailBehaviour {
  if (restart === false) return { kind: "quit" };
  return { kind: "restart", codes: restart === true ? [] : sortedSet(restart) };
}

export function auditRecordOf(number: number, entry: AuditEntry): AuditRecord {
  const { time, actor, name, command, policies, outcome } = entry;
  const refused = outcome.kind === "refused";
  const at = refused && outcome.at !== undefined ? { at: printPath(outcome.at) } : {};
  return {
    ...{ number, time: new Date(time), actor: actorOf(actor), name: printName(name) },
    ...(command === undefined ? {} : { command }),
    policies: policies.map(printPath),
    outcome: refused ? { kind: "refused", reason: outcome.reason, ...at } : outcome,
  };
}

function hex(fingerprint: Uint8Array): string {
  return Buffer.from(fingerprint).toString("hex");
}

function actorOf(actor: Actor): AuditActor {
  switch (actor.kind) {
    case "chain":
      return { kind: "chain", levels: actor.levels.map(hex), leaf: hex(actor.leaf) };
    case "endpoint": {
      const { leaf, ...rest } = actor;
      return leaf === undefined ? rest : { ...rest, leaf: hex(leaf) };
    }
    default:
      return actor;
  }
}
