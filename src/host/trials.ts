/**
 * The trials of unikernels that have just started: each lasts until its
 * unikernel is healthy, its time is over, or its unikernel has ended.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Health } from "../core/health.ts";
import type { Name } from "../core/name.ts";
import { type ProbeFault, parseProbe } from "../core/probe.ts";
import type { Refusal } from "../core/refusal.ts";
import { err, type Result } from "../core/result.ts";
import type { Effect, Event, Incarnation } from "../core/state.ts";
import { hostBridge, type UnikernelConfig } from "../core/unikernel.ts";
import { checkAimed, probe, probedOf } from "./probe.ts";

type Trial = Extract<Effect, { kind: "trial" }>;

type Verdict = { readonly kind: "due" } | { readonly kind: "unhealthy"; readonly fault?: ProbeFault };

export interface Listening {
  /** Whether a unikernel that runs since then prints in time what it should. */
  prints(name: Name, health: Health, since: number, signal: AbortSignal): Promise<boolean>;
}

export interface Plugged {
  /** The taps of a run, in the order of its network devices. */
  taps(run: number): readonly string[];
  /** Whether its tender runs: its cage is made before, and how it ended is told after; both may take their time. */
  runs(run: number): boolean;
}

export class Trials {
  readonly #usual: number;
  readonly #consoles: Listening;
  readonly #guests: Plugged;
  readonly #running: Map<number, AbortController> = new Map();
  #closed = false;

  /** @param usual - milliseconds that a start takes to prove itself */
  constructor(usual: number, consoles: Listening, guests: Plugged) {
    this.#usual = usual;
    this.#consoles = consoles;
    this.#guests = guests;
  }

  /** @param tell - what came of it; nothing where the unikernel has ended first, which is dealt with elsewhere */
  async look(trial: Trial, tell: (event: Event) => void): Promise<void> {
    if (this.#closed) return;
    const { name, run } = trial;
    const ending = new AbortController();
    this.#running.set(run, ending);
    const { signal } = ending;
    const verdict = await this.#judge(trial, signal);
    this.#running.delete(run);
    if (!signal.aborted) tell({ ...verdict, name, run });
  }

  /** The unikernel has ended. */
  end(run: number): void {
    this.#running.get(run)?.abort();
  }

  /** No trial is of interest any more. */
  close(): void {
    this.#closed = true;
    for (const ending of this.#running.values()) ending.abort();
  }

  async #judge({ name, run, since, health, incarnation }: Trial, signal: AbortSignal): Promise<Verdict> {
    if (health === undefined || (health.pattern ?? health.probe) === undefined) {
      await this.#untilItRuns(run, signal);
      await sleep(health?.within ?? this.#usual, undefined, { signal }).catch(() => undefined);
      await this.#untilItRuns(run, signal);
      return { kind: "due" };
    }
    const printed = health.pattern === undefined || this.#consoles.prints(name, health, since, signal);
    const fault = incarnation && (await this.#probe(run, health, incarnation, signal));
    const healthy = (await printed) && fault === undefined;
    return healthy ? { kind: "due" } : { kind: "unhealthy", ...(fault === undefined ? {} : { fault }) };
  }

  async #untilItRuns(run: number, signal: AbortSignal): Promise<void> {
    while (!(signal.aborted || this.#guests.runs(run))) await sleep(runInterval);
  }

  async #probe(
    run: number,
    { probe: text, within }: Health,
    incarnation: Incarnation,
    signal: AbortSignal,
  ): Promise<ProbeFault | undefined> {
    const asked = text === undefined ? undefined : parseProbe(text);
    if (asked?.ok !== true) return undefined;
    return probe(asked.value, probedOf(incarnation, this.#guests.taps(run)), within, signal);
  }
}

/** The refusal of health that a unikernel on these bridges can never show. */
export async function findHopeless(
  health: Health | undefined,
  { bridges }: UnikernelConfig,
): Promise<Result<never, Refusal> | undefined> {
  const asked = health?.probe === undefined ? undefined : parseProbe(health.probe);
  const fault = asked?.ok === true ? await checkAimed(asked.value, bridges.map(hostBridge)) : undefined;
  return fault === undefined ? undefined : err({ kind: "probe-unfit", fault });
}

/** Milliseconds between looks at whether a tender runs. */
const runInterval = 20;
