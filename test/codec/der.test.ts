import { expect, test } from "vitest";
import { decodeDer, type Reader } from "../../src/codec/der.ts";
import type { DerProblem } from "../../src/codec/der_problem.ts";
import {
  bitString,
  boolean,
  type Der,
  encodeDer,
  encoded,
  explicit,
  integer,
  nul,
  octets,
  oid,
  sequence,
  setOf,
  text,
} from "../../src/codec/der_writer.ts";
import { hex, unhex } from "./vectors.ts";

const refused: readonly (readonly [string, (reader: Reader) => unknown, DerProblem, number])[] = [
  ["", (reader) => reader.null(undefined), "truncated", 0],
  ["05", (reader) => reader.null(undefined), "truncated", 0],
  ["05 01", (reader) => reader.null(undefined), "truncated", 0],
  ["05 01 00", (reader) => reader.null(undefined), "null-with-content", 3],
  ["05 00 00", (reader) => reader.null(undefined), "trailing-bytes", 2],
  ["04 00", (reader) => reader.null(undefined), "tag-unexpected", 0],
  ["1f 81 00 00", (reader) => reader.raw(), "tag-unsupported", 0],
  ["04 80 00 00", (reader) => reader.octets(), "length-indefinite", 0],
  ["04 81 7f", (reader) => reader.octets(), "length-not-minimal", 0],
  ["04 82 00 80", (reader) => reader.octets(), "length-not-minimal", 0],
  ["04 82 01", (reader) => reader.octets(), "truncated", 0],
  ["04 84 7f ff ff ff", (reader) => reader.octets(), "truncated", 0],
  ["04 86 ff ff ff ff ff ff", (reader) => reader.octets(), "truncated", 0],
  ["04 87 01 00 00 00 00 00 00", (reader) => reader.octets(), "length-too-large", 0],
  ["04 ff 01", (reader) => reader.octets(), "length-too-large", 0],
  ["01 00", (reader) => reader.boolean(), "boolean-not-canonical", 2],
  ["01 01 01", (reader) => reader.boolean(), "boolean-not-canonical", 3],
  ["01 02 ff ff", (reader) => reader.boolean(), "boolean-not-canonical", 4],
  ["02 00", (reader) => reader.integer(), "integer-not-minimal", 2],
  ["02 02 00 7f", (reader) => reader.integer(), "integer-not-minimal", 4],
  ["02 02 ff 80", (reader) => reader.integer(), "integer-not-minimal", 4],
  ["02 07 20 00 00 00 00 00 00", (reader) => reader.integer(), "integer-out-of-range", 9],
  ["02 07 e0 00 00 00 00 00 00", (reader) => reader.integer(), "integer-out-of-range", 9],
  ["02 08 01 00 00 00 00 00 00 00", (reader) => reader.integer(), "integer-out-of-range", 10],
  ["03 00", (reader) => reader.bitString(), "bit-string-padding", 2],
  ["03 02 01 80", (reader) => reader.bitString(), "bit-string-padding", 4],
  ["0c 01 ff", (reader) => reader.utf8(), "text-not-utf8", 3],
  ["06 00", (reader) => reader.oid(), "oid-malformed", 2],
  ["06 02 2a 80", (reader) => reader.oid(), "oid-malformed", 4],
  ["06 03 2a 80 01", (reader) => reader.oid(), "oid-malformed", 5],
  ["30 03 02 01", (reader) => reader.sequence((inside) => inside.integer()), "truncated", 0],
  ["30 02 02 01 05", (reader) => reader.sequence((inside) => inside.integer()), "truncated", 2],
  ["30 04 02 01 05 05", (reader) => reader.sequence((inside) => inside.integer()), "trailing-bytes", 5],
  ["31 06 02 01 02 02 01 01", (reader) => reader.setOf((item) => item.integer()), "set-not-sorted", 8],
  ["a1 02 05 00", (reader) => reader.choice({ 0: () => 0 }), "tag-unexpected", 0],
  ["81 00", (reader) => reader.choice({ 1: () => 0 }), "tag-unexpected", 0],
  ["", (reader) => reader.choice({ 0: () => 0 }), "truncated", 0],
];

