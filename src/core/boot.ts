/**
 * The supervisor's first state: what was stored and what the host has, and the
 * unikernels that are to run again, in the order of their startup.
 *
 * @module
 */
import { putGrant } from "./delegation.ts";
import type { Name, Path } from "./name.ts";
import type { Policy } from "./policy.ts";
import { empty, putBlock, putUnikernel, type Resources } from "./resources.ts";
import type { Effect, State, Step, StoredUnikernel, Unikernel } from "./state.ts";
import { demandOf } from "./transition.ts";

export interface Stored {
  readonly policies: readonly { readonly path: Path; readonly policy: Policy; readonly notBefore: number }[];
  readonly unikernels: readonly { readonly name: Name; readonly record: StoredUnikernel }[];
  /** Found in the block directory; sizes in MB. */
  readonly blocks: readonly { readonly name: Name; readonly size: number }[];
}

/** Reserves all that was stored, asking no policy: what was there stays. Its images are held until they are prepared. */
export function boot(host: Policy, stored: Stored): Step {
  let resources: Resources<Unikernel> = putGrant(empty, [], { policy: host, notBefore: 0, used: 0, shared: true });
  for (const { path, policy, notBefore } of stored.policies) {
    if (path.length > 0) resources = putGrant(resources, path, { policy, notBefore, used: 0, shared: true });
  }
  for (const { name, size } of stored.blocks) resources = putBlock(resources, name, { size, state: "ready" });
  const effects: Effect[] = [];
  const inOrder = stored.unikernels.toSorted((a, b) => startup(a.record) - startup(b.record));
  for (const [job, { name, record }] of inOrder.entries()) {
    const { config, digest } = record;
    const image = { kind: "stored", digest } as const;
    const unikernel: Unikernel = {
      phase: { kind: "preparing" },
      failures: 0,
      change: { job, config, image, grants: [] },
    };
    resources = putUnikernel(resources, name, { demand: demandOf(config), unikernel });
    effects.push({ kind: "prepare", name, job, config, image });
  }
  const state: State = { resources, macs: undefined, counter: inOrder.length, stopping: false };
  const holds = inOrder.map(({ record }): Effect => ({ kind: "hold-image", digest: record.digest }));
  return { state, effects: [...holds, ...effects] };
}

function startup({ config }: StoredUnikernel): number {
  return config.startup ?? defaultStartup;
}

/** Between the first (0) and the last, as albatross counts an absent startup. */
const defaultStartup = 50;
