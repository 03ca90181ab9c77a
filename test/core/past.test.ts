import fc from "fast-check";
import { expect, test } from "vitest";
import { boot, type Stored } from "../../src/core/boot.ts";
import type { Level } from "../../src/core/command.ts";
import { type Granted, insertLevels, insertPolicy, removePolicy } from "../../src/core/delegation.ts";
import type { Label } from "../../src/core/name.ts";
import { type Memory, memoriesOf, type Past, putMemory, recall, remember } from "../../src/core/past.ts";
import { findGrant, findPolicy, putUnikernel, type Resources } from "../../src/core/resources.ts";
import type { Unikernel } from "../../src/core/state.ts";
import { nodeAt } from "../../src/core/trie.ts";
import { chain, name, path, policy, wide } from "./fixture.ts";
import { property } from "./property.ts";

const [small, large] = [policy({ unikernels: 1 }), policy({ unikernels: 2 })];

function remembered(most: number, ...entries: readonly (readonly [string, number])[]): Past | undefined {
  return entries.reduce<Past | undefined>((past, [at, time]) => remember(past, path(at), time, most).past, undefined);
}

test("recall tells how new the newest was that went, of exactly that path", () => {
  const past = remembered(100, ["bob", 5], ["bob", 3], ["bob/carol", 9], ["", 7]);
  expect(["", "bob", "bob/carol", "carol"].map((at) => recall(past, path(at)))).toEqual([
    7,
    5,
    9,
    Number.NEGATIVE_INFINITY,
  ]);
});

test("remember gives the oldest up for a floor, below which nothing counts as never seen", () => {
  const past = remembered(4, ["a", 1], ["b", 2], ["c", 3], ["d", 4], ["e", 5]);
  expect(["a", "b", "c", "d", "e", "new"].map((at) => recall(past, path(at)))).toEqual([3, 3, 3, 4, 5, 3]);
  expect(past?.count).toBe(3);
});

test("remember gives up where most is kept: who mints without end blurs his own past alone", () => {
  let past = remembered(300, ["bob", 1], ["bob/carol", 2]);
  for (let index = 0; index < 2000; index++) past = remember(past, path(`eve/sub${index}`), 1000 + index, 300).past;
  expect(past?.count).toBeLessThanOrEqual(300);
  expect(["bob", "bob/carol", "dave", "bob/new"].map((at) => recall(past, path(at)))).toEqual([
    1,
    2,
    Number.NEGATIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ]);
  expect(recall(past, path("eve/sub0"))).toBeGreaterThanOrEqual(1000);
});

const label = fc.constantFrom("a", "b", "c");
const time = fc.integer({ min: 0, max: 20 });

property(
  "remember keeps to its bound, never recalls less than there was, and tells the store all of it",
  fc.array(fc.tuple(fc.array(fc.constantFrom(..."abcdefgh"), { maxLength: 3 }), time), { maxLength: 60 }),
  (entries) => {
    let past: Past | undefined;
    const newest = new Map<string, number>();
    const stored = new Map<string, Memory>();
    for (const [labels, at] of entries) {
      const next = remember(past, labels as Label[], at, 12);
      past = next.past;
      newest.set(labels.join("/"), Math.max(at, newest.get(labels.join("/")) ?? 0));
      for (const memory of next.memories) stored.set(`${memory.kind} ${memory.path.join("/")}`, memory);
      expect(past.count).toBeLessThanOrEqual(12);
      for (const [key, was] of newest) expect(recall(past, path(key))).toBeGreaterThanOrEqual(was);
    }
    const kept = [...stored.values()].filter((memory) => memory.time !== undefined);
    expect(memoriesOf(kept.reduce<Past | undefined>(putMemory, undefined))).toEqual(memoriesOf(past));
  },
);

type Deed =
  | {
      readonly kind: "chain";
      readonly labels: readonly string[];
      readonly times: readonly number[];
      readonly large: boolean;
    }
  | { readonly kind: "add" | "remove"; readonly labels: readonly string[]; readonly now: number }
  | { readonly kind: "restart" };

const labels = fc.array(label, { minLength: 1, maxLength: 3 });
const deed: fc.Arbitrary<Deed> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("chain" as const),
      labels,
      times: fc.array(time, { minLength: 3, maxLength: 3 }),
      large: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("add", "remove"), labels, now: time }) },
  { weight: 1, arbitrary: fc.constant({ kind: "restart" as const }) },
);

const bounds = { delegations: 4, memories: 8 };

property(
  "no sequence of requests, evictions, removals, replays and restarts brings an older certificate's policy back",
  fc.array(deed, { maxLength: 60 }),
  (deeds) => {
    const newest = new Map<string, number>();
    let tree: Resources<Unikernel> = started([]);
    for (const [index, one] of deeds.entries()) {
      const before = tree;
      tree = after(tree, one, index);
      for (const [at, grant] of allGrants(tree)) {
        const old = findGrant(before, path(at));
        if (old?.policy === grant.policy) continue;
        expect(grant.notBefore, `${at} by ${one.kind}`).toBeGreaterThanOrEqual(newest.get(at) ?? 0);
        newest.set(at, grant.notBefore);
      }
      for (const top of ["a", "b", "c"]) expect(nodeAt(tree, path(top))?.past?.count ?? 0).toBeLessThanOrEqual(8);
    }
  },
  500,
);

