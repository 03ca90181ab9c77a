import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { receive } from "../../src/host/stream.ts";
import { expectError, expectOk, temporaryFolder } from "./folder.ts";

const megabyte = 1024 * 1024;
const content = randomBytes(40 * megabyte);
const options = { compressed: false, maxBytes: content.length, flushed: true };

test("receive gives the disk what was written while more comes, and the file has it all", async () => {
  const path = join(temporaryFolder(), "file");
  const file = await open(path, "wx+");
  let flushes = 0;
  const counted = changed(file, () => {
    flushes += 1;
    return file.datasync();
  });
  expect(expectOk(await receive(pieces(), counted, options))).toBe(content.length);
  expect(expectOk(await receive(pieces(), counted, { ...options, flushed: false }))).toBe(content.length);
  await file.close();
  expect(readFileSync(path).equals(content)).toBe(true);
  expect([1, 2]).toContain(flushes);
});

// The double is of a disk: none that fails is at hand where tests run.
test("receive fails where the disk fails in the middle, as whoever syncs the file later would not hear of it", async () => {
  const file = await open(join(temporaryFolder(), "file"), "wx+");
  const broken = changed(file, () =>
    Promise.reject(Object.assign(new Error("EIO"), { code: "EIO", syscall: "fdatasync" })),
  );
  expect(expectError(await receive(pieces(), broken, options))).toMatchObject({ kind: "io-failed", code: "EIO" });
  await file.close();
});

async function* pieces(): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += megabyte) yield content.subarray(at, at + megabyte);
}

/** The file with another way to the disk. */
function changed(file: FileHandle, datasync: () => Promise<void>): FileHandle {
  return new Proxy(file, {
    get: (target, key) => {
      if (key === "datasync") return datasync;
      const value: unknown = Reflect.get(target, key);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
