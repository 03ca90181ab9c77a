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

const contents = fc.array(fc.oneof(fc.nat(40), fc.nat(3 * maxRecord)), { maxLength: 8 });
const cuts = fc.array(fc.nat(2 * maxRecord), { minLength: 1, maxLength: 6 });

test("RecordCutter loses nothing, and no piece ends inside a message that fits into a record", () => {
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
      for (const [begin, end] of spans(pieces)) {
        for (const [first, last] of spans(messages)) {
          if (last - first <= maxRecord) expect(end <= first || end >= last || begin >= last).toBe(true);
        }
      }
    }),
  );
});

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
