import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inflateSync } from "node:zlib";
import { expect, test } from "vitest";
import { imagePath } from "../../src/host/image.ts";
import { type OutgoingImage, openOutgoing } from "../../src/host/image_out.ts";
import { expectError, expectOk, temporaryFolder } from "./folder.ts";

const there = new AbortController().signal;

/** Half of it can be compressed; not a multiple of what is read at once. */
const image = Buffer.concat([randomBytes(1_000_001), Buffer.alloc(3_000_000, "text "), randomBytes(77)]);
const digest = createHash("sha256").update(image).digest();

function place(): string {
  const dbdir = temporaryFolder();
  mkdirSync(join(dbdir, "images"));
  writeFileSync(imagePath(dbdir, digest), image);
  return dbdir;
}

async function gather({ pieces }: OutgoingImage): Promise<Buffer> {
  const gathered: Uint8Array[] = [];
  for await (const piece of pieces) gathered.push(piece);
  return Buffer.concat(gathered);
}

test.for([0, 1, 6, 9])("an image goes out whole, and as long as was said: level %d", async (level) => {
  const outgoing = expectOk(await openOutgoing(place(), digest, level, there));
  const bytes = await gather(outgoing);
  await outgoing.close();
  expect(bytes.length).toBe(outgoing.length);
  expect(outgoing.compressed).toBe(level > 0);
  expect((level > 0 ? inflateSync(bytes) : bytes).equals(image)).toBe(true);
});

test("an image that is removed meanwhile goes out all the same", async () => {
  const dbdir = place();
  const outgoing = expectOk(await openOutgoing(dbdir, digest, 6, there));
  rmSync(imagePath(dbdir, digest));
  expect(inflateSync(await gather(outgoing)).equals(image)).toBe(true);
  await outgoing.close();
});

test("an image that is not there is an error", async () => {
  expect(expectError(await openOutgoing(place(), randomBytes(32), 6, there))).toMatchObject({ code: "ENOENT" });
});

test("whoever leaves ends it, whether it is measured or sent, and no file stays open", async () => {
  const dbdir = place();
  for (const level of [0, 9]) {
    const leaving = new AbortController();
    const outgoing = expectOk(await openOutgoing(dbdir, digest, level, leaving.signal));
    const sending = (async () => {
      for await (const _ of outgoing.pieces) leaving.abort();
    })();
    await expect(sending).rejects.toThrow(/abort/i);
    await outgoing.close();
  }
  const gone = new AbortController();
  const measuring = openOutgoing(dbdir, digest, 9, gone.signal);
  setTimeout(() => gone.abort(), 5);
  await expect(measuring).rejects.toThrow(/abort/i);
  expect(openFiles().filter((path) => path.startsWith(dbdir))).toEqual([]);
});

test("whoever leaves between the two is no error but his own", async () => {
  for (const level of [0, 6]) {
    const leaving = new AbortController();
    const outgoing = expectOk(await openOutgoing(place(), digest, level, leaving.signal));
    leaving.abort();
    await expect(gather(outgoing)).rejects.toThrow(/abort/i);
    await outgoing.close();
    await expect(openOutgoing(place(), digest, level === 0 ? 1 : level, leaving.signal)).rejects.toThrow(/abort/i);
  }
});

function openFiles(): readonly string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return [];
    }
  });
}