property(
  "boot decides as the daemon before it did, by what the store has",
  fc.tuple(fc.array(deed, { maxLength: 40 }), fc.array(deed, { maxLength: 3 })),
  ([deeds, more]) => {
    let tree: Resources<Unikernel> = started([]);
    for (const [index, one] of deeds.entries()) tree = after(tree, one, index);
    // Which are evicted is another matter: what was used when is not stored.
    const roomy = (from: Resources<Unikernel>): readonly string[] =>
      more.map((one) => (one.kind === "chain" ? told(insertLevels(from, levelsOf(one), 99)) : one.kind));
    expect(roomy(restarted(tree))).toEqual(roomy(tree));
  },
);

test("insertLevels keeps an honest tenant's policies while a neighbour mints 20,000 paths, in bounded memory", () => {
  let tree: Resources<Unikernel> = started([]);
  let used = 0;
  const granted = (...levels: readonly Level[]): void => {
    used += 1;
    const inserted = insertLevels(tree, levels, used);
    if (!inserted.ok) throw new Error(inserted.error.kind);
    tree = inserted.value.resources;
  };
  granted(...chain(["alice", large], ["bob", large, 5], ["site", small, 5]));
  tree = putUnikernel(tree, name("alice/bob/vm"), {
    demand: { memory: 1, cpuids: [], bridges: [], blocks: [] },
    unikernel: { phase: { kind: "preparing" }, failures: 0 },
  });
  for (let index = 0; index < 20_000; index++) {
    granted(...chain(["alice", large], ["eve", large], [`sub${index}`, small, 1000 + index]));
  }
  expect([findPolicy(tree, path("alice/bob")), findPolicy(tree, path("alice/bob/site"))]).toEqual([large, small]);
  const node = nodeAt(tree, path("alice"));
  expect([node?.grants, (node?.past?.count ?? 0) <= 10_000]).toEqual([1001, true]);
  expect(insertLevels(tree, chain(["alice", large], ["eve", large], ["sub0", large, 1000]), used)).toMatchObject({
    ok: false,
    error: { kind: "policy-outdated" },
  });
  expect(insertLevels(tree, chain(["alice", large], ["new", large, 2]), used).ok).toBe(true);
}, 60_000);

test("removePolicy lets the same certificate back in, and none that is older", () => {
  const added = insertLevels(started([]), chain(["alice", large, 1], ["bob", small, 150]), 1);
  const removed = removePolicy(added.ok ? added.value.resources : started([]), path("alice/bob"));
  const tree = removed.ok ? removed.value.resources : started([]);
  const again = (notBefore: number): string =>
    told(insertLevels(tree, chain(["alice", large, 1], ["bob", large, notBefore]), 2));
  expect([again(149), again(150), again(151)]).toEqual(["policy-outdated", "alice alice/bob", "alice alice/bob"]);
});

test("insertPolicy outlives a clock that was set back", () => {
  const added = insertLevels(started([]), chain(["alice", large, 100]), 1);
  const set = insertPolicy(added.ok ? added.value.resources : started([]), path("alice"), small, 50);
  const tree = set.ok ? set.value.resources : started([]);
  const replayed = insertLevels(tree, chain(["alice", large, 99]), 2);
  expect(replayed.ok && findPolicy(replayed.value.resources, path("alice"))).toEqual(small);
});

function after(tree: Resources<Unikernel>, one: Deed, index: number): Resources<Unikernel> {
  if (one.kind === "restart") return restarted(tree);
  const done =
    one.kind === "chain"
      ? insertLevels(tree, levelsOf(one), index, bounds)
      : one.kind === "add"
        ? insertPolicy(tree, one.labels as Label[], { ...small }, one.now)
        : removePolicy(tree, one.labels as Label[], bounds);
  return done.ok ? done.value.resources : tree;
}

function levelsOf({ labels: at, times, large: wants }: Extract<Deed, { kind: "chain" }>): readonly Level[] {
  return chain(...at.map((one, index) => [one, { ...(wants ? large : small) }, times[index] ?? 0] as const));
}

function told(granted: { ok: true; value: Granted<Unikernel> } | { ok: false; error: { kind: string } }): string {
  return granted.ok ? [...allGrants(granted.value.resources).keys()].join(" ") : granted.error.kind;
}

function allGrants(tree: Resources<Unikernel>): ReadonlyMap<string, NonNullable<ReturnType<typeof findGrant>>> {
  const found = new Map<string, NonNullable<ReturnType<typeof findGrant>>>();
  const visit = (at: readonly string[]): void => {
    for (const one of ["alice", "bob", "site", "a", "b", "c"]) {
      const below = [...at, one];
      if (nodeAt(tree, below as Label[]) === undefined) continue;
      const grant = findGrant(tree, below as Label[]);
      if (grant !== undefined) found.set(below.join("/"), grant);
      visit(below);
    }
  };
  visit([]);
  return found;
}

/** What a daemon begins with that finds in its store what this one would have left there. */
function restarted(tree: Resources<Unikernel>): Resources<Unikernel> {
  const policies = [...allGrants(tree)].map(([at, grant]) => ({ path: path(at), ...grant }));
  const past = ["a", "b", "c"].flatMap((top) =>
    memoriesOf(nodeAt(tree, path(top))?.past).map((memory) => ({
      ...memory,
      path: path([top, ...memory.path].join("/")),
    })),
  );
  return started(policies, past);
}

function started(policies: Stored["policies"], past: Stored["past"] = []): Resources<Unikernel> {
  return boot(wide, { policies, past, unikernels: [], blocks: [] }).state.resources;
}
