/**
 * Whether somebody is let in at all, before anything is decided about what he
 * asks for: by locks, by what was revoked, and by what his certificates permit.
 *
 * Asked again of everyone who is still there when locks or lists change.
 *
 * @module
 */
import type { Command } from "./command.ts";
import { type Asker, checkLocked, type Locks } from "./lock.ts";
import type { Path } from "./name.ts";
import { checkPermission } from "./permission.ts";
import type { Refusal } from "./refusal.ts";
import { checkRevoked, type Link, type Revocation } from "./revocation.ts";
import type { Request } from "./state.ts";

/** What admission goes by. */
export interface Gates {
  readonly locks: Locks;
  readonly revocation: Revocation;
}

/** @param now - ms since the Unix epoch */
export function checkAdmission({ locks, revocation }: Gates, request: Request, now: number): Refusal | undefined {
  return (
    (locks && checkLocked(locks, askerOf(request))) ??
    (revocation.lists && checkRevoked(revocation, linksOf(request), now)) ??
    checkPermission(request)
  );
}

/**
 * The same of who brings a revocation list, as far as it can be said before the list is read: it may be about his leaf,
 * and the one that his authority has not renewed.
 */
export function checkBringer({ locks, revocation }: Gates, request: Request, now: number): Refusal | undefined {
  const rules = { ...revocation.rules, stale: "accept" } as const;
  return (
    checkLocked(locks, askerOf(request)) ??
    checkRevoked({ ...revocation, rules }, linksOf({ levels: request.levels }), now) ??
    checkPermission(request)
  );
}

function askerOf(request: Request): Asker {
  const chain = chainOf(request);
  const asker = { target: request.name.path, takes: takes(request.command) };
  return chain === undefined ? asker : { ...asker, chain };
}

/** Whether a command takes resources, so that the policies of its chain must hold for it. */
export function takes(command: Command): boolean {
  switch (command.kind) {
    case "unikernel-create":
    case "block-add":
      return true;
    case "unikernel-restart":
      return command.settings !== undefined;
    default:
      return false;
  }
}

/** The path of the chain that a request came with; absent for a local one. */
export function chainOf({ levels, certificates }: Request): Path | undefined {
  return levels.length === 0 && certificates === undefined ? undefined : levels.map(({ label }) => label);
}

/** The certificates of a chain: delegates from the top, then those that give no path. */
export function* linksOf({ levels, certificates = [] }: Pick<Request, "levels" | "certificates">): Generator<Link> {
  const path: Path[number][] = [];
  for (const { label, certificate } of levels) {
    path.push(label);
    yield { whose: { kind: "delegate", path: [...path] }, certificate };
  }
  for (const [index, certificate] of certificates.entries()) {
    yield { whose: { kind: index === 0 ? "client" : "authority" }, certificate };
  }
}
