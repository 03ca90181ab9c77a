/** Values that many tests need, short to write. */
import type { Command, Level } from "../../src/core/command.ts";
import type { Label, Name, Path } from "../../src/core/name.ts";
import type { Policy } from "../../src/core/policy.ts";
import type { ClientId } from "../../src/core/state.ts";
import type { UnikernelConfig } from "../../src/core/unikernel.ts";
import type { FakeHost } from "./fake_host.ts";

/** `alice/bob/` is a path, `alice/bob` the label bob at alice. */
export function name(text: string): Name {
  const labels = text.split("/") as Label[];
  const label = labels.pop() ?? "";
  return label === "" ? { path: labels } : { path: labels, label: label as Label };
}

export function path(text: string): Path {
  return text === "" ? [] : (text.split("/") as Label[]);
}

export function policy(changes: Partial<Policy> = {}): Policy {
  return { unikernels: 2, cpuids: [0], memory: 100, block: 10, bridges: ["service"], ...changes };
}

/** The root policy of a host that holds nobody back. */
export const wide: Policy = {
  unikernels: Number.POSITIVE_INFINITY,
  cpuids: [0, 1],
  memory: 1_000_000,
  block: 1_000_000,
  bridges: ["service", "other"],
};

export function config(changes: Partial<UnikernelConfig> = {}): UnikernelConfig {
  const { memory = 10, ...rest } = changes;
  return {
    typ: "solo5",
    failBehaviour: { kind: "quit" },
    addName: false,
    cpuids: [0],
    memory,
    blocks: [],
    bridges: [],
    cpus: 1,
    ...rest,
  };
}

/** The levels of a chain, `[label, policy, notBefore]` each, from the top. */
export function chain(...levels: readonly (readonly [string, Policy, number?])[]): readonly Level[] {
  return levels.map(([label, granted, notBefore = 1]) => ({
    label: label as Label,
    policy: granted,
    notBefore,
    notAfter: notBefore + 1000,
    fingerprint: new Uint8Array(32),
  }));
}

/** A create whose image follows as a stream. */
export function create(changes: Partial<UnikernelConfig> = {}, replace = false): Command {
  return {
    kind: "unikernel-create",
    config: config(changes),
    image: { compressed: false, bytes: new Uint8Array() },
    replace,
  };
}

export const destroy: Command = { kind: "unikernel-destroy" };

/** Asks, and has the host do well whatever is to be done; the text of the success, or the refusal. */
export function outcome(host: FakeHost, text: string, command: Command, levels: readonly Level[] = []): unknown {
  const client = host.ask(name(text), command, levels);
  host.settle();
  return told(host, client);
}

/** What a client was told: the text of a success, or the refusal. */
export function told(host: FakeHost, client: ClientId): unknown {
  const reply = host.replies.get(client);
  if (reply === undefined) return undefined;
  if (!reply.ok) return reply.refusal;
  return reply.success.kind === "string" ? reply.success.text : reply.success;
}

/** The unikernels that run, as `alice/=vm`. */
export function running(host: FakeHost): readonly string[] {
  return host.runningNames().toSorted((a, b) => (a < b ? -1 : 1));
}
