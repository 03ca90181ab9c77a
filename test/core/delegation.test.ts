import { beforeAll, expect, test } from "vitest";
import { insertLevels, insertPolicy, maxDelegations, removePolicy, undoGrants } from "../../src/core/delegation.ts";
import type { Policy } from "../../src/core/policy.ts";
import { empty, findPolicy, listPolicies, putBlock, putUnikernel, type Resources } from "../../src/core/resources.ts";
import type { Demand } from "../../src/core/trie.ts";
import { chain, name, path, policy } from "./fixture.ts";

const some = policy();
const none: Demand = { memory: 1, cpuids: [], bridges: [], blocks: [] };
let full: Resources<string>;

beforeAll(() => {
  full = empty;
  for (let index = 0; index < maxDelegations; index++) full = minted(full, `sub${index}`, index + 1);
});

function minted(tree: Resources<string>, label: string, used: number): Resources<string> {
  const inserted = insertLevels(tree, chain(["alice", some], [label, some]), used);
  return inserted.ok ? inserted.value.resources : tree;
}

const below = (tree: Resources<string>): number => listPolicies(tree, path("alice")).length - 1;
const has = (tree: Resources<string>, text: string): boolean => findPolicy(tree, path(text)) !== undefined;

test("insertLevels keeps 1,000 delegations below a first-level delegate", () => {
  expect(below(full)).toBe(1000);
  expect(has(full, "alice/sub0")).toBe(true);
});

test("insertLevels evicts the least recently used of 1,000 for the next, and tells the store", () => {
  const used = minted(full, "sub0", 2000);
  const next = insertLevels(used, chain(["alice", some], ["new", some]), 2001);
  expect(next.ok && next.value.changes.map(({ path: at, after }) => [at.join("/"), after !== undefined])).toEqual([
    ["alice/sub1", false],
    ["alice/new", true],
  ]);
  expect(next.ok && below(next.value.resources)).toBe(1000);
  expect(next.ok && has(next.value.resources, "alice/sub0")).toBe(true);
});

test("insertLevels lets a delegate who mints without end evict what is his own: no sibling's policy rolls back", () => {
  const [wider, narrow] = [policy({ unikernels: 3 }), policy({ unikernels: 1 })];
  const after = (
    tree: Resources<string>,
    ...levels: readonly (readonly [string, Policy, number?])[]
  ): Resources<string> => {
    const inserted = insertLevels(tree, chain(["alice", wider], ...levels), below(tree));
    return inserted.ok ? inserted.value.resources : tree;
  };
  let tree = after(after(empty, ["bob", wider, 1]), ["bob", narrow, 2]);
  for (let index = 0; index < maxDelegations + 10; index++) {
    tree = after(tree, ["eve", narrow], [`sub${index}`, narrow]);
  }
  expect([below(tree), has(tree, `alice/eve/sub${maxDelegations + 9}`)]).toEqual([1000, true]);
  expect(findPolicy(after(tree, ["bob", wider, 1]), path("alice/bob"))).toEqual(narrow);
});

test("insertLevels evicts none that has a unikernel, a block device or a policy below it", () => {
  let tree = putUnikernel(full, name("alice/sub0/vm"), { demand: none, unikernel: "vm" });
  tree = putBlock(tree, name("alice/sub1/deeper/data"), { size: 1, state: "ready" });
  const deep = insertLevels(tree, chain(["alice", some], ["sub2", some], ["deeper", some]), 3000);
  const after = deep.ok ? deep.value.resources : empty;
  expect(has(after, "alice/sub2/deeper")).toBe(true);
  expect(["alice/sub0", "alice/sub1", "alice/sub2", "alice/sub3"].map((at) => has(after, at))).toEqual([
    true,
    true,
    true,
    false,
  ]);
  expect(below(after)).toBe(1000);
});

