import fc from "fast-check";
import { expect, test } from "vitest";
import { deflate, inflate } from "../../src/codec/zlib.ts";
import { unhex } from "./vectors.ts";

const stream = deflate(new Uint8Array(1000), 9);

test("inflate gives back what deflate was given, at every level", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(9), (content, level) => {
      const inflated = inflate(deflate(content, level), content.length);
      expect(inflated.ok && Buffer.compare(inflated.value, content)).toBe(0);
    }),
  );
});

test("inflate stops at the limit", () => {
  expect(inflate(stream, 1000).ok).toBe(true);
  expect(inflate(stream, 999)).toEqual({ ok: false, error: { kind: "inflate-too-large", limit: 999 } });
  expect(inflate(deflate(new Uint8Array(1), 0), 0)).toEqual({
    ok: false,
    error: { kind: "inflate-too-large", limit: 0 },
  });
});

test("inflate holds no more than the limit of a stream that unfolds to 64 MiB", () => {
  const bomb = deflate(new Uint8Array(64 * 1024 * 1024), 9);
  const before = process.memoryUsage().arrayBuffers;
  expect(inflate(bomb, 1024 * 1024).ok).toBe(false);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1024 * 1024);
});

test("inflate refuses a stream that is cut short", () => {
  for (let length = 0; length < stream.length; length++) {
    expect(inflate(stream.subarray(0, length), 1000)).toEqual({ ok: false, error: { kind: "inflate-truncated" } });
  }
});

test("inflate refuses bytes after the stream", () => {
  expect(inflate(Buffer.concat([stream, unhex("00 00")]), 1000)).toEqual({
    ok: false,
    error: { kind: "inflate-trailing", length: 2 },
  });
  expect(inflate(Buffer.concat([stream, stream]), 1000)).toEqual({
    ok: false,
    error: { kind: "inflate-trailing", length: stream.length },
  });
});

test.for([
  ["00 00 00 00", "no header"],
  ["78 9c ff ff ff ff", "no block"],
  ["78 9c 03 00 00 00 00 02", "another checksum"],
  ["1f 8b 08 00 00 00 00 00", "gzip"],
] as const)("inflate refuses %s (%s)", ([bytes]) => {
  expect(inflate(unhex(bytes), 1000)).toEqual({ ok: false, error: { kind: "inflate-corrupt" } });
});
