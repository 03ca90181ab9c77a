import { execFileSync, spawnSync } from "node:child_process";
import { cpSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, onTestFinished, test, vi } from "vitest";
import {
  decodeCheckpoint,
  decodeEntry,
  decodeSegment,
  encodeCheckpoint,
  encodeSegment,
} from "../../src/codec/audit.ts";
import type { AuditEntry, Segment } from "../../src/core/audit.ts";
import { loadAuditKey, publishAuditKey } from "../../src/host/audit_key.ts";
import { AuditLog, type Told } from "../../src/host/audit_log.ts";
import { readSegments } from "../../src/host/audit_store.ts";
import { type Change, openStore, type Store } from "../../src/host/store.ts";
import { checkStore } from "../../src/service/verify_audit.ts";
import type { AuditVerdict } from "../../src/x509/audit_chain.ts";
import { expectOk, isRoot, name, temporaryFolder } from "./folder.ts";

vi.setConfig({ testTimeout: 60_000 });

const plenty = 1 << 30;

interface Place {
  readonly dbdir: string;
  readonly store: Store;
  readonly log: AuditLog;
}

/** A log in a store of its own; `store.commit([])` writes what waits. */
async function begin(most = plenty, dbdir = temporaryFolder()): Promise<Place> {
  const store = expectOk(await openStore(dbdir));
  onTestFinished(() => store.close());
  const log = new AuditLog(store, expectOk(await loadAuditKey(dbdir)), most);
  store.keep(log);
  return { dbdir, store, log };
}

function told(count: number): Told {
  return {
    actor: { kind: "local" },
    name: name("alice:vm"),
    command: "unikernel-create",
    policies: [],
    outcome: { kind: "counted", count },
  };
}

function entries(store: Store): readonly AuditEntry[] {
  const segments = readSegments(store, 0, plenty).flatMap(({ segment }) => segment ?? []);
  return segments.flatMap((segment) =>
    segment.entries.map((sealed) => expectOk(decodeEntry(sealed.kind === "whole" ? sealed.bytes : new Uint8Array()))),
  );
}

function counts(store: Store): readonly number[] {
  return entries(store).flatMap(({ outcome }) => (outcome.kind === "counted" ? [outcome.count] : []));
}

function check(store: Store): AuditVerdict {
  return expectOk(checkStore(store, undefined, undefined));
}

test("AuditLog writes what was told before a change in the change's transaction, in order, and holds", async () => {
  const { store, log } = await begin();
  for (let at = 0; at < 250; at++) log.tell(told(at));
  log.note("alice", () => told(250));
  expectOk(await store.commit([{ table: "policy", key: "alice", value: Buffer.from("p") }]));
  log.tell(told(251));
  expectOk(await store.commit([]));
  expect(counts(store)).toEqual(Array.from({ length: 252 }, (_, at) => at));
  expect(check(store)).toMatchObject({ entries: 252, faults: [], checkpoint: { first: 1, number: 252 } });
});

test("AuditLog has a change and its entry on the disk together, seen from a copy that a kill would leave", async () => {
  const { dbdir, store, log } = await begin();
  const copies: string[] = [];
  const commits = Array.from({ length: 20 }, async (_, at) => {
    log.tell(told(at));
    expectOk(await store.commit([{ table: "policy", key: `p${at}`, value: Buffer.from("p") }]));
    const copy = temporaryFolder();
    cpSync(join(dbdir, "store"), join(copy, "store"), { recursive: true });
    copies.push(copy);
  });
  await Promise.all(commits);
  for (const copy of copies) {
    const found = expectOk(await openStore(copy));
    const changed = found.load("policy").map(({ key }) => Number(key.slice(1)));
    expect([...counts(found)].sort((a, b) => a - b)).toEqual(changed.sort((a, b) => a - b));
    expect(check(found).faults).toEqual([]);
    await found.close();
  }
});

