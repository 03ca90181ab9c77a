import { expect, test } from "vitest";
import { decodeDer, type Reader } from "../../src/codec/der.ts";
import { encodeDer } from "../../src/codec/der_writer.ts";
import {
  readCount,
  readInt32,
  readInt64,
  readLevel,
  readNatural,
  writeCount,
  writeInt32,
  writeInt64,
} from "../../src/codec/number.ts";
import { unlimited } from "../../src/core/policy.ts";
import { hex, unhex } from "./vectors.ts";

test("readCount reads 2^62 - 1 as unlimited, and writeCount writes it so", () => {
  expect(decodeDer(unhex("02 08 3f ff ff ff ff ff ff ff"), readCount)).toEqual({ ok: true, value: unlimited });
  expect(hex(encodeDer(writeCount(unlimited)))).toBe("02083fffffffffffffff");
});

test.for([
  ["readNatural", readNatural, "02 01 ff"],
  ["readNatural", readNatural, "02 08 3f ff ff ff ff ff ff ff"],
  ["readNatural", readNatural, "02 07 20 00 00 00 00 00 00"],
  ["readCount", readCount, "02 01 80"],
  ["readCount", readCount, "02 08 3f ff ff ff ff ff ff fe"],
  ["readCount", readCount, "02 08 40 00 00 00 00 00 00 00"],
  ["readCount", readCount, "02 08 c0 00 00 00 00 00 00 00"],
  ["readCount", readCount, "02 07 20 00 00 00 00 00 00"],
  ["readLevel", readLevel, "02 01 0a"],
  ["readLevel", readLevel, "02 01 ff"],
  ["readInt64", readInt64, "04 07 00 00 00 00 00 00 00"],
  ["readInt64", readInt64, "04 09 00 00 00 00 00 00 00 00 00"],
  ["readInt64", readInt64, "04 00"],
  ["readInt32", readInt32, "02 05 00 80 00 00 00"],
  ["readInt32", readInt32, "02 05 ff 7f ff ff ff"],
] as const)("%s refuses %j as out of range", ([_, read, bytes]) => {
  const decoded = decodeDer<unknown>(unhex(bytes), (reader: Reader) => read(reader));
  expect(!decoded.ok && decoded.error.problem).toBe("integer-out-of-range");
});

test.for([
  ["04080000000000000000", 0n],
  ["0408ffffffffffffffff", -1n],
  ["04087fffffffffffffff", (1n << 63n) - 1n],
  ["04088000000000000000", -(1n << 63n)],
] as const)("readInt64 reads %s, and writeInt64 writes it", ([bytes, value]) => {
  expect(decodeDer(unhex(bytes), readInt64)).toEqual({ ok: true, value });
  expect(hex(encodeDer(writeInt64(value)))).toBe(bytes);
});

test.for([
  ["020100", 0],
  ["02047fffffff", 0x7fffffff],
  ["020480000000", 0x80000000],
  ["0201ff", 0xffffffff],
] as const)("readInt32 reads %s unsigned, and writeInt32 writes it signed", ([bytes, value]) => {
  expect(decodeDer(unhex(bytes), readInt32)).toEqual({ ok: true, value });
  expect(hex(encodeDer(writeInt32(value)))).toBe(bytes);
});
