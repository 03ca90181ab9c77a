import { createHash } from "node:crypto";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { expect, test } from "vitest";
import { decodeSolo5 } from "../../src/codec/elf.ts";
import { sortedSet } from "../../src/core/policy.ts";
import {
  imagePath,
  openImage,
  prepareImages,
  receiveImage,
  removeImage,
  sweepImages,
  verifyImage,
} from "../../src/host/image.ts";
import { expectError, expectOk, temporaryFolder } from "./folder.ts";

const content = Buffer.from("an image ".repeat(50_000));
const digest = sha256(content);
const plain = { compressed: false, maxBytes: content.length };
const deflated = { compressed: true, maxBytes: content.length };

test.for([
  ["plain", content, plain],
  ["compressed", deflateSync(content), deflated],
] as const)(
  "reference bug 17: receiveImage stores a %s image once, under the digest of the inflated bytes",
  async ([, bytes, options]) => {
    const dbdir = await imageFolder();
    for (const size of [1000, 100_000]) {
      expect(expectOk(await receiveImage(dbdir, pieces(bytes, size), options))).toEqual({
        digest,
        size: content.length,
        path: imagePath(dbdir, digest),
      });
    }
    expect(readdirSync(join(dbdir, "images"))).toEqual([digest.toString("hex")]);
    expect(statSync(imagePath(dbdir, digest)).mode & 0o7777).toBe(0o444);
    expect(statSync(join(dbdir, "images")).mode & 0o7777).toBe(0o711);
    expect(expectOk(await verifyImage(dbdir, digest))).toBe(true);
  },
);

test.for([
  [
    "one byte too many",
    content,
    { ...plain, maxBytes: content.length - 1 },
    { kind: "stream-too-large", limit: content.length - 1 },
  ],
  [
    "a bomb",
    deflateSync(Buffer.alloc(50_000_000)),
    { ...deflated, maxBytes: 1_000_000 },
    { kind: "stream-too-large", limit: 1_000_000 },
  ],
  [
    "trailing bytes",
    Buffer.concat([deflateSync(content), Buffer.from("abc")]),
    deflated,
    { kind: "stream-trailing", length: 3 },
  ],
  ["a cut stream", deflateSync(content).subarray(0, 500), deflated, { kind: "stream-corrupt", code: "Z_BUF_ERROR" }],
  ["another format", content, deflated, { kind: "stream-corrupt", code: "Z_DATA_ERROR" }],
  ["nothing where zlib is due", new Uint8Array(0), deflated, { kind: "stream-corrupt", code: "Z_BUF_ERROR" }],
] as const)("reference bug 18: receiveImage refuses %s and leaves no file", async ([, bytes, options, error]) => {
  const dbdir = await imageFolder();
  expect(expectError(await receiveImage(dbdir, pieces(bytes, 4096), options))).toEqual(error);
  expect(readdirSync(join(dbdir, "images"))).toEqual([]);
});

test("receiveImage refuses trailing bytes that come in a chunk of their own", async () => {
  const dbdir = await imageFolder();
  const source = async function* (): AsyncGenerator<Uint8Array> {
    yield deflateSync(content);
    yield Buffer.from("a");
    yield Buffer.from("bc");
  };
  expect(expectError(await receiveImage(dbdir, source(), deflated))).toMatchObject({ kind: "stream-trailing" });
  expect(readdirSync(join(dbdir, "images"))).toEqual([]);
});

test("receiveImage leaves no file when the sender breaks off", async () => {
  const dbdir = await imageFolder();
  const broken = async function* (): AsyncGenerator<Uint8Array> {
    yield content.subarray(0, 100_000);
    throw new Error("connection lost");
  };
  for (const options of [plain, deflated]) {
    const source = options.compressed ? deflatedThenBroken() : broken();
    expect(expectError(await receiveImage(dbdir, source, options))).toEqual({
      kind: "stream-broken",
      reason: "connection lost",
    });
  }
  expect(readdirSync(join(dbdir, "images"))).toEqual([]);
});

test("receiveImage refuses what is too large without waiting for the rest", async () => {
  const dbdir = await imageFolder();
  for (const [options, bytes] of [
    [plain, Buffer.alloc(content.length + 1)],
    [deflated, deflateSync(Buffer.alloc(content.length + 1))],
  ] as const) {
    const refused = receiveImage(dbdir, andThenNothing(bytes), options);
    expect(expectError(await refused)).toEqual({ kind: "stream-too-large", limit: content.length });
  }
});

test("receiveImage stores two equal images at the same time", async () => {
  const dbdir = await imageFolder();
  const both = await Promise.all([1, 2].map(() => receiveImage(dbdir, pieces(content, 999), plain)));
  expect(both.map((one) => one.ok)).toEqual([true, true]);
  expect(readdirSync(join(dbdir, "images"))).toHaveLength(1);
});

test("verifyImage notices other bytes", async () => {
  const dbdir = await imageFolder();
  writeFileSync(imagePath(dbdir, digest), "other");
  expect(expectOk(await verifyImage(dbdir, digest))).toBe(false);
  expect(expectError(await verifyImage(dbdir, sha256("none")))).toMatchObject({ kind: "io-failed", code: "ENOENT" });
});

test("openImage reads ranges for decodeSolo5", async () => {
  const dbdir = await imageFolder();
  const stored = expectOk(await receiveImage(dbdir, pieces(content, 9999), plain));
  const image = expectOk(await openImage(dbdir, stored.digest));
  expect(image.size).toBe(content.length);
  expect(Buffer.from(image.read(3, 5) ?? []).toString()).toBe("image");
  expect(image.read(content.length - 2, 3)).toBeUndefined();
  expect(expectError(decodeSolo5(image))).toMatchObject({ kind: "elf-not-elf" });
  image.close();
  expect(image.read(0, 1)).toBeUndefined();
});

test("sweepImages keeps what is in use and removes the rest, broken uploads too", async () => {
  const dbdir = await imageFolder();
  const kept = expectOk(await receiveImage(dbdir, pieces(content, 9999), plain));
  const unused = expectOk(await receiveImage(dbdir, pieces(Buffer.from("unused"), 3), plain));
  writeFileSync(join(dbdir, "images", "temporary-0011223344556677"), "half");
  const gone = expectOk(await sweepImages(dbdir, [kept.digest]));
  expect(sortedSet(gone)).toEqual(
    sortedSet([Buffer.from(unused.digest).toString("hex"), "temporary-0011223344556677"]),
  );
  expect(readdirSync(join(dbdir, "images"))).toEqual([digest.toString("hex")]);
});

test("removeImage removes, twice if it must", async () => {
  const dbdir = await imageFolder();
  await receiveImage(dbdir, pieces(content, 9999), plain);
  for (const _ of [1, 2]) expect((await removeImage(dbdir, digest)).ok).toBe(true);
  expect(readdirSync(join(dbdir, "images"))).toEqual([]);
});

async function imageFolder(): Promise<string> {
  const dbdir = temporaryFolder();
  expectOk(await prepareImages(dbdir));
  return dbdir;
}

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** A sender that neither sends on nor closes. */
function andThenNothing(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  let sent = false;
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => {
        if (sent) return new Promise(() => {});
        sent = true;
        return Promise.resolve({ done: false, value: bytes });
      },
      return: () => Promise.resolve({ done: true, value: undefined }),
    }),
  };
}

async function* deflatedThenBroken(): AsyncGenerator<Uint8Array> {
  yield deflateSync(content).subarray(0, 500);
  throw new Error("connection lost");
}

function sha256(bytes: Uint8Array | string): Buffer {
  return createHash("sha256").update(bytes).digest();
}
