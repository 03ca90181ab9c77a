import fc from "fast-check";
import { expect, test } from "vitest";
import { ChunkReader } from "../../src/codec/chunk.ts";
import { encodeFrame } from "../../src/codec/frame.ts";
import { hex, unhex } from "./vectors.ts";

test("ChunkReader passes pieces through as views", () => {
  const bytes = unhex("00 00 00 02 01 02 00 00 00 03 03");
  const read = new ChunkReader(5).push(bytes);
  expect(read).toEqual({ ok: true, value: { pieces: [unhex("01 02"), unhex("03")] } });
  expect(read.ok && read.value.pieces.every((piece) => piece.buffer === bytes.buffer)).toBe(true);
});

test.for(["00 00 00 00", "80 00 00 00", "ff ff ff ff"])("ChunkReader ends at the length %s", (end) => {
  const reader = new ChunkReader(10);
  expect(reader.push(unhex(`00 00 00 01 07 ${end} 0a 0b`))).toEqual({
    ok: true,
    value: { pieces: [unhex("07")], rest: unhex("0a 0b") },
  });
  expect(reader.push(unhex("0c"))).toEqual({ ok: true, value: { pieces: [], rest: unhex("0c") } });
});

test("ChunkReader does not take the end of what came for the end of the stream", () => {
  expect(new ChunkReader(10).push(unhex("00 00 00 01 07"))).toEqual({ ok: true, value: { pieces: [unhex("07")] } });
});

test("ChunkReader refuses a stream when it announces too much", () => {
  const reader = new ChunkReader(3);
  reader.push(unhex("00 00 00 02 01 02"));
  const error = { kind: "stream-too-large", limit: 3 };
  expect(reader.push(unhex("00 00 00 02"))).toEqual({ ok: false, error });
  expect(reader.push(unhex("00 00 00 00"))).toEqual({ ok: false, error });
});

test("ChunkReader gives the same content however the stream is cut", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 30 })),
      fc.uint8Array({ maxLength: 5 }),
      fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1 }),
      fc.nat(200),
      (chunks, rest, sizes, limit) => {
        const whole = Buffer.concat([...chunks.map(encodeFrame), encodeFrame(new Uint8Array(0)), rest]);
        const content = Buffer.concat(chunks);
        const reader = new ChunkReader(limit);
        const seen: Uint8Array[] = [];
        const after: Uint8Array[] = [];
        let refused = false;
        for (let at = 0, turn = 0; at < whole.length; turn++) {
          const size = sizes[turn % sizes.length] ?? 1;
          const read = reader.push(whole.subarray(at, at + size));
          at += size;
          if (read.ok) {
            seen.push(...read.value.pieces);
            after.push(read.value.rest ?? new Uint8Array(0));
          }
          refused ||= !read.ok;
        }
        expect(refused).toBe(content.length > limit);
        if (refused) return;
        expect(hex(Buffer.concat(seen))).toBe(hex(content));
        expect(hex(Buffer.concat(after))).toBe(hex(rest));
      },
    ),
    { numRuns: 500 },
  );
});
