/** Values that many tests need, short to write. */
import type { Level } from "../../src/core/command.ts";
import type { Label, Name, Path } from "../../src/core/name.ts";
import type { Policy } from "../../src/core/policy.ts";
import type { UnikernelConfig } from "../../src/core/unikernel.ts";

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
