import fc from "fast-check";
import { expect, test } from "vitest";
import { putGrant } from "../../src/core/delegation.ts";
import { type Label, type Name, type Path, parseName, parsePath } from "../../src/core/name.ts";
import type { Policy } from "../../src/core/policy.ts";
import {
  checkBlock,
  checkUnikernel,
  empty,
  findBlock,
  findPolicy,
  findUnikernel,
  insertBlock,
  insertUnikernel,
  listUnikernels,
  print,
  putUnikernel,
  type Resources,
  removeBlock,
  removeUnikernel,
} from "../../src/core/resources.ts";
import type { Result } from "../../src/core/result.ts";

const policy: Policy = { unikernels: 2, cpuids: [0], memory: 100, block: 10, bridges: ["service"] };
const demand = { memory: 32, cpuids: [0], bridges: [{ netif: "service" }], blocks: [] };

test("checkUnikernel asks every policy from the root down, and changes nothing", () => {
  const tree = must(insertUnikernel(host(), named("alice:bob:one"), demand, "one"));
  expect(checkUnikernel(tree, named("alice:two"), demand)).toEqual({ ok: true, value: undefined });
  expect(checkUnikernel(tree, named("alice:two"), { ...demand, memory: 69 })).toEqual({
    ok: false,
    error: { kind: "limit", path: at("alice"), resource: "memory", limit: 100, used: 32, asked: 69 },
  });
  expect(checkUnikernel(tree, named("alice:bob:one"), demand)).toMatchObject({ error: { kind: "unikernel-exists" } });
  expect(findUnikernel(tree, named("alice:two"))).toBeUndefined();
});

test("checkUnikernel of a replacement asks for the increase alone", () => {
  const tree = must(insertUnikernel(host(), named("alice:one"), { ...demand, memory: 90 }, "one"));
  const old = { ...demand, memory: 90 };
  expect(checkUnikernel(tree, named("alice:one"), { ...demand, memory: 100 }, old).ok).toBe(true);
  expect(checkUnikernel(tree, named("alice:one"), { ...demand, memory: 101 }, old)).toMatchObject({
    error: { kind: "limit", used: 90, asked: 11 },
  });
});

test("checkBlock asks every policy from the root down, and changes nothing", () => {
  const tree = must(insertBlock(host(), named("alice:bob:data"), { size: 8, state: "ready" }));
  expect(checkBlock(tree, named("alice:more"), 2).ok).toBe(true);
  expect(checkBlock(tree, named("alice:more"), 3)).toEqual({
    ok: false,
    error: { kind: "limit", path: at("alice"), resource: "block", limit: 10, used: 8, asked: 3 },
  });
  expect(checkBlock(tree, named("alice:bob:data"), 1)).toMatchObject({ error: { kind: "block-exists" } });
  expect(findBlock(tree, named("alice:more"))).toBeUndefined();
});

test("print shows policies, unikernels and block devices, a path and a label of one spelling apart", () => {
  const withPath = must(insertUnikernel(host(), named("alice:bob:one"), demand, "one"));
  const withLabel = must(insertUnikernel(withPath, named("alice:bob"), demand, "bob"));
  const tree = must(insertBlock(withLabel, named("alice:data"), { size: 4, state: "ready" }));
  expect(print(tree)).toBe(
    [
      ": policy 20 unikernels, 1000 MB",
      "alice: policy 2 unikernels, 100 MB",
      "alice:bob unikernel 32 MB",
      "alice:bob:one unikernel 32 MB",
      "alice:data block device 4 MB",
    ].join("\n"),
  );
});

test("listUnikernels finds at and below each path what was put there, whichever paths have nothing but policies", () => {
  const path = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 3 });
  const names = fc.uniqueArray(fc.tuple(path, fc.constantFrom("a", "b", "x")), { selector: String, maxLength: 8 });
  fc.assert(
    fc.property(names, fc.array(path), path, (tenants, delegated, asked) => {
      const grant = { policy, notBefore: 0, used: 0, shared: false, certificate: undefined };
      const texts = tenants.map(([where, label]) => [...where, label].join(":"));
      let tree: Resources<string> = delegated.reduce((all, to) => putGrant(all, at(to.join(":")), grant), empty);
      for (const text of texts) tree = putUnikernel(tree, named(text), { demand, unikernel: text });
      const listed = listUnikernels(tree, at(asked.join(":"))).map(({ value }) => value.unikernel);
      const below = tenants.flatMap(([where], index) =>
        where.slice(0, asked.length).join(":") === asked.join(":") ? (texts[index] ?? []) : [],
      );
      expect(listed.toSorted()).toEqual(below.toSorted());
    }),
  );
});

test("what was inserted and removed leaves nothing", () => {
  const full = must(insertUnikernel(host(), named("alice:x:y:one"), demand, "one"));
  const tree = must(removeUnikernel(full, named("alice:x:y:one")));
  expect(print(tree)).toBe(print(host()));
  const block = must(insertBlock(tree, named("alice:x:data"), { size: 1, state: "ready" }));
  expect(must(removeBlock(block, named("alice:x:data")))).toEqual(host());
  expect(removeBlock(tree, named("alice:x:data"))).toMatchObject({ error: { kind: "block-not-found" } });
});

/** A host that allows ten times what its one delegate may have. */
function host(): Resources<string> {
  const grant = { policy, notBefore: 0, used: 0, shared: true, certificate: undefined };
  const wide = { ...grant, policy: { ...policy, unikernels: 20, memory: 1000, block: 100 } };
  const tree = putGrant(putGrant<string>(empty, [], wide), at("alice"), grant);
  expect(findPolicy(tree, at("alice"))).toEqual(policy);
  return tree;
}

function named(text: string): Name {
  return must(parseName(text));
}

function at(text: string): Path & readonly Label[] {
  return must(parsePath(text));
}

function must<T, E>(result: Result<T, E>): T {
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
}
