/**
 * Why a request is refused: every reason there is, as a value with its numbers.
 *
 * describe.ts makes the sentences of them.
 *
 * @module
 */
import type { DeviceMismatch, Target, TenderKind } from "./manifest.ts";
import type { Name, Path } from "./name.ts";
import type { Permission } from "./permission.ts";
import type { PolicyExcess } from "./policy.ts";
import type { ProbeFault } from "./probe.ts";
import type { ExitStatus } from "./restart.ts";

/** What a policy counts; memory and block in MB. */
export type Resource = "unikernels" | "memory" | "block";

export type Refusal =
  /** The certificate of `path`, or without one the leaf, permits only `permitted`. */
  | {
      readonly kind: "not-permitted";
      readonly permission: Permission;
      readonly permitted: readonly Permission[];
      readonly path?: Path;
    }
  /** The policy at `path` allows `limit`; at and below it `used` is taken and `asked` more was asked for. */
  | {
      readonly kind: "limit";
      readonly path: Path;
      readonly resource: Resource;
      readonly limit: number;
      readonly used: number;
      readonly asked: number;
    }
  | { readonly kind: "block-not-allowed"; readonly path: Path; readonly asked: number }
  | {
      readonly kind: "cpuids-not-allowed";
      readonly path: Path;
      readonly allowed: readonly number[];
      readonly asked: readonly number[];
    }
  | {
      readonly kind: "bridges-not-allowed";
      readonly path: Path;
      readonly allowed: readonly string[];
      readonly asked: readonly string[];
    }
  /** The policy for `path` is more than the one in force at `above`. */
  | { readonly kind: "policy-exceeds"; readonly path: Path; readonly above: Path; readonly excess: PolicyExcess }
  | { readonly kind: "too-many-delegations"; readonly path: Path; readonly limit: number }
  /** No policy is in force at `path`, and one that was there was newer by so many seconds (or may have been). */
  | { readonly kind: "policy-outdated"; readonly path: Path; readonly seconds: number }
  | { readonly kind: "policy-not-found"; readonly path: Path }
  | { readonly kind: "root-policy-stays" }
  | { readonly kind: "unikernel-exists"; readonly name: Name }
  | { readonly kind: "unikernel-not-found"; readonly name: Name }
  | { readonly kind: "block-exists"; readonly name: Name }
  | { readonly kind: "block-not-found"; readonly name: Name }
  | { readonly kind: "block-in-use"; readonly name: Name; readonly by: Name }
  | { readonly kind: "block-busy"; readonly name: Name }
  /** One block device is attached to one unikernel twice. */
  | { readonly kind: "block-twice"; readonly device: string }
  | { readonly kind: "block-size-zero" }
  /** What was to be written is larger than the device's `size` MB. */
  | { readonly kind: "block-too-small"; readonly size: number }
  | { readonly kind: "block-content-broken"; readonly problem: string }
  | { readonly kind: "block-name-invalid"; readonly device: string }
  | { readonly kind: "label-needed"; readonly path: Path }
  | { readonly kind: "typ-unsupported"; readonly typ: string }
  | { readonly kind: "cpuids-empty" }
  | { readonly kind: "memory-zero" }
  | { readonly kind: "arguments-too-long"; readonly length: number; readonly limit: number }
  | { readonly kind: "argument-not-text"; readonly index: number }
  | {
      readonly kind: "settings-too-many";
      readonly what: "devices" | "codes";
      readonly count: number;
      readonly limit: number;
    }
  | { readonly kind: "boot-partition-too-long"; readonly length: number; readonly limit: number }
  /** Without `by` where that is none of the asker's business. */
  | { readonly kind: "mac-taken"; readonly bridge: string; readonly mac: Uint8Array; readonly by?: Name }
  | DeviceMismatch
  | LifeRefusal
  | ImageRefusal
  | TenderRefusal
  | TrustRefusal
  | TurnRefusal
  | { readonly kind: "command-unsupported"; readonly command: string }
  | { readonly kind: "shutting-down" }
  /** What the machine could not do; `problem` is the host's own sentence. */
  | { readonly kind: "host-failed"; readonly doing: string; readonly problem: string }
  /** What was asked for is done, and waits for a disk that takes it. */
  | { readonly kind: "not-stored"; readonly problem: string };

/** Why somebody has no turn, or no more of it. */
export type TurnRefusal =
  /** So many whole images wait to be sent to the same delegate already. */
  | { readonly kind: "too-many-downloads"; readonly limit: number }
  /** So many requests of the same delegate wait for their turn already. */
  | { readonly kind: "too-many-requests"; readonly limit: number }
  /** All connections were taken, and this one's delegate had most of those in which nothing was asked. */
  | { readonly kind: "made-room"; readonly limit: number }
  /** Whoever asked has not waited for the answer. */
  | { readonly kind: "client-gone" };