test("insertLevels refuses one more where every delegation is in use", () => {
  let tree = full;
  for (let index = 0; index < maxDelegations; index++) {
    tree = putUnikernel(tree, name(`alice/sub${index}/vm`), { demand: none, unikernel: "vm" });
  }
  expect(insertLevels(tree, chain(["alice", some], ["new", some]), 5000)).toEqual({
    ok: false,
    error: { kind: "too-many-delegations", path: path("alice"), limit: 1000 },
  });
  expect(insertLevels(tree, chain(["alice", some], ["sub7", policy({ memory: 99 })]), 5000).ok).toBe(true);
});

test("insertLevels evicts neither of its own chain nor anything below another first-level delegate", () => {
  const other = insertLevels(full, chain(["bob", some], ["sub", some]), 0);
  const tree = other.ok ? other.value.resources : empty;
  const chained = insertLevels(tree, chain(["alice", some], ["sub0", some], ["new", some]), 0);
  const after = chained.ok ? chained.value.resources : empty;
  expect(["alice", "alice/sub0", "alice/sub0/new", "bob/sub", "alice/sub1"].map((at) => has(after, at))).toEqual([
    true,
    true,
    true,
    true,
    false,
  ]);
});

test("insertLevels bounds no delegations of the trust anchor itself, and evicts none of them", () => {
  let tree: Resources<string> = empty;
  for (let index = 0; index < maxDelegations + 5; index++) {
    const inserted = insertLevels(tree, chain([`anchored${index}`, some]), index);
    tree = inserted.ok ? inserted.value.resources : tree;
  }
  expect(listPolicies(tree, [])).toHaveLength(maxDelegations + 5);
});

test("insertLevels evicts no policy that a local command set, even where there is no other", () => {
  let tree = empty as Resources<string>;
  for (let index = 0; index < maxDelegations; index++) {
    const set = insertPolicy(tree, path(`alice/own${index}`), some, 1);
    tree = set.ok ? set.value.resources : tree;
  }
  expect(insertLevels(tree, chain(["alice", some], ["new", some]), 1)).toMatchObject({
    ok: false,
    error: { kind: "too-many-delegations", path: path("alice") },
  });
});

test("undoGrants brings an evicted delegation back with what evicted it", () => {
  const next = insertLevels(full, chain(["alice", some], ["new", some]), 2001);
  const undone = next.ok ? undoGrants(next.value.resources, next.value.changes) : undefined;
  expect(undone && [has(undone.resources, "alice/sub0"), has(undone.resources, "alice/new")]).toEqual([true, false]);
});

test("undoGrants puts back the policy that was in force before, and leaves a newer one alone", () => {
  const before = insertPolicy(empty as Resources<string>, path("alice"), some, 1);
  const tree = before.ok ? before.value.resources : empty;
  const raised = insertLevels(tree, chain(["alice", policy({ memory: 999 }), 2]), 1);
  const [changed, changes] = raised.ok ? [raised.value.resources, raised.value.changes] : [empty, []];
  expect(findPolicy(undoGrants(changed, changes).resources, path("alice"))).toEqual(some);
  const later = insertPolicy(changed, path("alice"), policy({ memory: 5 }), 3);
  const left = later.ok ? undoGrants(later.value.resources, changes).resources : empty;
  expect(findPolicy(left, path("alice"))).toEqual(policy({ memory: 5 }));
});

test("removePolicy takes one policy away, those below stay, and those above bind them on", () => {
  const tree = insertLevels(empty as Resources<string>, chain(["alice", some], ["bob", some], ["carol", some]), 1);
  const removed = removePolicy(tree.ok ? tree.value.resources : empty, path("alice/bob"));
  const after = removed.ok ? removed.value.resources : empty;
  expect(["alice", "alice/bob", "alice/bob/carol"].map((at) => has(after, at))).toEqual([true, false, true]);
  expect(insertPolicy(after, path("alice/bob/carol"), policy({ memory: 101 }), 1)).toMatchObject({
    ok: false,
    error: { kind: "policy-exceeds", above: path("alice") },
  });
});

test("removePolicy refuses what is not there, and the root's", () => {
  expect(removePolicy(empty, path("alice"))).toMatchObject({ ok: false, error: { kind: "policy-not-found" } });
  expect(removePolicy(empty, [])).toMatchObject({ ok: false, error: { kind: "root-policy-stays" } });
});
