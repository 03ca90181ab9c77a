/**
 * Whether and when a unikernel that ended is started again.
 *
 * @module
 */
import type { TenderKind } from "./manifest.ts";
import type { FailBehaviour } from "./unikernel.ts";

/** How a tender ended; unknown where nobody could see it. */
export type ExitStatus =
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "signalled"; readonly signal: number }
  /** Killed by the kernel, as its cgroup had no memory left. */
  | { readonly kind: "out-of-memory" }
  | { readonly kind: "unknown" };

/**
 * Whether it is started again after this end.
 *
 * Never after a signal, nor after the codes with which a Solo5 tender or
 * MirageOS's argument parser say that it would fail again at once.
 */
export function shouldRestart(behaviour: FailBehaviour, status: ExitStatus): boolean {
  if (behaviour.kind === "quit" || status.kind !== "exited") return false;
  if (neverRestart.has(status.code)) return false;
  return behaviour.codes.length === 0 || behaviour.codes.includes(status.code);
}

/** Whether an end at once says that it could not start at all: the tender or its shell refused, or it crashed. */
export function couldNotStart(status: ExitStatus): boolean {
  return (
    status.kind === "signalled" ||
    status.kind === "out-of-memory" ||
    (status.kind === "exited" && (neverRestart.has(status.code) || noProgram.has(status.code)))
  );
}

/**
 * What a tender's end says about the guest's.
 *
 * QEMU loses a virtio guest's status: 83 (isa-debug-exit) and 0 mean that it
 * ended, with whatever code.
 */
export function guestStatus(tender: TenderKind, status: ExitStatus): ExitStatus {
  const lost = tender === "virtio" && status.kind === "exited" && status.code === qemuDebugExit;
  return lost ? { kind: "exited", code: 0 } : status;
}

/** Whether the end says that the unikernel did not understand `--name=`: it is tried once without. */
export function refusedName(addName: boolean, status: ExitStatus): boolean {
  return addName && status.kind === "exited" && status.code === unknownArgument;
}

/**
 * Milliseconds until the next start.
 *
 * @param failures - how many ends in a row came before `lastingLife`, this one included
 */
export function backOff(failures: number): number {
  return Math.min(longestDelay, shortestDelay * 2 ** Math.max(0, failures - 1));
}

/** Failures in a row, given what was counted and how long it lived (ms): a lasting life clears the count. */
export function countFailure(failures: number, lived: number): number {
  return lived >= lastingLife ? 1 : failures + 1;
}

/** 1: the tender refused to start; 60 to 64: the unikernel refused its arguments. */
const neverRestart: ReadonlySet<number> = new Set([1, 60, 61, 62, 63, 64]);
const unknownArgument = 64;
/** What a shell says of a program that it cannot run. */
const noProgram: ReadonlySet<number> = new Set([126, 127]);
/** (41 << 1) | 1, where 41 is what Solo5 writes to the exit port. */
const qemuDebugExit = 83;

/** Milliseconds: from one second doubling to a minute, so that a boot loop costs the host next to nothing. */
const shortestDelay = 1000;
const longestDelay = 60_000;
/** Milliseconds of life after which an end counts as a new story. */
const lastingLife = 60_000;

/** Milliseconds within which an end counts as a start that failed: a tender that refuses does so within 20. */
export const trialTime = 500;
