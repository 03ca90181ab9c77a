/**
 * What the supervisor knows, what it is told, and what it wants done.
 *
 * A unikernel exists from the moment its resources are reserved. What has been
 * asked of it but is not done yet stands in its phase and its change; every
 * client that waits for an answer stands there by its number, once.
 *
 * @module
 */
import type { BlockForm, Command, Level, Success } from "./command.ts";
import type { Bounds } from "./delegation.ts";
import type { Happening } from "./happening.ts";
import type { Health } from "./health.ts";
import type { Lock, Locks } from "./lock.ts";
import type { Manifest, TenderKind } from "./manifest.ts";
import type { Name, Path } from "./name.ts";
import type { OrderedMap } from "./ordered_map.ts";
import type { Overheads } from "./overhead.ts";
import type { Memory } from "./past.ts";
import type { Permission } from "./permission.ts";
import type { ProbeFault } from "./probe.ts";
import type { Refusal } from "./refusal.ts";
import type { Resources } from "./resources.ts";
import type { ExitStatus } from "./restart.ts";
import type { CertificateId, Revocation, RevocationList } from "./revocation.ts";
import type { Grant, GrantChange } from "./trie.ts";
import type { UnikernelConfig } from "./unikernel.ts";

/** One request that waits for its one reply. */
export type ClientId = number;

export interface State {
  readonly resources: Resources<Unikernel>;
  /** Who has a MAC address on a bridge: `<bridge> <mac>`. */
  readonly macs: OrderedMap<string, Name>;
  /** Counts requests, jobs and runs: every number is handed out once. */
  readonly counter: number;
  readonly stopping: boolean;
  /** What a first-level delegate may cost. */
  readonly bounds: Bounds;
  /** What tenders are charged with besides their guests' memory; absent: nothing. */
  readonly overheads?: Overheads;
  readonly revocation: Revocation;
  readonly locks: Locks;
}

export interface Unikernel {
  /** What runs, ran last, or is started next; absent before the first image is prepared. */
  readonly current?: Incarnation;
  readonly phase: Phase;
  /** What is being prepared to come after `current`. */
  readonly change?: Change;
  /** When it last started, ms since the Unix epoch. */
  readonly started?: number;
  /** Ends in a row, for the back-off. */
  readonly failures: number;
  readonly lastExit?: ExitStatus;
}

/** A unikernel with all that is needed to start it. */
export interface Incarnation {
  readonly config: UnikernelConfig;
  /** SHA-256 of the image. */
  readonly digest: Uint8Array;
  readonly tender: Tender;
  /** In the manifest's order. */
  readonly devices: readonly Attached[];
}

export interface Tender {
  readonly kind: TenderKind;
  readonly path: string;
  /** virtio alone. */
  readonly accel?: "kvm" | "tcg";
}

/** A manifest's device with what it is attached to on the host. */
export type Attached =
  | { readonly kind: "net"; readonly device: string; readonly bridge: string; readonly mac: Uint8Array }
  | { readonly kind: "block"; readonly device: string; readonly name: Name; readonly sectorSize?: number };

export type Phase =
  /** Nothing runs and nothing was started: the first image is being prepared. */
  | { readonly kind: "preparing" }
  /** `client` waits for the start. Should it fail, `previous` comes back, and what was never there before (`first`) goes. */
  | ({ readonly kind: "starting"; readonly run: number; readonly next?: Next } & Waits)
  /** Its tender runs, and it has yet to prove that it can; `previous` may still come back. */
  | ({ readonly kind: "trying"; readonly run: number } & Trial)
  | { readonly kind: "running"; readonly run: number }
  /** `stuck` where it did not end by SIGKILL either, and nobody waits any more. */
  | { readonly kind: "stopping"; readonly run: number; readonly next: Next; readonly stuck?: true }
  /** Ended, and to be started again when its time comes, with a trial if it never proved that it can run. */
  | { readonly kind: "waiting"; readonly run: number; readonly trial: boolean }
  /** Stopped, or not started, because a delegation above it is revoked; started again when that counts again. */
  | { readonly kind: "held" };