/** Why health cannot be asked for, or did not show. */
type HealthRefusal =
  /** Milliseconds. */
  | { readonly kind: "health-too-long"; readonly within: number; readonly limit: number }
  /** `at` is where the pattern ceases to be one. */
  | { readonly kind: "pattern-bad"; readonly at: number }
  | { readonly kind: "probe-bad" }
  | { readonly kind: "probe-without-bridge" }
  | { readonly kind: "probe-unfit"; readonly fault: ProbeFault }
  /** It runs, and did not show in time, ms, that it is healthy; what its last probe came to. */
  | { readonly kind: "unhealthy"; readonly within: number; readonly fault?: ProbeFault };

/** Why a unikernel that is there cannot be changed, or was not. */
export type LifeRefusal =
  | HealthRefusal
  /** Another command is changing it; `doing` tells which. */
  | {
      readonly kind: "unikernel-busy";
      readonly name: Name;
      readonly doing: "create" | "replace" | "restart" | "destroy" | "hold";
    }
  | { readonly kind: "overtaken-by-destroy"; readonly name: Name }
  /** The kernel does not let go of it. */
  | { readonly kind: "unikernel-unkillable"; readonly name: Name }
  /** It ended before it had proved that it can run. */
  | { readonly kind: "ended-at-once"; readonly status: ExitStatus }
  /** What was asked for could not run; what was there before runs again, or like it is tried again. */
  | { readonly kind: "start-failed"; readonly cause: Refusal; readonly outcome: "old-runs" | "old-waits" | "waits" };

/** What is wrong with an image; sizes in bytes. */
type ImageRefusal =
  /** More than the memory that it would be started with. */
  | { readonly kind: "image-too-large"; readonly limit: number }
  /** The stream or its compression broke. */
  | { readonly kind: "image-broken"; readonly problem: string }
  | { readonly kind: "image-not-solo5"; readonly problem: string }
  /** What is stored is not what came any more. */
  | { readonly kind: "image-damaged" };

/** Why no tender here runs an image. */
export type TenderRefusal =
  | { readonly kind: "target-unsupported"; readonly target: Target }
  | { readonly kind: "tender-not-offered"; readonly tender: TenderKind; readonly offered: readonly TenderKind[] }
  | { readonly kind: "tender-missing"; readonly tender: TenderKind; readonly abi: number }
  | { readonly kind: "tender-wrong-abi"; readonly tender: TenderKind; readonly abi: number }
  | { readonly kind: "tender-unusable"; readonly tender: TenderKind; readonly problem: string };

/** Whose certificate it is: a delegate's, or one that gives no path: the client's own, or an authority's above it. */
export type Whose = { readonly kind: "delegate"; readonly path: Path } | { readonly kind: "client" | "authority" };

/** What was taken back, by a revocation list or by a lock. Times in ms since the Unix epoch, serial numbers hexadecimal. */
export type TrustRefusal =
  | {
      readonly kind: "certificate-revoked";
      readonly whose: Whose;
      readonly serial: string;
      readonly time: number;
      readonly issuer: string;
      /** Of the list that says so. */
      readonly number: bigint;
    }
  | {
      readonly kind: "revocations-stale";
      readonly issuer: string;
      readonly number: bigint;
      readonly nextUpdate: number;
    }
  | { readonly kind: "revocations-older"; readonly issuer: string; readonly number: bigint; readonly known: bigint }
  /** Not by the authority that issued the certificate of whoever brings it. */
  | { readonly kind: "revocations-foreign"; readonly issuer: string }
  /** They cannot be read, or are nobody's. */
  | { readonly kind: "revocations-bad"; readonly problem: string }
  | { readonly kind: "too-many-lists"; readonly path: Path; readonly limit: number }
  /** Nothing starts at and below `path`: its delegation is revoked, `why` says by whom. */
  | { readonly kind: "held"; readonly path: Path; readonly why: Refusal }
  /** `owner` is the path of whoever locked it. */
  | { readonly kind: "locked"; readonly path: Path; readonly owner: Path }
  | { readonly kind: "locked-above"; readonly path: Path; readonly owner: Path }
  | { readonly kind: "lock-not-below"; readonly path: Path }
  | { readonly kind: "lock-not-found"; readonly path: Path }
  /** A path that no message can spell, a listing or an entry of the audit log either. */
  | { readonly kind: "lock-too-deep"; readonly depth: number; readonly limit: number }
  | { readonly kind: "too-many-locks"; readonly path: Path; readonly limit: number };

/** Those whose sentences are elsewhere: see describe_health. */
export type OtherRefusal = HealthRefusal | TrustRefusal | TurnRefusal;
