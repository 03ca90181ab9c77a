/**
 * The English of it: every refusal and every other fact that a person reads,
 * one sentence each, no full stop.
 *
 * @module
 */
import { describeHealth } from "./describe_health.ts";
import type { Happening } from "./happening.ts";
import { maxLabelLength, type NameError, type Path, printName, printPath } from "./name.ts";
import type { Permission } from "./permission.ts";
import { leastMemory, type PolicyExcess, type Unusable, unlimited } from "./policy.ts";
import type { LifeRefusal, OtherRefusal, Refusal, Resource, TenderRefusal } from "./refusal.ts";
import type { ExitStatus } from "./restart.ts";
import { unreachable } from "./result.ts";
import { printMac } from "./tender.ts";

export function describeRefusal(refusal: Refusal): string {
  switch (refusal.kind) {
    case "not-permitted":
      return describeNotPermitted(refusal);
    case "limit":
      return describeLimit(refusal);
    case "block-not-allowed":
      return `cannot exceed the policy of ${describePath(refusal.path)}: ${refusal.asked} MB of block storage asked for, none allowed`;
    case "cpuids-not-allowed":
      return `cannot exceed the policy of ${describePath(refusal.path)}: CPU ${list(refusal.asked)} asked for, ${list(refusal.allowed)} allowed`;
    case "bridges-not-allowed":
      return `cannot exceed the policy of ${describePath(refusal.path)}: bridge ${list(refusal.asked)} asked for, ${list(refusal.allowed)} allowed`;
    case "policy-exceeds":
      return `the policy of ${describePath(refusal.path)} is more than the one of ${describePath(refusal.above)} above it: ${describeExcess(refusal.excess)}`;
    case "too-many-delegations":
      return `${describePath(refusal.path)} has delegated ${refusal.limit} times already, and every one of these delegations is in use: one must be removed, or what is below it destroyed`;
    case "policy-outdated":
      return `the policy of ${describePath(refusal.path)} in this certificate is out of date, ${refusal.seconds} seconds older than one that was in force there or beside it: have the certificate issued again`;
    case "policy-not-found":
      return `there is no policy for ${describePath(refusal.path)}`;
    case "root-policy-stays":
      return "the policy of the root path is the host itself, it cannot be set or removed";
    case "label-needed":
      return `${describePath(refusal.path)} is a path, and this command needs the name of one thing in it`;
    case "command-unsupported":
      return `the command ${refusal.command} is not served here`;
    case "shutting-down":
      return "the daemon is shutting down, try again once it is back";
    case "host-failed":
      return `${refusal.doing}: ${refusal.problem}`;
    case "not-stored":
      return `it is done, but the disk did not take it: ${refusal.problem}; it is written with the next change, and until then another start of the daemon may undo it`;
    default:
      return describeThing(refusal);
  }
}

type AboutPolicies =
  | "not-permitted"
  | "limit"
  | "block-not-allowed"
  | "cpuids-not-allowed"
  | "bridges-not-allowed"
  | "policy-exceeds"
  | "too-many-delegations"
  | "policy-outdated"
  | "policy-not-found"
  | "root-policy-stays"
  | "label-needed"
  | "command-unsupported"
  | "shutting-down"
  | "host-failed"
  | "not-stored";