test("AuditLog goes on where it was left, with the same key", async () => {
  const first = await begin();
  first.log.tell(told(1));
  expectOk(await first.store.commit([]));
  expectOk(await publishAuditKey(first.dbdir, expectOk(await loadAuditKey(first.dbdir))));
  await first.store.close();
  const second = await begin(plenty, first.dbdir);
  expect(second.log.damaged).toBe(false);
  second.log.tell(told(2));
  expectOk(await second.store.commit([]));
  expect(counts(second.store)).toEqual([1, 2]);
  expect(check(second.store).faults).toEqual([]);
});

test("AuditLog keeps within its size, and the checkpoint says from where it holds", async () => {
  const { store, log } = await begin(20_000);
  for (let round = 0; round < 300; round++) {
    for (let at = 0; at < 3; at++) log.tell(told(3 * round + at));
    expectOk(await store.commit([]));
  }
  const kept = readSegments(store, 0, plenty);
  const size = kept.reduce((sum, segment) => sum + segment.size, 0);
  expect(size).toBeLessThanOrEqual(20_000);
  expect(size).toBeGreaterThan(18_000);
  const verdict = check(store);
  expect(verdict).toMatchObject({ faults: [], checkpoint: { number: 900, bytes: size } });
  expect(verdict.checkpoint.first).toBeGreaterThan(1);
  expect(counts(store)[0]).toBe(verdict.checkpoint.first - 1);
});

test("AuditLog counts what one delegate floods it with, and keeps others' and all changes", async () => {
  const { store, log } = await begin();
  for (let at = 0; at < 5000; at++) log.note("mallory", () => told(0));
  log.note("alice", () => told(7));
  log.tell(told(8));
  expectOk(await store.commit([]));
  const floods = entries(store).filter(({ outcome }) => outcome.kind === "counted" && outcome.count === 0).length;
  // A second may have passed meanwhile.
  expect(floods).toBeLessThanOrEqual(1000);
  expect(counts(store).filter((count) => count > 0)).toEqual([7, 8, 5000 - floods]);
  expect(entries(store).at(-1)).toMatchObject({ name: name("mallory:"), actor: { kind: "daemon" } });
});

test("AuditLog has delegates pay for their changes, not for what others do about their names", async () => {
  const { log } = await begin();
  const digest = new Uint8Array(32);
  const byBob: Told = { ...told(1), actor: { kind: "chain", levels: [digest], leaf: digest }, name: name("bob:vm") };
  for (let index = 0; index < 12_000; index++) {
    log.tell(told(1));
    log.tell({ ...byBob, actor: { kind: "chain", levels: [], leaf: digest }, name: name("alice:vm") });
    log.tell(byBob);
  }
  expect(log.pause("alice")).toBe(0);
  expect(log.pause("bob")).toBeGreaterThan(50_000);
});

test("AuditLog loses nothing to a transaction that fails: what was told goes with the next one", async () => {
  const { store, log } = await begin();
  const refusing = log.seal(false);
  expect(refusing).toEqual([]);
  log.tell(told(1));
  expect(log.seal(false)).toHaveLength(2);
  log.settle(false);
  log.tell(told(2));
  expectOk(await store.commit([]));
  expect(counts(store)).toEqual([1, 2]);
  expect(check(store).faults).toEqual([]);
});

