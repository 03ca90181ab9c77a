/**
 * What a client asks for, and what it is answered.
 *
 * One value for each command of the protocol, whichever of its encodings it
 * came in; `form` tells the reply's encoding where a client's age decides it.
 *
 * @module
 */
import type { AuditQuery } from "./audit.ts";
import type { Explanation } from "./explanation.ts";
import type { Health } from "./health.ts";
import type { Name, Path } from "./name.ts";
import type { Permission } from "./permission.ts";
import type { Policy } from "./policy.ts";
import type { ExitStatus } from "./restart.ts";
import { unreachable } from "./result.ts";
import type { CertificateId } from "./revocation.ts";
import type { Image, Settings, UnikernelConfig, UnikernelInfo } from "./unikernel.ts";

/** Where a console subscription's history begins: at a time (ms since the Unix epoch), or with so many last lines. */
export type ConsoleStart =
  | { readonly kind: "since"; readonly time: number }
  | { readonly kind: "count"; readonly count: number };

/** The reply that a client of protocol age 4, 5 or today's understands. */
export type InfoForm = "old4" | "old5" | "current";

export type Command =
  | { readonly kind: "console-add"; readonly count: number }
  | { readonly kind: "console-subscribe"; readonly from: ConsoleStart }
  | { readonly kind: "console-list-inactive" }
  | { readonly kind: "stats-add"; readonly vmmdev: string; readonly pid: number; readonly network: readonly Tap[] }
  | { readonly kind: "stats-remove" }
  | { readonly kind: "stats-subscribe" }
  | { readonly kind: "stats-initial" }
  | { readonly kind: "unikernel-info"; readonly form: InfoForm }
  | {
      readonly kind: "unikernel-create";
      readonly config: UnikernelConfig;
      readonly image: Image;
      readonly replace: boolean;
      /** Ours: what it must show before it counts as created. */
      readonly health?: Health;
    }
  | { readonly kind: "unikernel-restart"; readonly settings?: Settings }
  | { readonly kind: "unikernel-destroy" }
  | { readonly kind: "unikernel-get"; readonly level: number }
  | { readonly kind: "policy-info" }
  | { readonly kind: "policy-add"; readonly policy: Policy }
  | { readonly kind: "policy-remove" }
  | { readonly kind: "block-info" }
  /** `data` travels in the frame in the old form alone. */
  | { readonly kind: "block-add"; readonly size: number; readonly data?: Image; readonly form: BlockForm }
  | { readonly kind: "block-remove" }
  /** The current form's content follows as a stream, the old form carries it in `data`. */
  | { readonly kind: "block-set"; readonly compressed: boolean; readonly data?: Uint8Array }
  | { readonly kind: "block-dump"; readonly level: number; readonly form: BlockForm }
  /** Ours: `unikernel-info` with how each one is getting on. */
  | { readonly kind: "status" }
  /** What happens at and below the name, from now on. */
  | { readonly kind: "log-subscribe" }
  /** What was asked at and below the name, and what became of it. */
  | { readonly kind: "audit"; readonly query: AuditQuery }
  /** Many commands at and below the path, on one connection: of these kinds, where they are named; until `end` (ms since the Unix epoch). */
  | { readonly kind: "session"; readonly allowed?: readonly string[]; readonly end?: number }
  /** A revocation list, and the certificate of the authority whose it is; both DER. */
  | { readonly kind: "push-crl"; readonly crl: Uint8Array; readonly authority: Uint8Array }
  /** `path` is below the command's own. */
  | { readonly kind: "lock"; readonly path: Path }
  | { readonly kind: "unlock"; readonly path: Path }
  | { readonly kind: "locks" }
  /** What would become of the other one, which is not done. */
  | { readonly kind: "explain"; readonly command: Command };

export type BlockForm = "old" | "current";

/** A tap device and the bridge that it is on. */
export interface Tap {
  readonly bridge: string;
  readonly tap: string;
}

