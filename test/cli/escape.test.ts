import fc from "fast-check";
import { expect, test } from "vitest";
import { escapeSentence, escapeText } from "../../src/cli/escape.ts";
import { decodeText } from "../../src/codec/text.ts";

/** What a terminal acts on, or what would be written as something else. */
const acting = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

const names: Readonly<Record<string, string>> = { "\\\\": "\\", "\\t": "\t", "\\n": "\n", "\\r": "\r" };

function restore(text: string): string {
  return text.replace(/\\(?:[\\tnr]|x([0-9a-f]{2})|u\{([0-9a-f]+)\})/g, (match, byte?: string, code?: string) => {
    if (code !== undefined) return String.fromCodePoint(Number.parseInt(code, 16));
    if (byte === undefined) return names[match] ?? "";
    const value = Number.parseInt(byte, 16);
    return String.fromCharCode(value < 0x80 ? value : value + 0xdc00);
  });
}

test.for([
  ["plain, Grüße, 日本", "plain, Grüße, 日本"],
  ["\x1b]0;title\x07", "\\x1b]0;title\\x07"],
  ["\x1b[2J", "\\x1b[2J"],
  ["a\tb\r\n", "a\\tb\\r\\n"],
  ["back\\slash", "back\\\\slash"],
  ["\x7f", "\\x7f"],
  ["\u009b31m", "\\u{9b}31m"],
  ["\u202egnp.exe", "\\u{202e}gnp.exe"],
  ["\u2028", "\\u{2028}"],
  ["\ud800", "\\u{d800}"],
] as const)("reference bug 20: escapeText shows %j as %j", ([text, shown]) => {
  expect(escapeText(text)).toBe(shown);
});

test("reference bug 20: escapeText shows bytes that are no UTF-8 as they are", () => {
  expect(escapeText(decodeText(Uint8Array.of(0x41, 0xff, 0x80, 0x42)))).toBe("A\\xff\\x80B");
});

test("escapeText lets nothing through that a terminal acts on, and loses nothing", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const shown = escapeText(text);
      expect(acting.test(shown)).toBe(false);
      expect(restore(shown)).toBe(text);
    }),
  );
});

test("escapeSentence undoes the line breaks of albatross's printer", () => {
  expect(escapeSentence("does not match\n                  the manifest")).toBe("does not match the manifest");
});