test("on a full disk removals go on, each with its entry, and what changed nothing is counted", {
  skip: !isRoot,
}, async () => {
  const dbdir = temporaryFolder();
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=12m", "none", dbdir]);
  onTestFinished(() => {
    execFileSync("umount", ["--lazy", dbdir]);
  });
  const { store, log } = await begin(plenty, dbdir);
  for (let at = 0; at < 30; at++) {
    log.tell(told(at));
    expectOk(await store.commit([{ table: "policy", key: `p${at}`, value: Buffer.alloc(1000) }]));
  }
  spawnSync("dd", ["if=/dev/zero", `of=${join(dbdir, "filler")}`, "bs=64k"], { stdio: "ignore" });
  let refused = false;
  for (let at = 0; at < 200 && !refused; at++) {
    refused = !(await store.commit([{ table: "policy", key: `x${at}`, value: Buffer.alloc(20_000) }])).ok;
  }
  expect(refused).toBe(true);
  for (let at = 0; at < 90; at++) log.note("alice", () => told(1));
  expect((await store.commit([])).ok).toBe(false);
  for (let at = 0; at < 30; at++) {
    log.tell(told(2000 + at));
    expectOk(await store.commit([{ table: "policy", key: `p${at}` }]));
  }
  expect(counts(store).filter((count) => count >= 2000)).toEqual(Array.from({ length: 30 }, (_, at) => 2000 + at));
  execFileSync("rm", [join(dbdir, "filler")]);
  expectOk(await store.commit([]));
  expect(counts(store).at(-1)).toBe(90);
  expect(check(store).faults).toEqual([]);
});

/** What somebody does to the log with the store's own means. */
const tampering = fc.record({
  what: fc.constantFrom("byte", "drop", "swap", "truncate", "entry", "append", "checkpoint", "reorder"),
  at: fc.nat(),
  other: fc.nat(),
  bit: fc.nat(7),
});

test("any change, loss, addition or reordering in a log is found", async () => {
  const { store, log } = await begin();
  for (let round = 0; round < 12; round++) {
    for (let at = 0; at <= round % 4; at++) log.tell(told(round));
    expectOk(await store.commit([]));
  }
  const stored = store.range("audit", "", plenty, "up");
  await fc.assert(
    fc.asyncProperty(tampering, async (how) => {
      const changes = tamper(stored, how);
      fc.pre(changes.some(({ key, value }) => !same(value, stored.find((one) => one.key === key)?.value)));
      const changed = new Map(stored.map(({ key, value }) => [key, value]));
      for (const { key, value } of changes) {
        if (value === undefined) changed.delete(key);
        else changed.set(key, value);
      }
      const verdict = checkStore(readOnly(changed), undefined, undefined);
      expect(verdict.ok ? verdict.value.faults.length : 1, JSON.stringify(how)).toBeGreaterThan(0);
    }),
    { numRuns: 400 },
  );
});

/** The store's reading alone, so that four hundred logs need no disk. */
function readOnly(values: ReadonlyMap<string, Uint8Array>): Store {
  const sorted = [...values].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => ({ key, value }));
  const range: Store["range"] = (_, from, limit, direction) =>
    direction === "up"
      ? sorted.filter(({ key }) => key >= from).slice(0, limit)
      : sorted
          .filter(({ key }) => key <= from)
          .toReversed()
          .slice(0, limit);
  return {
    range,
    load: () => sorted,
    keep: () => undefined,
    commit: async () => ({ ok: true, value: undefined }),
    close: async () => undefined,
  };
}

test("checkStore finds in a store what it finds in its reading", async () => {
  const { store, log } = await begin();
  for (let round = 0; round < 3; round++) {
    log.tell(told(round));
    expectOk(await store.commit([]));
  }
  const all = store.range("audit", "", plenty, "up");
  expect(
    expectOk(checkStore(readOnly(new Map(all.map(({ key, value }) => [key, value]))), undefined, undefined)),
  ).toEqual(check(store));
  const second = all[1]?.key ?? "";
  expectOk(await store.commit([{ table: "audit", key: second }]));
  expect(check(store).faults).toMatchObject([{ kind: "missing", from: 2, to: 2 }]);
});

