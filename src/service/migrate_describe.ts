/**
 * The English of moving from albatross and back: what went, what was left out, what went wrong.
 *
 * @module
 */
import { describeDer } from "../codec/describe.ts";
import { printName } from "../core/name.ts";
import { type Result, unreachable } from "../core/result.ts";
import type { ImageError } from "../host/image.ts";
import { describeErrno, describeHostError } from "./host_describe.ts";
import type { Migrated, MigrationError, Remark } from "./migrate.ts";

/** What a command says, and how it ends. */
export interface Said {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number;
}

/** Status 1 also where a unikernel was left out. */
export function describeMigration(done: "took" | "wrote", result: Result<Migrated, MigrationError>): Said {
  if (!result.ok) return { stdout: "", stderr: `fulmard: ${describeMigrationError(result.error)}\n`, status: 1 };
  const { unikernels, policies, remarks } = result.value;
  const lost = remarks.some(({ kind }) => kind === "path-left-out" || kind === "image-left-out");
  return {
    stdout: `${done} ${count(unikernels, "unikernel", "unikernels")}, ${count(policies, "policy", "policies")}\n`,
    stderr: remarks.map((remark) => `fulmard: ${describeRemark(remark)}\n`).join(""),
    status: lost ? 1 : 0,
  };
}

function describeRemark(remark: Remark): string {
  switch (remark.kind) {
    case "root-policy-left-out":
      return "the root's policy is left out: this host's own takes its place";
    case "path-left-out":
      return `${printName(remark.name)} is left out: it is the name of a path, not of a unikernel`;
    case "image-left-out":
      return `${printName(remark.name)} is left out: its image ${describeImage(remark.error)}`;
    case "block-missing":
      return `${printName(remark.name)} wants the block device ${printName(remark.device)}, which is not here yet`;
    case "bhyve":
      return `${printName(remark.name)} is for bhyve: it is kept, and not run here`;
    default:
      return unreachable(remark);
  }
}

function describeMigrationError(error: MigrationError): string {
  switch (error.kind) {
    case "state-unreadable":
      return `${error.path} is no state file of albatross: ${describeDer(error.error)}`;
    case "store-not-empty": {
      const held = `${count(error.unikernels, "unikernel", "unikernels")} and ${count(error.policies, "policy", "policies")}`;
      return `there are ${held} already; --replace puts what the file holds in their place`;
    }
    case "record-unreadable":
      return `the store's entry '${error.key}' cannot be read`;
    case "image-missing":
      return `the image of ${printName(error.name)} is not there`;
    case "image-damaged":
      return `the image of ${printName(error.name)} is not what it was when it was stored`;
    case "state-too-large":
      return `the images are more than a state file of ${error.limit} bytes holds`;
    case "file":
      return `${error.path}: ${describeErrno(error.code)}`;
    case "folder-closed":
    case "store-locked":
    case "store-full":
    case "store-failed":
    case "io-failed":
      return describeHostError(error);
    default:
      return unreachable(error);
  }
}

/** Without its subject: `is no zlib stream (Z_DATA_ERROR)`. */
function describeImage(error: ImageError): string {
  switch (error.kind) {
    case "stream-too-large":
      return `is more than ${error.limit} bytes once inflated, more than the memory that it asks for`;
    case "stream-corrupt":
      return `is no whole zlib stream (${error.code})`;
    case "stream-inflates-too-much":
      return `has bytes that inflate to more than ${error.limit} each`;
    case "stream-trailing":
      return `has ${error.length} bytes behind its zlib stream`;
    case "stream-broken":
      return `cannot be read (${error.reason})`;
    case "io-failed":
      return `cannot be stored (${error.code})`;
    default:
      return unreachable(error);
  }
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}
