/**
 * UTF-8 on the wire as text in the program.
 *
 * albatross writes some texts that are not UTF-8 (console lines, arguments
 * typed in another encoding). Such a byte becomes the lone surrogate
 * U+DC80 + (byte - 0x80) and turns back into that byte when written, so that
 * nothing is lost and nothing collides: UTF-8 itself never spells a surrogate.
 *
 * No exception is used for what is not UTF-8: each costs as much as decoding a
 * few messages, and whoever sends a text decides how many there would be.
 *
 * @module
 */

/** The text, or undefined where the bytes are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  const text = decoder.decode(bytes);
  return text.includes(replacement) && !isUtf8(bytes) ? undefined : text;
}

/** The text of any bytes: those that are no part of UTF-8 as lone surrogates. */
export function decodeText(bytes: Uint8Array): string {
  const whole = decodeUtf8(bytes);
  if (whole !== undefined) return whole;
  const units = new Uint16Array(bytes.length);
  let count = 0;
  for (let at = 0; at < bytes.length; ) {
    const code = codePointAt(bytes, at);
    at += code < 0 ? 1 : sizeOf(code);
    if (code < 0x10000) {
      units[count++] = code < 0 ? 0xdc00 + (bytes[at - 1] ?? 0) : code;
    } else {
      units[count++] = 0xd800 + ((code - 0x10000) >> 10);
      units[count++] = 0xdc00 + (code & 0x3ff);
    }
  }
  let text = "";
  // In parts, because a call takes a bounded number of arguments.
  for (let at = 0; at < count; at += 4096) {
    text += String.fromCharCode(...units.subarray(at, Math.min(at + 4096, count)));
  }
  return text;
}

/** The inverse of `decodeText`. */
export function encodeText(text: string): Uint8Array {
  if (!loneSurrogate.test(text)) return encoder.encode(text);
  // No UTF-16 code unit takes more than 3 bytes.
  const bytes = new Uint8Array(text.length * 3);
  let used = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.codePointAt(at) ?? 0;
    if (code >= 0xdc80 && code <= 0xdcff) {
      bytes[used++] = code - 0xdc00;
    } else {
      used += put(code, bytes, used);
      if (code > 0xffff) at++;
    }
  }
  return bytes.slice(0, used);
}

/** Writes one code point; the number of bytes. A surrogate that stands for no byte becomes U+FFFD, as TextEncoder has it. */
function put(code: number, bytes: Uint8Array, at: number): number {
  const size = sizeOf(code);
  let rest = code >= 0xd800 && code <= 0xdfff ? 0xfffd : code;
  for (let index = size - 1; index > 0; index--, rest >>= 6) bytes[at + index] = 0x80 | (rest & 0x3f);
  bytes[at] = size === 1 ? rest : ((0xf00 >> size) & 0xff) | rest;
  return size;
}

function isUtf8(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; ) {
    const code = codePointAt(bytes, at);
    if (code < 0) return false;
    at += sizeOf(code);
  }
  return true;
}

/** The code point whose UTF-8 begins at `at`, or -1 where none does (The Unicode Standard, table 3-7). */
function codePointAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return first;
  const size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || at + size > bytes.length) return -1;
  let code = first & (0x7f >> size);
  for (let index = at + 1; index < at + size; index++) {
    const next = bytes[index] ?? 0;
    if (next >> 6 !== 2) return -1;
    code = (code << 6) | (next & 0x3f);
  }
  const surrogate = code >= 0xd800 && code <= 0xdfff;
  return surrogate || code > 0x10ffff || sizeOf(code) !== size ? -1 : code;
}

/** Bytes of a code point's UTF-8. */
function sizeOf(code: number): number {
  if (code < 0x80) return 1;
  if (code < 0x800) return 2;
  return code < 0x10000 ? 3 : 4;
}

/** `ignoreBOM` keeps a byte order mark as a character: one text, one encoding. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();

/** What the decoder puts where the bytes are not UTF-8, and also a character of its own right. */
const replacement = "\ufffd";
const loneSurrogate = /[\udc80-\udcff]/u;