test("a log that was cut short, and that a daemon went on with, does not hold, nor does one that was taken away", async () => {
  for (const gone of [1, 3]) {
    const { dbdir, store, log } = await begin();
    for (let round = 0; round < 3; round++) {
      log.tell(told(round));
      expectOk(await store.commit([]));
    }
    expectOk(await publishAuditKey(dbdir, expectOk(await loadAuditKey(dbdir))));
    await store.close();
    const robbed = expectOk(await openStore(dbdir));
    const stored = robbed.range("audit", "", plenty, "up").map(({ key }): Change => ({ table: "audit", key }));
    expectOk(await robbed.commit(gone === 3 ? stored : stored.slice(2, 3)));
    await robbed.close();
    const next = await begin(plenty, dbdir);
    expect(next.log.damaged).toBe(true);
    next.log.tell(told(9));
    expectOk(await next.store.commit([]));
    const { faults } = check(next.store);
    expect(faults.map(({ kind }) => kind)).toEqual(gone === 3 ? ["damaged"] : ["missing", "damaged"]);
  }
});

test("a log that was put back to an earlier copy is found by a head that was seen", async () => {
  const { dbdir, store, log } = await begin();
  log.tell(told(1));
  expectOk(await store.commit([]));
  const early = temporaryFolder();
  cpSync(dbdir, early, { recursive: true });
  log.tell(told(2));
  expectOk(await store.commit([]));
  const { number, head } = log.checkpoint;
  const seen = { number, head };
  expect(expectOk(checkStore(store, undefined, seen)).faults).toEqual([]);
  const back = await begin(plenty, early);
  back.log.tell(told(3));
  expectOk(await back.store.commit([]));
  expect(expectOk(checkStore(back.store, undefined, undefined)).faults).toEqual([]);
  expect(expectOk(checkStore(back.store, undefined, seen)).faults).toEqual([{ kind: "seen-differs", number: 2 }]);
});

test("a log that another key signed is found where the key is known", async () => {
  const [one, other] = [await begin(), await begin()];
  for (const { store, log } of [one, other]) {
    log.tell(told(1));
    expectOk(await store.commit([]));
  }
  const { key } = other.log.checkpoint;
  expect(expectOk(checkStore(one.store, one.log.checkpoint.key, undefined)).faults).toEqual([]);
  expect(expectOk(checkStore(one.store, key, undefined)).faults).toMatchObject([{ kind: "key-differs" }]);
});

type Tampering = typeof tampering extends fc.Arbitrary<infer T> ? T : never;
type Stored = ReturnType<Store["range"]>;

function tamper(stored: Stored, { what, at, other, bit }: Tampering): readonly Change[] {
  const segments = stored.slice(0, -1);
  const one = segments[at % segments.length];
  const two = segments[other % segments.length];
  const head = stored.at(-1);
  if (one === undefined || two === undefined || head === undefined) return [];
  const put = (key: string, value: Uint8Array): Change => ({ table: "audit", key, value });
  const rewrite = (change: (segment: Segment) => Segment): Change =>
    put(one.key, encodeSegment(change(expectOk(decodeSegment(one.value)))));
  switch (what) {
    case "byte":
      return [
        put(
          one.key,
          one.value.map((byte, index) => (index === other % one.value.length ? byte ^ (1 << bit) : byte)),
        ),
      ];
    case "drop":
      return [{ table: "audit", key: one.key }];
    case "swap":
      return [put(one.key, two.value), put(two.key, one.value)];
    case "truncate":
      return segments.slice(at % segments.length).map(({ key }) => ({ table: "audit", key }));
    case "entry":
      return [rewrite((segment) => ({ ...segment, entries: segment.entries.slice(1) }))];
    case "append":
      return [rewrite((segment) => ({ ...segment, entries: [...segment.entries, ...segment.entries] }))];
    case "reorder":
      return [rewrite((segment) => ({ ...segment, entries: segment.entries.toReversed() }))];
    default: {
      const checkpoint = expectOk(decodeCheckpoint(head.value));
      const forged = other % 2 === 0 ? { number: at } : { first: at };
      return [put(head.key, encodeCheckpoint({ ...checkpoint, ...forged }))];
    }
  }
}

function same(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0;
}
