import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeDer } from "../../src/codec/der.ts";
import { encodeDer } from "../../src/codec/der_writer.ts";
import { readGeneralizedTime, readUtcTime, writeGeneralizedTime, writeUtcTime } from "../../src/codec/time.ts";
import { time } from "./arbitrary.ts";

function der(tag: number, text: string): Uint8Array {
  return Uint8Array.of(tag, text.length, ...Buffer.from(text, "latin1"));
}

test.for([
  ["19700101000000Z", 0],
  ["20230312234215Z", Date.UTC(2023, 2, 12, 23, 42, 15)],
  ["20230312234215.007Z", Date.UTC(2023, 2, 12, 23, 42, 15, 7)],
  ["20000229120000Z", Date.UTC(2000, 1, 29, 12)],
  ["00000101000000Z", -62_167_219_200_000],
  ["00990101000000Z", -59_042_995_200_000],
  ["99991231235959.999Z", 253_402_300_799_999],
] as const)("readGeneralizedTime reads %s, and writeGeneralizedTime writes it", ([text, ms]) => {
  expect(decodeDer(der(0x18, text), readGeneralizedTime)).toEqual({ ok: true, value: ms });
  expect(encodeDer(writeGeneralizedTime(ms))).toEqual(der(0x18, text));
});

test("readGeneralizedTime reads a fraction of 0, which is written without", () => {
  expect(decodeDer(der(0x18, "19700101000001.000Z"), readGeneralizedTime)).toEqual({ ok: true, value: 1000 });
});

test.for([
  ["20230312234215", "time-malformed"],
  ["20230312234215+0100", "time-malformed"],
  ["20230312234215,123Z", "time-malformed"],
  ["20230312234215.1Z", "time-malformed"],
  ["20230312234215.1234Z", "time-malformed"],
  ["202303122342Z", "time-malformed"],
  ["2023031223Z", "time-malformed"],
  ["20230312234215z", "time-malformed"],
  ["2023031223421\u00b2Z", "time-malformed"],
  ["", "time-malformed"],
  ["20231312000000Z", "time-out-of-range"],
  ["20230012000000Z", "time-out-of-range"],
  ["20230300000000Z", "time-out-of-range"],
  ["20230431000000Z", "time-out-of-range"],
  ["20230229000000Z", "time-out-of-range"],
  ["19000229000000Z", "time-out-of-range"],
  ["20230312240000Z", "time-out-of-range"],
  ["20230312236000Z", "time-out-of-range"],
  ["20161231235960Z", "time-out-of-range"],
] as const)("readGeneralizedTime refuses %j", ([text, problem]) => {
  const decoded = decodeDer(der(0x18, text), readGeneralizedTime);
  expect(!decoded.ok && decoded.error.problem).toBe(problem);
});

test.for([
  ["500101000000Z", Date.UTC(1950, 0)],
  ["991231235959Z", Date.UTC(1999, 11, 31, 23, 59, 59)],
  ["000229000000Z", Date.UTC(2000, 1, 29)],
  ["491231235959Z", Date.UTC(2049, 11, 31, 23, 59, 59)],
] as const)("readUtcTime reads %s, and writeUtcTime writes it", ([text, ms]) => {
  expect(decodeDer(der(0x17, text), readUtcTime)).toEqual({ ok: true, value: ms });
  expect(encodeDer(writeUtcTime(ms + 999))).toEqual(der(0x17, text));
});

test.for(["2301010000Z", "230101000000+0100", "230101000000.5Z", "20230101000000Z", "231301000000Z"])(
  "readUtcTime refuses %s",
  (text) => {
    expect(decodeDer(der(0x17, text), readUtcTime).ok).toBe(false);
  },
);

test("readGeneralizedTime gives back any time that writeGeneralizedTime was given", () => {
  fc.assert(
    fc.property(time, (ms) => {
      expect(decodeDer(encodeDer(writeGeneralizedTime(ms)), readGeneralizedTime)).toEqual({ ok: true, value: ms });
    }),
  );
});

test("writeGeneralizedTime has no form for other years", () => {
  expect(() => writeGeneralizedTime(253_402_300_800_000)).toThrow(RangeError);
  expect(() => writeGeneralizedTime(-62_167_219_200_001)).toThrow(RangeError);
});
