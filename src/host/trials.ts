/**
 * The trials of unikernels that must show more than that they run: each looks
 * until its unikernel is healthy, its time is over, or its unikernel has ended.
 *
 * @module
 */
import type { Health } from "../core/health.ts";
import type { Name } from "../core/name.ts";
import { type ProbeFault, parseProbe } from "../core/probe.ts";
import type { Refusal } from "../core/refusal.ts";
import { err, type Result } from "../core/result.ts";
import type { Effect, Event, Incarnation } from "../core/state.ts";
import { hostBridge, type UnikernelConfig } from "../core/unikernel.ts";
import { checkAimed, probe, probedOf } from "./probe.ts";

type Trial = Extract<Effect, { kind: "trial" }>;

/** Health that is more than to run for a while. */
type Sign = Health & ({ readonly pattern: string } | { readonly probe: string });

export function looksFor(health: Health | undefined): health is Sign {
  return (health?.pattern ?? health?.probe) !== undefined;
}

export interface Listening {
  /** Whether a unikernel that runs since then prints in time what it should. */
  prints(name: Name, health: Health, since: number, signal: AbortSignal): Promise<boolean>;
}

export interface Plugged {
  /** The taps of a run, in the order of its network devices. */
  taps(run: number): readonly string[];
}

export class Trials {
  readonly #consoles: Listening;
  readonly #guests: Plugged;
  readonly #running: Map<number, AbortController> = new Map();
  #closed = false;

  constructor(consoles: Listening, guests: Plugged) {
    this.#consoles = consoles;
    this.#guests = guests;
  }

  /** @param tell - what came of it; nothing where the unikernel has ended first, which is dealt with elsewhere */
  async look({ name, run, since, incarnation }: Trial, health: Sign, tell: (event: Event) => void): Promise<void> {
    if (this.#closed) return;
    const ending = new AbortController();
    this.#running.set(run, ending);
    const { signal } = ending;
    const printed = health.pattern === undefined || this.#consoles.prints(name, health, since, signal);
    const fault = await this.#probe(run, health, incarnation, signal);
    const healthy = (await printed) && fault === undefined;
    this.#running.delete(run);
    if (signal.aborted) return;
    if (healthy) tell({ kind: "due", name, run });
    else tell({ kind: "unhealthy", name, run, ...(fault === undefined ? {} : { fault }) });
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

  async #probe(
    run: number,
    health: Health,
    incarnation: Incarnation | undefined,
    signal: AbortSignal,
  ): Promise<ProbeFault | undefined> {
    if (health.probe === undefined || incarnation === undefined) return undefined;
    const asked = parseProbe(health.probe);
    if (!asked.ok) return { kind: "probe-unaddressed" };
    return probe(asked.value, probedOf(incarnation, this.#guests.taps(run)), health.within, signal);
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