/** `failed` where it was told to end because it is not healthy. */
export type Trial = Pick<Waits, "client" | "previous" | "grants" | "first" | "health"> & { readonly failed?: Refusal };

/** Who and what waits for a start to succeed. */
export interface Waits {
  readonly client?: ClientId;
  readonly previous?: Incarnation;
  readonly first: boolean;
  /** Whether an end at once counts as a start that failed. */
  readonly trial: boolean;
  /** The policies that came with what `client` asked for, taken back should it fail. */
  readonly grants?: readonly GrantChange[];
  /** What its trial asks of it; absent: not to end at once. */
  readonly health?: Health;
  /** Why what `client` asked for failed: this is what was there before it, coming back. */
  readonly cause?: Refusal;
}

/** What comes when the tender has ended. */
export type Next =
  | { readonly kind: "destroy"; readonly clients: readonly ClientId[] }
  | { readonly kind: "restart"; readonly client?: ClientId; readonly grants?: readonly GrantChange[] }
  | { readonly kind: "hold" }
  | {
      readonly kind: "replace";
      readonly client?: ClientId;
      readonly incarnation: Incarnation;
      readonly grants?: readonly GrantChange[];
      readonly health?: Health;
    };

/** A create, a force create or a restart with arguments whose image and tender are being looked at. */
export interface Change {
  readonly job: number;
  /** Absent at a start of the daemon. */
  readonly client?: ClientId;
  readonly config: UnikernelConfig;
  readonly image: ImageSource;
  /** The policies that its chain brought, taken back should it be refused. */
  readonly grants: readonly GrantChange[];
  readonly health?: Health;
  /** At a start of the daemon, as in `Prepared`: what is stored is told of before its image is looked at. */
  readonly macs?: readonly Uint8Array[];
}

/** What the host found out about an image and the tender for it. */
export interface Prepared {
  readonly digest: Uint8Array;
  readonly manifest: Manifest;
  readonly tender: Tender;
  /** One for each of the settings' bridges, in their order: given or derived. */
  readonly macs: readonly Uint8Array[];
}

export interface Request {
  readonly name: Name;
  readonly command: Command;
  /** The delegations of the chain that it came with, from the top; a local request has none. */
  readonly levels: readonly Level[];
  /** As in `ChainRequest`; of a chain alone. */
  readonly certificates?: readonly CertificateId[];
  /** What the chain's leaf permits; absent: everything. */
  readonly permissions?: readonly Permission[];
}

/** What happens; times in ms since the Unix epoch. */
export type Event =
  | { readonly kind: "request"; readonly client: ClientId; readonly request: Request; readonly now: number }
  /** The request's revocation list was read and is its authority's. */
  | {
      readonly kind: "revoked";
      readonly client: ClientId;
      readonly request: Request;
      readonly list: RevocationList;
      readonly crl: Uint8Array;
      readonly now: number;
    }
  | { readonly kind: "prepared"; readonly name: Name; readonly job: number; readonly prepared: Prepared }
  | { readonly kind: "prepare-failed"; readonly name: Name; readonly job: number; readonly refusal: Refusal }
  | { readonly kind: "started"; readonly name: Name; readonly run: number; readonly now: number }
  | { readonly kind: "start-failed"; readonly name: Name; readonly run: number; readonly refusal: Refusal }
  | {
      readonly kind: "exited";
      readonly name: Name;
      readonly run: number;
      readonly status: ExitStatus;
      readonly now: number;
    }
  /** It was told to stop, and is still there after all that the host can do. */
  | { readonly kind: "stop-failed"; readonly name: Name; readonly run: number }
  /** It did not show in time that it is healthy, or cannot. */
  | { readonly kind: "unhealthy"; readonly name: Name; readonly run: number; readonly fault?: ProbeFault }
  | { readonly kind: "due"; readonly name: Name; readonly run: number }
  /** What was asked of a block device is done, or with a refusal was not. */
  | { readonly kind: "block-done"; readonly name: Name; readonly client: ClientId; readonly refusal?: Refusal }
  | { readonly kind: "shutdown" };

