import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { printName } from "../../src/core/name.ts";
import { sortedSet } from "../../src/core/policy.ts";
import {
  blockPath,
  createBlock,
  lendBlock,
  listBlocks,
  readBlockSpace,
  removeBlock,
  setBlock,
  takeBackBlock,
} from "../../src/host/block.ts";
import { expectError, expectOk, isRoot, name, subfolder, temporaryFolder } from "./folder.ts";

const megabyte = 1024 * 1024;
const long = name(`${"a".repeat(63)}:${"b".repeat(63)}:${"c".repeat(63)}:${"d".repeat(63)}`);

test("createBlock makes a sparse file of its own, which listBlocks finds again", async () => {
  const dbdir = await blockFolder();
  for (const device of [name("dev:store"), name(":.."), long])
    expectOk(await createBlock(dbdir, { name: device, size: 64 }));
  const { size, blocks, mode } = statSync(join(dbdir, "block", "dev:store"));
  expect([size, blocks, mode & 0o7777]).toEqual([64 * megabyte, 0, 0o600]);
  const { devices, ignored } = expectOk(await listBlocks(dbdir));
  expect(sortedSet(devices.map(({ name: found, size: mb }) => `${printName(found)} ${mb}`))).toEqual(
    sortedSet([":.. 64", `${printName(long)} 64`, "dev:store 64"]),
  );
  expect(ignored).toEqual([]);
  expect(statSync(join(dbdir, "block")).mode & 0o7777).toBe(0o711);
});

test("createBlock leaves an existing device as it is", async () => {
  const dbdir = await blockFolder();
  expectOk(await createBlock(dbdir, { name: name("a:b"), size: 2 }));
  expect(expectError(await createBlock(dbdir, { name: name("a:b"), size: 1 }))).toMatchObject({ code: "EEXIST" });
  expect(statSync(blockPath(dbdir, name("a:b"))).size).toBe(2 * megabyte);
});

test("listBlocks counts regular files of whole MB that a name could have made, and removes broken uploads", async () => {
  const dbdir = temporaryFolder();
  const folder = subfolder(dbdir, "block");
  for (const [file, size] of [
    ["a:ok", megabyte],
    ["a:empty", 0],
    ["a:odd", megabyte + 1],
    ["plain", megabyte],
    ["a:b:", megabyte],
  ] as const) {
    writeFileSync(join(folder, file), "");
    truncateSync(join(folder, file), size);
  }
  mkdirSync(join(folder, "a:folder"));
  symlinkSync("/etc/passwd", join(folder, "a:link"));
  writeFileSync(join(folder, "temporary-00"), "half");
  const { devices, ignored } = expectOk(await listBlocks(dbdir));
  expect(devices).toEqual([{ name: name("a:ok"), size: 1 }]);
  expect(sortedSet(ignored)).toEqual(["a:b:", "a:empty", "a:folder", "a:link", "a:odd", "plain"]);
  expect(readdirSync(folder)).not.toContain("temporary-00");
});

test("removeBlock removes the file and what spells its name, twice if it must", async () => {
  const dbdir = await blockFolder();
  for (const device of [name("a:b"), long]) {
    expectOk(await createBlock(dbdir, { name: device, size: 1 }));
    for (const _ of [1, 2]) expectOk(await removeBlock(dbdir, device));
  }
  expect(readdirSync(join(dbdir, "block"))).toEqual([]);
});

test("lendBlock gives a device to a guest's user and takeBackBlock takes it back", { skip: !isRoot }, async () => {
  const dbdir = await blockFolder();
  expectOk(await createBlock(dbdir, { name: name("a:b"), size: 1 }));
  expectOk(await lendBlock(dbdir, name("a:b"), 1_900_000_001, 1_900_000_002));
  expect(statSync(blockPath(dbdir, name("a:b")))).toMatchObject({ uid: 1_900_000_001, gid: 1_900_000_002 });
  expectOk(await takeBackBlock(dbdir, name("a:b")));
  expect(statSync(blockPath(dbdir, name("a:b")))).toMatchObject({ uid: 0, gid: 0 });
});

test("reference bug 27: lendBlock follows no symbolic link", async () => {
  const dbdir = await blockFolder();
  const victim = join(temporaryFolder(), "victim");
  writeFileSync(victim, "");
  symlinkSync(victim, blockPath(dbdir, name("a:b")));
  expect(expectError(await lendBlock(dbdir, name("a:b"), 4, 4))).toMatchObject({ code: "ELOOP" });
  expect(statSync(victim).uid).toBe(process.geteuid?.());
});

test("faults 6 and 33: setBlock keeps the old content unless the new one is complete and fits", async () => {
  const dbdir = await blockFolder();
  const device = { name: name("a:b"), size: 1 };
  expectOk(await createBlock(dbdir, device));
  expectOk(await setBlock(dbdir, device, source(Buffer.from("old")), { compressed: false }));
  const old = readFileSync(blockPath(dbdir, device.name));
  expect([old.length, old.toString("latin1", 0, 4)]).toEqual([megabyte, "old\0"]);
  expect(
    expectError(await setBlock(dbdir, device, source(Buffer.alloc(megabyte + 1, "x")), { compressed: false })),
  ).toEqual({
    kind: "stream-too-large",
    limit: megabyte,
  });
  expect(expectError(await setBlock(dbdir, device, broken(), { compressed: false }))).toMatchObject({
    kind: "stream-broken",
  });
  expect(readFileSync(blockPath(dbdir, device.name)).equals(old)).toBe(true);
  expect(readdirSync(join(dbdir, "block"))).toEqual(["a:b"]);
});

test("readBlockSpace tells MB", async () => {
  expect(readBlockSpace(await blockFolder()).total).toBeGreaterThan(0);
});

async function blockFolder(): Promise<string> {
  const dbdir = temporaryFolder();
  expectOk(await listBlocks(dbdir));
  return dbdir;
}

async function* source(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function* broken(): AsyncGenerator<Uint8Array> {
  yield Buffer.from("new");
  throw new Error("connection lost");
}
