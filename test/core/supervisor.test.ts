import fc from "fast-check";
import { expect } from "vitest";
import type { Label } from "../../src/core/name.ts";
import { FakeHost, well } from "./fake_host.ts";
import { everyLaw } from "./laws.ts";
import { entries, flatten } from "./naive.ts";
import { property } from "./property.ts";
import { type Action, act, actions, ask, hostPolicy, lives, manner } from "./requests.ts";

property("step keeps every law, whatever is asked and however the host answers", actions, everyLawHolds, 120);
property("step keeps every law, however two unikernels are created, replaced and destroyed", lives, everyLawHolds, 200);

property(
  "step leaves nothing of a request that is refused, be it at once or by what the host finds",
  fc.tuple(actions, ask, fc.array(manner, { maxLength: 4 })),
  ([list, asking, manners]) => {
    const host = new FakeHost(hostPolicy, everyLaw);
    for (const one of list) act(host, one);
    host.settle();
    const before = whatIsThere(host);
    const client = host.asked.size + 1;
    act(host, asking);
    for (const how of manners) host.answer(0, how);
    host.settle();
    if (host.replies.get(client)?.ok === false) expect(whatIsThere(host)).toEqual(before);
  },
  100,
);

property("boot brings all back that was acknowledged, wherever the daemon was killed", lives, (list) => {
  const killed = new FakeHost(hostPolicy, everyLaw);
  for (const one of list) act(killed, one);
  const blocks = [...flatten(killed.state.resources).blocks.values()].map(({ path, label, value: { size } }) => {
    return { name: { path: path.split("/").slice(0, -1) as Label[], label }, size };
  });
  const host = new FakeHost(hostPolicy, undefined, {
    policies: [],
    past: [],
    unikernels: [...killed.unikernels.values()],
    blocks,
  });
  host.settle();
  expect(new Set(host.runningNames())).toEqual(new Set(killed.unikernels.keys()));
  for (const name of killed.acknowledged) expect(host.runningNames()).toContain(name);
});

/** All laws hold at every step, everybody is answered, and of what is destroyed nothing stays. */
function everyLawHolds(list: readonly Action[]): void {
  const host = new FakeHost(hostPolicy, everyLaw);
  for (const one of list) act(host, one);
  host.settle();
  expect(new Set(host.replies.keys()), "everyone is answered").toEqual(new Set(host.asked.keys()));
  for (const { path, label } of [...flatten(host.state.resources).unikernels.values()]) {
    const labels = path.split("/").slice(0, -1) as Label[];
    host.ask({ path: labels, label }, { kind: "unikernel-destroy" });
  }
  host.settle({ ...well, status: { kind: "signalled", signal: 15 } });
  expect(new Set(host.replies.keys()), "everyone is answered").toEqual(new Set(host.asked.keys()));
  expect(flatten(host.state.resources).unikernels.size, "destroyed and still there").toBe(0);
  expect(host.guests.size, "guests that nobody knows").toBe(0);
  expect(host.unikernels.size, "records of what is gone").toBe(0);
  expect(host.state.macs, "addresses that nobody has").toBeUndefined();
  const kept = [...host.uses.values()].filter((uses) => uses !== 0);
  expect(kept, "images that are kept for nobody").toEqual([]);
}

/** What exists, whatever number its runs and requests have. */
function whatIsThere({ state, unikernels: stored }: FakeHost): unknown {
  const { policies, unikernels, blocks } = flatten(state.resources);
  return {
    policies: new Map([...policies].map(([path, { policy, notBefore }]) => [path, { policy, notBefore }])),
    unikernels: [...unikernels].map(([key, { value }]) => [key, value.demand, value.unikernel.current?.digest]),
    blocks: [...blocks],
    macs: entries(state.macs),
    stored: new Map(stored),
  };
}
