/**
 * What a certificate lets its holder, and everyone below it, do: commands by class.
 *
 * Certificates can only narrow: a command must be permitted by each of its
 * path, the leaf included, and one that says nothing of permissions permits
 * everything.
 *
 * @module
 */
import type { Command, Level } from "./command.ts";
import type { Path } from "./name.ts";
import type { Refusal } from "./refusal.ts";
import { unreachable } from "./result.ts";

/** The classes, in the order in which they are listed. */
export const permissions = [
  "info",
  "console",
  "download",
  "create",
  "replace",
  "restart",
  "destroy",
  "block",
  "policy",
  "lock",
  "revoke",
  "audit",
] as const;

export type Permission = (typeof permissions)[number];

/** What a command and the certificates that it came with say of permissions. */
export interface Permitted {
  readonly command: Command;
  readonly levels: readonly Pick<Level, "label" | "permissions">[];
  /** The leaf's. */
  readonly permissions?: readonly Permission[];
}

/** The class of a command. Absent: it does nothing but carry others, each of which is judged by its own. */
export function permissionOf(command: Command): Permission | undefined {
  switch (command.kind) {
    case "unikernel-info":
    case "status":
    case "policy-info":
    case "block-info":
    case "stats-add":
    case "stats-remove":
    case "stats-subscribe":
    case "stats-initial":
    case "log-subscribe":
    case "locks":
      return "info";
    case "console-add":
    case "console-subscribe":
    case "console-list-inactive":
      return "console";
    case "unikernel-get":
    case "block-dump":
      return "download";
    case "unikernel-create":
      return command.replace ? "replace" : "create";
    case "unikernel-restart":
      return command.settings === undefined ? "restart" : "replace";
    case "unikernel-destroy":
      return "destroy";
    case "block-add":
    case "block-remove":
    case "block-set":
      return "block";
    case "policy-add":
    case "policy-remove":
      return "policy";
    case "lock":
    case "unlock":
      return "lock";
    case "push-crl":
      return "revoke";
    case "audit":
      return "audit";
    case "session":
    case "explain":
      return undefined;
    default:
      return unreachable(command);
  }
}

/** Why the command is not permitted, if it is not: the first certificate that does not, from the top. */
export function checkPermission(request: Permitted): Refusal | undefined {
  const { command, levels } = request;
  const permission = permissionOf(command);
  if (permission === undefined) return undefined;
  const forbids = ({ permissions: permitted }: Pick<Level, "permissions">): boolean =>
    permitted?.includes(permission) === false;
  const level = levels.find(forbids);
  if (level === undefined && !forbids(request)) return undefined;
  const { permissions: permitted = [] } = level ?? request;
  if (level === undefined) return { kind: "not-permitted", permission, permitted };
  const path: Path = levels.slice(0, levels.indexOf(level) + 1).map(({ label }) => label);
  return { kind: "not-permitted", permission, permitted, path };
}

/** What both permit; absent permits everything. */
export function bothPermit(
  one: readonly Permission[] | undefined,
  other: readonly Permission[] | undefined,
): readonly Permission[] | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return one.filter((permission) => other.includes(permission));
}

/** The class of that name. */
export function parsePermission(name: string): Permission | undefined {
  return permissions.find((known) => known === name);
}

/** In the order of listings, each once. */
export function sortPermissions(some: readonly Permission[]): readonly Permission[] {
  return permissions.filter((permission) => some.includes(permission));
}