/** Refusals about one unikernel or block device. */
function describeThing(refusal: Exclude<Refusal, { kind: AboutPolicies }>): string {
  switch (refusal.kind) {
    case "unikernel-exists":
      return `unikernel ${printName(refusal.name)} exists already, use force to replace it`;
    case "unikernel-not-found":
      return `unikernel ${printName(refusal.name)} not found`;
    case "block-exists":
      return `block device ${printName(refusal.name)} exists already: give another name, or remove it first`;
    case "block-not-found":
      return `block device ${printName(refusal.name)} not found`;
    case "block-in-use":
      return `block device ${printName(refusal.name)} is in use by unikernel ${printName(refusal.by)}, which must be destroyed, or restarted without it`;
    case "block-busy":
      return `block device ${printName(refusal.name)} is just being made, filled or removed, try again once that is done`;
    case "block-twice":
      return `block device ${refusal.device} is attached twice`;
    case "block-name-invalid":
      return `${refusal.device} is no name of a block device`;
    case "block-too-small":
      return `the content is larger than the block device, which has ${refusal.size} MB and keeps what it had`;
    case "block-content-broken":
      return `the content did not arrive whole, the block device keeps what it had: ${refusal.problem}`;
    case "block-size-zero":
      return "a block device needs at least 1 MB";
    case "typ-unsupported":
      return `unikernels of type ${refusal.typ} do not run here, only solo5`;
    case "cpuids-empty":
      return "a unikernel needs at least one CPU to run on";
    case "memory-zero":
      return "a unikernel needs some memory";
    case "arguments-too-long":
      return `the arguments are ${refusal.length} characters long together, a tender takes ${refusal.limit}`;
    case "argument-not-text":
      return `argument ${refusal.index + 1} holds a byte that no command line can carry`;
    case "settings-too-many":
      return `${refusal.count} ${refusal.what === "codes" ? "exit codes" : "devices"} are given, ${refusal.limit} are the most`;
    case "boot-partition-too-long":
      return `the boot partition's name is ${refusal.length} characters long, ${refusal.limit} are the most`;
    case "mac-taken":
      return `MAC address ${printMac(refusal.mac)} is taken on bridge ${refusal.bridge}${refusal.by ? ` by unikernel ${printName(refusal.by)}` : ""}, give another one with --net=[name:]bridge@mac`;
    case "devices-differ":
      return `the image's manifest declares ${describeDevices(refusal.type, refusal.declared)}, given ${refusal.given.length > 1 ? "are" : "is"} ${describeDevices(refusal.type, refusal.given)}`;
    case "image-too-large":
      return `the image is larger than the ${refusal.limit} bytes of memory that it would be started with`;
    case "image-broken":
      return `the image did not arrive whole: ${refusal.problem}`;
    case "image-not-solo5":
      return `the image is no Solo5 unikernel: ${refusal.problem}`;
    case "image-damaged":
      return "the stored image is damaged, its digest is not what it was: create the unikernel again with --force";
    default:
      return describeLife(refusal);
  }
}

/** Refusals about how a unikernel is getting on, and about what runs it. */
function describeLife(refusal: LifeRefusal | TenderRefusal | OtherRefusal): string {
  switch (refusal.kind) {
    case "unikernel-busy":
      return `unikernel ${printName(refusal.name)} is in the middle of another ${refusal.doing}, try again once that is done`;
    case "overtaken-by-destroy":
      return `unikernel ${printName(refusal.name)} was destroyed by another command meanwhile`;
    case "unikernel-unkillable":
      return `unikernel ${printName(refusal.name)} did not end, not even when it was killed: the host's kernel holds it, and it goes once that lets go`;
    case "ended-at-once":
      return `it ended at once, ${describeExit(refusal.status)}`;
    case "start-failed":
      return `it could not start, ${afterwards[refusal.outcome]}: ${describeRefusal(refusal.cause)}`;
    default:
      return describeTender(refusal);
  }
}

function describeTender(refusal: TenderRefusal | OtherRefusal): string {
  switch (refusal.kind) {
    case "target-unsupported":
      return `the image is for ${refusal.target}, which has no tender here`;
    case "tender-not-offered":
      return `the image is for ${refusal.tender}, this host offers ${list(refusal.offered)}`;
    case "tender-missing":
      return `the image needs a ${refusal.tender} tender for ABI ${refusal.abi}, and none is installed on this host`;
    case "tender-wrong-abi":
      return `the image needs a ${refusal.tender} tender for ABI ${refusal.abi}, the one on this host speaks another`;
    case "tender-unusable":
      return `the ${refusal.tender} tender of this host does not work: ${refusal.problem}`;
    default:
      return describeHealth(refusal, describeRefusal);
  }
}

/** `alice`, or `the host` for the root path. */
export function describePath(path: Path): string {
  return path.length === 0 ? "the host" : printPath(path);
}

