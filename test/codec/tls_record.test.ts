import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeFrame } from "../../src/codec/frame.ts";
import { maxRecord, RecordCutter } from "../../src/codec/tls_record.ts";

test("RecordCutter puts messages together as long as they fit into a record", () => {
  const message = encodeFrame(new Uint8Array(6000));
  const cutter = new RecordCutter();
  const pieces = cutter.push(Buffer.concat([message, message, message]));
  expect(sizes(pieces)).toEqual([2 * message.length, message.length]);
  expect(cutter.between).toBe(true);
});

test("RecordCutter puts messages together that fill their records", () => {
  const full = encodeFrame(new Uint8Array(maxRecord - 4));
  const half = encodeFrame(new Uint8Array(maxRecord / 2 - 4));
  const small = encodeFrame(new Uint8Array(100));
  const stream = Buffer.concat([full, half, half, full, small, full]);
  expect(sizes(new RecordCutter().push(stream))).toEqual([3 * maxRecord + small.length, maxRecord]);
});

test("RecordCutter holds the beginning of a message that fits until its end has come", () => {
  const cutter = new RecordCutter();
  const message = encodeFrame(new Uint8Array(maxRecord - 4));
  expect(cutter.push(message.subarray(0, -1))).toEqual([]);
  expect(cutter.between).toBe(false);
  expect(cutter.begun.length).toBe(message.length - 1);
  expect(sizes(cutter.push(message.subarray(-1)))).toEqual([message.length]);
});

test("RecordCutter passes a message that does not fit as it comes, and nothing else with it", () => {
  const cutter = new RecordCutter();
  const small = encodeFrame(new Uint8Array(3));
  const large = encodeFrame(new Uint8Array(maxRecord - 3));
  expect(sizes(cutter.push(Buffer.concat([small, large.subarray(0, 10)])))).toEqual([small.length, 10]);
  expect(cutter.between).toBe(false);
  expect(sizes(cutter.push(Buffer.concat([large.subarray(10), small])))).toEqual([large.length - 10, small.length]);
  expect(cutter.between).toBe(true);
});

const full = fc.constantFrom(maxRecord - 4, maxRecord / 2 - 4);
const contents = fc.array(fc.oneof(fc.nat(40), fc.nat(3 * maxRecord), full), { maxLength: 8 });
const cuts = fc.array(fc.nat(2 * maxRecord), { minLength: 1, maxLength: 6 });

test("RecordCutter loses nothing, and no record ends inside a message that fits into one", () => {
  fc.assert(
    fc.property(contents, cuts, (lengths, steps) => {
      const messages = lengths.map((size, index) => encodeFrame(new Uint8Array(size).fill(index)));
      const stream = Buffer.concat(messages);
      const cutter = new RecordCutter();
      const pieces: Uint8Array[] = [];
      for (let at = 0, turn = 0; at < stream.length; turn++) {
        const step = (steps[turn % steps.length] ?? 0) + 1;
        pieces.push(...cutter.push(stream.subarray(at, at + step)));
        at += step;
      }
      expect(Buffer.concat(pieces).equals(stream)).toBe(true);
      expect(cutter.between).toBe(true);
      for (const [begin, end] of spans(pieces.flatMap(records))) {
        for (const [first, last] of spans(messages)) {
          if (last - first <= maxRecord) expect(end <= first || end >= last || begin >= last).toBe(true);
        }
      }
    }),
  );
});

/** The records that TLS makes of what is written at once. */
function records(written: Uint8Array): readonly Uint8Array[] {
  const count = Math.ceil(written.length / maxRecord);
  return Array.from({ length: count }, (_, index) => written.subarray(index * maxRecord, (index + 1) * maxRecord));
}

function sizes(pieces: readonly Uint8Array[]): readonly number[] {
  return pieces.map(({ length }) => length);
}

/** Where each lies in all of them together. */
function spans(parts: readonly Uint8Array[]): readonly (readonly [number, number])[] {
  let at = 0;
  return parts.map(({ length }) => {
    at += length;
    return [at - length, at];
  });
}