/** What is to be done, in this order. */
export type Effect =
  | { readonly kind: "reply"; readonly client: ClientId; readonly reply: Reply }
  /** On disk before the effects behind it. */
  | { readonly kind: "commit"; readonly changes: readonly StoreChange[] }
  | {
      readonly kind: "prepare";
      readonly name: Name;
      readonly job: number;
      readonly config: UnikernelConfig;
      readonly image: ImageSource;
      readonly health?: Health;
    }
  | { readonly kind: "start"; readonly name: Name; readonly run: number; readonly incarnation: Incarnation }
  | { readonly kind: "stop"; readonly name: Name; readonly run: number }
  /** Takes over the guest that an earlier daemon left, as this run. */
  | { readonly kind: "adopt"; readonly name: Name; readonly run: number }
  /** Ends what an earlier daemon left under this name; a start of that name waits for it. */
  | { readonly kind: "discard"; readonly name: Name }
  | { readonly kind: "timer"; readonly name: Name; readonly run: number; readonly delay: number }
  /** It is due once it has run long enough to have proved that it can. */
  | {
      readonly kind: "trial";
      readonly name: Name;
      readonly run: number;
      readonly since: number;
      readonly health?: Health;
      readonly incarnation?: Incarnation;
    }
  /** One use of a stored image more. */
  | { readonly kind: "hold-image"; readonly digest: Uint8Array }
  /** One use of the image less. */
  | { readonly kind: "release-image"; readonly digest: Uint8Array }
  /** Filled with what comes with the client, or left empty. */
  | {
      readonly kind: "create-block";
      readonly name: Name;
      readonly size: number;
      readonly client: ClientId;
      readonly filled: boolean;
    }
  | { readonly kind: "remove-block"; readonly name: Name; readonly client: ClientId }
  /** The content comes with the client. */
  | { readonly kind: "fill-block"; readonly name: Name; readonly size: number; readonly client: ClientId }
  /** The content goes to the client, before its reply; compressed at any level but 0. */
  | {
      readonly kind: "read-block";
      readonly name: Name;
      readonly client: ClientId;
      readonly level: number;
      readonly form: BlockForm;
    }
  /** The reply is the image itself. */
  | { readonly kind: "send-image"; readonly client: ClientId; readonly digest: Uint8Array; readonly level: number }
  /** What was let in before may not be any more: connections that a lock or a revocation forbids now end. */
  | { readonly kind: "recheck" }
  /** For the log, the console and whoever watches. */
  | { readonly kind: "tell"; readonly name: Name; readonly happening: Happening };

/** Where an image comes from: the client that asked, or the store. */
export type ImageSource =
  | { readonly kind: "client"; readonly client: ClientId }
  | { readonly kind: "stored"; readonly digest: Uint8Array };

export type Reply =
  | { readonly ok: true; readonly success: Success }
  | { readonly ok: false; readonly refusal: Refusal };

/** One record that changed; without a value it goes. */
export type StoreChange =
  | {
      readonly kind: "policy";
      readonly path: Path;
      readonly grant?: Pick<Grant, "policy" | "notBefore" | "certificate">;
    }
  | { readonly kind: "lock"; readonly path: Path; readonly lock?: Lock }
  | { readonly kind: "crl"; readonly authority: string; readonly path: Path; readonly crl: Uint8Array }
  /** How new policies were that went; paths begin at the root. */
  | { readonly kind: "past"; readonly memory: Memory }
  | { readonly kind: "unikernel"; readonly name: Name; readonly record?: StoredUnikernel };

/** What of a unikernel outlives the daemon. */
export interface StoredUnikernel {
  readonly config: UnikernelConfig;
  readonly digest: Uint8Array;
}

export interface Step {
  readonly state: State;
  readonly effects: readonly Effect[];
}
