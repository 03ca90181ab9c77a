import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeFrame, FrameReader, frameHeader } from "../../src/codec/frame.ts";
import { hex, unhex } from "./vectors.ts";

// What Vmm_lwt.write_chunk of albatross 2.7.2 puts on the socket for "abc" and for the end of a stream.
test.for([
  ["61 62 63", "0000000361 62 63"],
  ["", "00 00 00 00"],
] as const)("encodeFrame sends %j as %j", ([payload, frame]) => {
  expect(encodeFrame(unhex(payload))).toEqual(unhex(frame));
});

test("frameHeader is what encodeFrame puts in front", () => {
  expect(hex(frameHeader(0x01020304))).toBe("01020304");
});

test("FrameReader refuses a length over the limit before any payload arrives", () => {
  const error = { kind: "frame-too-large", length: 1_048_577, limit: 1_048_576, before: [] };
  const reader = new FrameReader(1_048_576);
  expect(reader.push(unhex("00 10 00"))).toEqual({ ok: true, value: [] });
  expect(reader.push(unhex("01"))).toEqual({ ok: false, error });
  expect(reader.push(unhex("00 00 00 00"))).toEqual({ ok: false, error });
});

test("FrameReader takes a frame of the limit", () => {
  const reader = new FrameReader(3);
  expect(reader.push(unhex("00 00 00 03 01 02 03"))).toEqual({ ok: true, value: [unhex("01 02 03")] });
});

test("FrameReader refuses lengths of 2^31 and more under any limit", () => {
  const read = new FrameReader(Number.POSITIVE_INFINITY).push(unhex("80 00 00 00"));
  expect(read).toEqual({
    ok: false,
    error: { kind: "frame-too-large", length: 0x80000000, limit: 0x7fffffff, before: [] },
  });
});

test("FrameReader tells the frames before the one that it refuses", () => {
  const read = new FrameReader(1).push(unhex("00 00 00 01 07 00 00 00 00 00 00 00 02"));
  expect(read).toEqual({
    ok: false,
    error: { kind: "frame-too-large", length: 2, limit: 1, before: [unhex("07"), unhex("")] },
  });
});

test("FrameReader gives a frame within one chunk as a view", () => {
  const chunk = unhex("00 00 00 02 01 02 00 00 00 01 03");
  const read = new FrameReader(1_048_576).push(chunk);
  expect(read.ok && read.value.map((frame) => frame.buffer === chunk.buffer)).toEqual([true, true]);
});

test("FrameReader gives a frame as a view of the chunk after its header", () => {
  const reader = new FrameReader(1_048_576);
  reader.push(unhex("00 00 00 02"));
  const chunk = unhex("01 02");
  const read = reader.push(chunk);
  expect(read.ok && read.value[0]?.buffer).toBe(chunk.buffer);
});

test("FrameReader takes one frame and leaves what is behind it, which may be no frame", () => {
  const reader = new FrameReader(9);
  expect(reader.take(unhex("00 00"))).toEqual({ ok: true, value: { rest: unhex("") } });
  expect(reader.take(unhex("00 02 01"))).toEqual({ ok: true, value: { rest: unhex("") } });
  const taken = reader.take(unhex("02 ff ff ff ff"));
  expect(taken).toEqual({ ok: true, value: { frame: unhex("01 02"), rest: unhex("ff ff ff ff") } });
});

test("FrameReader holds what has arrived, not what is announced", () => {
  const before = process.memoryUsage().arrayBuffers;
  const readers = Array.from({ length: 100 }, () => new FrameReader(0x7fffffff));
  for (const reader of readers) reader.push(unhex("7f ff ff ff 01"));
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100 * 64 * 1024);
  expect(readers).toHaveLength(100);
});

test("FrameReader reads the same frames however the stream is cut", () => {
  const frame = fc.oneof(
    fc.uint8Array({ maxLength: 20 }),
    fc
      .record({ length: fc.nat(80_000), byte: fc.nat(255) })
      .map(({ length, byte }) => new Uint8Array(length).fill(byte)),
  );
  const cuts = fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 40_000 })), {
    minLength: 1,
  });
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 6 }), cuts, fc.boolean(), (frames, sizes, tooLarge) => {
      const whole = Buffer.concat([
        ...frames.map(encodeFrame),
        ...(tooLarge ? [frameHeader(100_000), new Uint8Array(9)] : []),
      ]);
      const reader = new FrameReader(90_000);
      const seen: Uint8Array[] = [];
      let refused: number | undefined;
      for (const chunk of cut(whole, sizes)) {
        const read = reader.push(chunk);
        seen.push(...(read.ok ? read.value : read.error.before));
        if (!read.ok) refused = read.error.length;
      }
      expect(seen.map(hex)).toEqual(frames.map(hex));
      expect(refused).toBe(tooLarge ? 100_000 : undefined);
    }),
    { numRuns: 200 },
  );
});

/** The bytes in pieces of these sizes, over and over. */
function* cut(bytes: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}