export type Success =
  | { readonly kind: "empty" }
  | { readonly kind: "string"; readonly text: string }
  | { readonly kind: "policies"; readonly policies: readonly Named<Policy>[] }
  | { readonly kind: "block-devices"; readonly devices: readonly Named<BlockState>[] }
  | { readonly kind: "unikernel-image"; readonly image: Image }
  | { readonly kind: "old-block-device-image"; readonly image: Image }
  | { readonly kind: "block-device-image"; readonly compressed: boolean }
  | { readonly kind: "unikernels"; readonly form: InfoForm; readonly unikernels: readonly Named<UnikernelInfo>[] }
  | { readonly kind: "consoles"; readonly names: readonly Name[] }
  | { readonly kind: "statuses"; readonly unikernels: readonly Named<UnikernelStatus>[] }
  | { readonly kind: "locks"; readonly locks: readonly Named<LockState>[] }
  | { readonly kind: "explanation"; readonly explanation: Explanation };

/** A lock on a path. */
export interface LockState {
  /** The path of whoever set it. */
  readonly owner: Path;
  /** Ms since the Unix epoch. */
  readonly since: number;
}

/** How a unikernel is getting on. */
export interface UnikernelStatus {
  readonly info: UnikernelInfo;
  readonly phase: "starting" | "running" | "stopping" | "unkillable" | "waiting" | "held";
  /** Ends in a row, each soon after its start. */
  readonly failures: number;
  readonly lastExit?: ExitStatus;
}

/** Something with its name, as it stands in a listing. */
export interface Named<T> {
  readonly name: Name;
  readonly value: T;
}

export interface BlockState {
  /** MB. */
  readonly size: number;
  /** Whether a unikernel has it. */
  readonly active: boolean;
}

/** One delegating certificate of a verified path. Times in ms since the Unix epoch. */
export interface Level {
  readonly label: Path[number];
  readonly policy: Policy;
  readonly notBefore: number;
  readonly notAfter: number;
  /** SHA-256 of the certificate. */
  readonly fingerprint: Uint8Array;
  /** What it and those above it that are no levels permit; absent: everything. */
  readonly permissions?: readonly Permission[];
  /** As revocation lists know it. */
  readonly certificate?: CertificateId;
}

/** A chain's whole request: one frame, one decision. */
export interface ChainRequest {
  /** From the trust anchor downwards. */
  readonly levels: readonly Level[];
  /** SHA-256 of the leaf certificate. */
  readonly leaf: Uint8Array;
  readonly label?: Path[number];
  /** Earliest notAfter of the path, ms since the Unix epoch. */
  readonly expires: number;
  readonly command: Command;
  /** Whether the image of a create follows the frame as a stream. */
  readonly imageFollows: boolean;
  /** What the leaf permits; absent: everything. */
  readonly permissions?: readonly Permission[];
  /** Those that give no level, as revocation lists know them: the leaf, then authorities upwards. */
  readonly certificates?: readonly CertificateId[];
}

/** The daemon's socket serves `log`, too. */
export type Service = "daemon" | "console" | "stats" | "log";

/** The one socket a command goes to. */
export function serviceOf(command: Command): Service {
  switch (command.kind) {
    case "console-add":
    case "console-subscribe":
    case "console-list-inactive":
      return "console";
    case "stats-add":
    case "stats-remove":
    case "stats-subscribe":
      return "stats";
    case "stats-initial":
    case "unikernel-info":
    case "status":
    case "unikernel-create":
    case "unikernel-restart":
    case "unikernel-destroy":
    case "unikernel-get":
    case "policy-info":
    case "policy-add":
    case "policy-remove":
    case "block-info":
    case "block-add":
    case "block-remove":
    case "block-set":
    case "block-dump":
    case "session":
    case "push-crl":
    case "lock":
    case "unlock":
    case "locks":
    case "explain":
      return "daemon";
    case "log-subscribe":
    case "audit":
      return "log";
    default:
      return unreachable(command);
  }
}

/** Whether a leaf may carry the command: what changes or watches one's own part of the tree, nothing internal. */
export function allowedInLeaf(command: Command): boolean {
  switch (command.kind) {
    case "console-add":
    case "stats-add":
    case "stats-remove":
    case "stats-initial":
    case "policy-add":
    case "policy-remove":
      return false;
    case "explain":
      return allowedInLeaf(command.command);
    default:
      return true;
  }
}

/** What a command is about: itself, or the one that it wants explained. */
export function subjectOf(command: Command): Command {
  return command.kind === "explain" ? command.command : command;
}