export function describeExcess(excess: PolicyExcess): string {
  switch (excess.kind) {
    case "unikernels":
    case "memory":
    case "block":
      return `${amount(excess.kind, excess.asked)} asked for, ${amount(excess.kind, excess.limit)} allowed`;
    case "block-not-allowed":
      return `${amount("block", excess.asked)} asked for, none allowed`;
    case "cpuids":
      return `CPU ${list(excess.asked)} asked for, ${list(excess.allowed)} allowed`;
    case "bridges":
      return `bridge ${list(excess.asked)} asked for, ${list(excess.allowed)} allowed`;
    default:
      return unreachable(excess);
  }
}

export function describeUnusable(unusable: Unusable): string {
  switch (unusable.kind) {
    case "no-unikernels":
      return "a policy for no unikernels allows nothing";
    case "no-cpuids":
      return "a policy without a CPU allows nothing";
    case "too-little-memory":
      return `a policy with ${unusable.memory} MB of memory allows nothing, it takes more than ${leastMemory} MB`;
    case "negative-block":
      return `a policy cannot allow ${unusable.block} MB of block storage`;
    default:
      return unreachable(unusable);
  }
}

export function describeNameError(error: NameError): string {
  switch (error.kind) {
    case "label-empty":
      return "a label is empty";
    case "label-too-long":
      return `a label has ${error.length} characters, at most ${maxLabelLength} are allowed`;
    case "label-bad-character":
      return `the label ${error.label} has a character that is not one of a-z, 0-9, - and . (nor may it begin with -)`;
    case "name-empty":
      return "the name is empty";
    case "path-too-deep":
      return `the path has ${error.depth} labels, more than any chain can spell`;
    default:
      return unreachable(error);
  }
}

export function describeHappening(happening: Happening): string {
  switch (happening.kind) {
    case "created":
    case "restarted":
    case "destroyed":
      return happening.kind;
    case "held":
      return "held: a delegation above it is revoked";
    case "ended": {
      const { status, failures, delay } = happening;
      const again = delay === undefined ? "" : `, started again in ${delay / 1000} s (end ${failures} in a row)`;
      return `ended ${describeExit(status)}${again}`;
    }
    default:
      return unreachable(happening);
  }
}

export function describeExit(status: ExitStatus): string {
  switch (status.kind) {
    case "exited":
      return `with status ${status.code}`;
    case "signalled":
      return `by signal ${status.signal}`;
    case "out-of-memory":
      return "by signal 9, out of memory";
    case "unknown":
      return "with an unknown status";
    default:
      return unreachable(status);
  }
}

function describeNotPermitted({ path, permission, permitted }: Extract<Refusal, { kind: "not-permitted" }>): string {
  const whose = path === undefined ? "this certificate" : `the certificate of ${describePath(path)}`;
  return `${whose} permits ${describePermissions(permitted)}, and this needs ${permission}`;
}

export function describePermissions(permitted: readonly Permission[]): string {
  return permitted.length === 0 ? "nothing" : `${list(permitted)} only`;
}

function describeLimit({ path, resource, limit, used, asked }: Extract<Refusal, { kind: "limit" }>): string {
  return `cannot exceed the policy of ${describePath(path)}: ${amount(resource, limit)} allowed, ${used} used, ${asked} more asked for`;
}

function amount(resource: Resource, count: number): string {
  const number = count === unlimited ? "any number of" : String(count);
  switch (resource) {
    case "unikernels":
      return `${number} ${count === 1 ? "unikernel" : "unikernels"}`;
    case "memory":
      return `${number} MB of memory`;
    case "block":
      return `${number} MB of block storage`;
    default:
      return unreachable(resource);
  }
}

function describeDevices(type: "block" | "net", names: readonly string[]): string {
  return names.length === 0 ? `no ${type} device` : `${type} ${list(names)}`;
}

function list(items: readonly (string | number)[]): string {
  return items.length === 0 ? "none" : items.join(", ");
}

/** What becomes of a unikernel after a replacement or a restart that failed. */
const afterwards: Readonly<Record<Extract<Refusal, { kind: "start-failed" }>["outcome"], string>> = {
  "old-runs": "and the old one runs again",
  "old-waits": "nor could the old one, which is tried again",
  waits: "and is tried again",
};
