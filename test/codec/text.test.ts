import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeText, decodeUtf8, encodeText } from "../../src/codec/text.ts";
import { hex, unhex } from "./vectors.ts";

/** Bytes of few kinds, so that sequences begin, go on and break. */
const bytes = fc.array(
  fc.constantFrom(0x41, 0x80, 0x90, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2, 0xe0, 0xed, 0xef, 0xbb, 0xbd, 0xf0, 0xf4, 0xf5, 0xff),
  { maxLength: 12 },
);

test("encodeText gives back any bytes that decodeText was given", () => {
  fc.assert(
    fc.property(bytes.map(Uint8Array.from.bind(Uint8Array)), (given) => {
      expect(hex(encodeText(decodeText(given)))).toBe(hex(given));
    }),
    { numRuns: 3000 },
  );
});

test("decodeUtf8 takes what a strict TextDecoder takes, and decodeText agrees with it", () => {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const decode = (given: Uint8Array): string | undefined => {
    try {
      return strict.decode(given);
    } catch {
      return undefined;
    }
  };
  fc.assert(
    fc.property(
      fc.oneof(
        bytes,
        fc.string({ unit: "binary" }).map((text) => [...Buffer.from(text)]),
      ),
      (given) => {
        const expected = decode(Uint8Array.from(given));
        expect(decodeUtf8(Uint8Array.from(given))).toBe(expected);
        if (expected !== undefined) expect(decodeText(Uint8Array.from(given))).toBe(expected);
      },
    ),
    { numRuns: 3000 },
  );
});

test.for([
  ["efbfbd", "\ufffd"],
  ["ffefbfbd", "\udcff\ufffd"],
  ["efbbbf61", "\ufeff61".replace("61", "a")],
  ["c3", "\udcc3"],
  ["eda080", "\udced\udca0\udc80"],
  ["61ff62", "a\udcffb"],
  ["fff09f90a6", "\udcff\u{1f426}"],
] as const)("decodeText reads %s", ([given, text]) => {
  expect(decodeText(unhex(given))).toBe(text);
});

test("decodeText reads a long text that is not UTF-8", () => {
  const given = new Uint8Array(100_000).fill(0xff);
  expect(decodeText(given)).toBe("\udcff".repeat(100_000));
  expect(Buffer.compare(encodeText(decodeText(given)), given)).toBe(0);
});

test("encodeText writes other lone surrogates as TextEncoder does", () => {
  expect(hex(encodeText("\ud800a\udcff\udd00\u00fc\u{1f426}"))).toBe("efbfbd61ffefbfbdc3bcf09f90a6");
});
