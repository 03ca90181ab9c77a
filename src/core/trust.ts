/**
 * Requests that change who is let in: locks, and newer revocation lists.
 *
 * @module
 */
import { chainOf, checkAdmission } from "./admission.ts";
import { describePath } from "./describe.ts";
import { findLock, putLock, removeLock } from "./lock.ts";
import { maxDepth, type Path } from "./name.ts";
import type { Refusal } from "./refusal.ts";
import { err, ok, type Result } from "./result.ts";
import { putList, type RevocationList } from "./revocation.ts";
import type { Effect, Event, State, Step } from "./state.ts";
import { answer, refuse } from "./transition.ts";

type Asking = Extract<Event, { kind: "request" }>;

/** Sets or takes away the lock of a path, on the disk before anybody hears of it. */
export function changeLock(state: State, { client, request, now }: Asking, path: Path): Result<Step, Refusal> {
  const target = [...request.name.path, ...path];
  if (target.length > maxDepth) return err({ kind: "lock-too-deep", depth: target.length, limit: maxDepth });
  const owner = chainOf(request) ?? [];
  const locking = request.command.kind === "lock";
  const changed = locking ? putLock(state.locks, target, owner, now) : removeLock(state.locks, target, owner);
  if (!changed.ok) return changed;
  const locks = changed.value;
  const said = `${locking ? "locked" : "unlocked"} ${describePath(target)}`;
  if (locks === state.locks) return ok({ state, effects: answer(client, said) });
  const lock = findLock(locks, target);
  const change = { kind: "lock", path: target, ...(lock === undefined ? {} : { lock }) } as const;
  const effects: readonly Effect[] = [{ kind: "commit", changes: [change] }, { kind: "recheck" }];
  return ok({ state: { ...state, locks }, effects: [...effects, ...answer(client, said)] });
}

/**
 * Puts a newer list in force.
 *
 * Who brings it is judged as though it were in force: the one whose list was
 * not renewed in time can renew it, and nobody revokes himself by mistake.
 */
export function takeList(state: State, event: Extract<Event, { kind: "revoked" }>): Step {
  const { client, request, list, crl } = event;
  if (state.stopping) return { state, effects: refuse(client, { kind: "shutting-down" }) };
  const taken = judgeList(state, event);
  if (!taken.ok) return { state, effects: refuse(client, taken.error) };
  if (taken.value === undefined) return { state, effects: answer(client, `no modification of ${called(list)}`) };
  const path = chainOf(request) ?? [];
  return {
    state: taken.value,
    effects: [
      { kind: "commit", changes: [{ kind: "crl", authority: list.authority, path, crl }] },
      { kind: "recheck" },
      ...answer(client, `took ${called(list)}`),
    ],
  };
}

/** The state with the list in force; undefined where it is already. */
function judgeList(
  state: State,
  { request, list, now }: Extract<Event, { kind: "revoked" }>,
): Result<State | undefined, Refusal> {
  const chain = chainOf(request);
  const own = request.certificates?.[0]?.issuer;
  if (chain !== undefined && own !== list.authority) return err({ kind: "revocations-foreign", issuer: list.issuer });
  const changed = putList(state.revocation, chain ?? [], list);
  if (!changed.ok) return changed;
  const after = { ...state, revocation: changed.value ?? state.revocation };
  const refusal = checkAdmission(after, request, now);
  if (refusal !== undefined) return err(refusal);
  return ok(changed.value && after);
}

function called({ issuer, number }: RevocationList): string {
  return `revocation list ${number} of ${issuer}`;
}