test.for(refused)("decodeDer refuses %j", ([bytes, read, problem, at]) => {
  expect(decodeDer(unhex(bytes), read)).toEqual({ ok: false, error: { kind: "der", problem, at } });
});

test("decodeDer refuses what is nested without end", () => {
  let nested: Der = nul;
  for (let depth = 0; depth < 100; depth++) nested = sequence(nested);
  const descend = (reader: Reader): void => reader.sequence(descend);
  expect(decodeDer(encodeDer(nested), descend)).toEqual({
    ok: false,
    error: { kind: "der", problem: "too-deep", at: 96 },
  });
});

test("decodeDer lets a fault of the program pass", () => {
  const fault = (): never => {
    throw new TypeError("a fault");
  };
  expect(() => decodeDer(unhex("05 00"), fault)).toThrow(TypeError);
});

test("Reader gives contents as views", () => {
  const bytes = unhex("04 03 01 02 03");
  const decoded = decodeDer(bytes, (reader) => reader.octets());
  expect(decoded.ok && decoded.value.buffer).toBe(bytes.buffer);
});

test("Reader lets equal members of a set pass", () => {
  const decoded = decodeDer(unhex("31 06 02 01 01 02 01 01"), (reader) => reader.setOf((item) => item.integer()));
  expect(decoded).toEqual({ ok: true, value: [1, 1] });
});

test("Reader gives a value whole", () => {
  const decoded = decodeDer(unhex("30 03 02 01 05"), (reader) => reader.raw());
  expect(decoded).toEqual({ ok: true, value: unhex("30 03 02 01 05") });
});

test.for([
  [0, "020100"],
  [127, "02017f"],
  [128, "02020080"],
  [-128, "020180"],
  [-129, "0202ff7f"],
  [Number.MAX_SAFE_INTEGER, "02071fffffffffffff"],
  [Number.MIN_SAFE_INTEGER, "0207e0000000000001"],
] as const)("integer writes %j as %s, and Reader reads it", ([value, bytes]) => {
  expect(hex(encodeDer(integer(value)))).toBe(bytes);
  expect(decodeDer(unhex(bytes), (reader) => reader.integer())).toEqual({ ok: true, value });
});

test.for([
  ["1.3.6.1.4.1.49836.42", "06092b0601040183852c2a"],
  ["2.5.29.19", "0603551d13"],
  ["0.9", "060109"],
  ["2.999.18446744073709551616", "060c883782808080808080808000"],
] as const)("oid writes %s as %s, and Reader reads it", ([dotted, bytes]) => {
  expect(hex(encodeDer(oid(dotted)))).toBe(bytes);
  expect(decodeDer(unhex(bytes), (reader) => reader.oid())).toEqual({ ok: true, value: dotted });
});

test.for([0, 1, 127, 128, 255, 256, 65_535, 65_536, 16_777_216])("octets of length %i come back", (length) => {
  const content = new Uint8Array(length).fill(1);
  const decoded = decodeDer(encodeDer(sequence(octets(content))), (reader) =>
    reader.sequence((inside) => inside.octets()),
  );
  expect(decoded.ok && Buffer.compare(decoded.value, content)).toBe(0);
});

test("bitString writes whole bytes, and Reader reads them", () => {
  const bytes = encodeDer(bitString(unhex("0102")));
  expect(hex(bytes)).toBe("0303000102");
  expect(decodeDer(bytes, (reader) => reader.bitString())).toEqual({ ok: true, value: unhex("0102") });
});

test("setOf sorts by what is written, a prefix first", () => {
  const bytes = encodeDer(setOf(["ab", "b", "a"], text));
  expect(hex(bytes)).toBe("310a0c01610c01620c026162");
});

test("encoded puts a value that is already written inside another", () => {
  expect(hex(encodeDer(explicit(1, encoded(unhex("0101ff")))))).toBe("a1030101ff");
});

test("sequence leaves out what is absent", () => {
  expect(hex(encodeDer(sequence(undefined, boolean(false), undefined)))).toBe("3003010100");
});
