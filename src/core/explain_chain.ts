/**
 * Explaining a chain by itself, away from any daemon: whether its own policies
 * and permissions allow what it asks for, were nothing else there.
 *
 * @module
 */
import { checkAdmission } from "./admission.ts";
import { boot } from "./boot.ts";
import type { Command } from "./command.ts";
import { explain } from "./explain.ts";
import type { Explanation } from "./explanation.ts";
import { type Policy, unlimited } from "./policy.ts";
import type { Event, Request, State, Step } from "./state.ts";
import { step } from "./supervisor.ts";
import { refuse } from "./transition.ts";
import { hostBridge } from "./unikernel.ts";

type Asking = Extract<Event, { kind: "request" }>;

/** @param now - ms since the Unix epoch */
export function explainChain(request: Request, now: number): Explanation {
  const command = byItself(request.command);
  const { state } = boot(hostFor(command), { policies: [], unikernels: [], blocks: [] });
  const asking = { kind: "request", client: 0, request: { ...request, command }, now } as const;
  const { levels, unchecked, ...rest } = explain(state, asking, decide);
  return { ...rest, levels: levels.map(({ usage: _, ...level }) => level), unchecked: ["usage", ...unchecked] };
}

/** What concerns something that exists is decided as far as who asks goes; what is new, in an empty host. */
function decide(state: State, asking: Asking): Step {
  const { kind } = asking.request.command;
  if (kind === "unikernel-create" || kind === "block-add") return step(state, asking);
  const barred = checkAdmission(state, asking.request, asking.now);
  return { state, effects: barred === undefined ? [] : refuse(asking.client, barred) };
}

/** Whether its block devices are there is not known. */
function byItself(command: Command): Command {
  return command.kind === "unikernel-create" ? { ...command, config: { ...command.config, blocks: [] } } : command;
}

/** A host that holds nobody back. */
function hostFor(command: Command): Policy {
  const { cpuids, bridges } = command.kind === "unikernel-create" ? command.config : { cpuids: [], bridges: [] };
  return {
    unikernels: unlimited,
    memory: unlimited,
    block: unlimited,
    cpuids,
    bridges: bridges.map(hostBridge),
  };
}
