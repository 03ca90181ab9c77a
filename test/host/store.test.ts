import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { type Change, openStore, type Store } from "../../src/host/store.ts";
import { expectError, expectOk, isRoot, subfolder, temporaryFolder } from "./folder.ts";

vi.setConfig({ testTimeout: 30_000 });

test("openStore finds what was committed", async () => {
  const dbdir = temporaryFolder();
  const long = `${"a:".repeat(2000)}vm`;
  const first = expectOk(await openStore(dbdir));
  expectOk(
    await first.commit([put("policy", "alice:", "1"), put("unikernel", "alice:vm", "2"), put("unikernel", long, "3")]),
  );
  expectOk(await first.commit([put("unikernel", "alice:vm", "4"), { table: "policy", key: "alice:" }]));
  await first.close();
  const second = expectOk(await openStore(dbdir));
  expect(second.load("policy")).toEqual([]);
  expect(read(second)).toEqual({ "alice:vm": "4", [long]: "3" });
  await second.close();
});

test("openStore refuses a second daemon and names the first", async () => {
  const dbdir = temporaryFolder();
  const store = expectOk(await openStore(dbdir));
  expect(expectError(await openStore(dbdir))).toEqual({
    kind: "store-locked",
    path: join(dbdir, "store", "daemon.lock"),
    pid: process.pid,
  });
  await store.close();
  await expectOk(await openStore(dbdir)).close();
});

test("openStore tells why a folder that is none cannot be had", async () => {
  const dbdir = temporaryFolder();
  writeFileSync(join(dbdir, "store"), "");
  expect(expectError(await openStore(dbdir))).toMatchObject({ kind: "io-failed", code: "EEXIST" });
});

test("commit keeps the order of changes made at the same time", async () => {
  const store = await temporaryStore();
  const results = await Promise.all(
    Array.from({ length: 100 }, (_, n) => store.commit([put("unikernel", `:${n % 7}`, `${n}`)])),
  );
  expect(results.every((result) => result.ok)).toBe(true);
  expect(read(store)).toEqual({ ":0": "98", ":1": "99", ":2": "93", ":3": "94", ":4": "95", ":5": "96", ":6": "97" });
});

test("commit after close is an error", async () => {
  const store = await temporaryStore();
  await store.close();
  expect(expectError(await store.commit([put("policy", ":", "")]))).toEqual({ kind: "store-failed", reason: "closed" });
});

test("reference bug 15: commit has the data on the disk before it resolves, seen from a copy that a kill would leave", async () => {
  const dbdir = temporaryFolder();
  const store = expectOk(await openStore(dbdir));
  onTestFinished(() => store.close());
  expectOk(await store.commit([put("unikernel", ":vm", "1")]));
  const copy = subfolder(temporaryFolder(), "copy");
  spawnSync("cp", ["-r", join(dbdir, "store"), copy]);
  const found = expectOk(await openStore(copy));
  expect(read(found)).toEqual({ ":vm": "1" });
  await found.close();
});

test("commit on a full disk is refused, removals are not, and both work again when there is space", {
  skip: !isRoot,
}, async () => {
  const dbdir = smallDisk("8m");
  const store = expectOk(await openStore(dbdir));
  onTestFinished(() => store.close());
  expectOk(await store.commit([put("unikernel", ":first", "1")]));
  const filler = join(dbdir, "filler");
  spawnSync("dd", ["if=/dev/zero", `of=${filler}`, "bs=64k"], { stdio: "ignore" });
  const kept = await commitUntilFull(store);
  expect(statSync(filler).size).toBeGreaterThan(0);
  expect(Object.keys(read(store))).toHaveLength(1 + kept);
  for (let n = 0; n < kept; n++) expectOk(await store.commit([{ table: "unikernel", key: `:${n}` }]));
  expect(read(store)).toEqual({ ":first": "1" });
  execFileSync("rm", [filler]);
  expectOk(await store.commit([put("unikernel", ":last", "1")]));
  expect(existsSync(filler)).toBe(false);
});

/** Adds until the store says that the disk is full. */
async function commitUntilFull(store: Store): Promise<number> {
  for (let n = 0; n < 1000; n++) {
    const result = await store.commit([put("unikernel", `:${n}`, "x".repeat(20_000))]);
    if (result.ok) continue;
    expect(result.error).toMatchObject({ kind: "store-full", free: 0 });
    return n;
  }
  throw new Error("it never became full");
}

function smallDisk(size: string): string {
  const folder = temporaryFolder();
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "none", folder]);
  onTestFinished(() => {
    execFileSync("umount", ["--lazy", folder]);
  });
  return folder;
}

async function temporaryStore(): Promise<Store> {
  const store = expectOk(await openStore(temporaryFolder()));
  onTestFinished(() => store.close());
  return store;
}

function put(table: Change["table"], key: string, text: string): Change {
  return { table, key, value: Buffer.from(text) };
}

function read(store: Store): Readonly<Record<string, string>> {
  return Object.fromEntries(store.load("unikernel").map(({ key, value }) => [key, Buffer.from(value).toString()]));
}
