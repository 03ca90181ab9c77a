/**
 * UTF-8 on the wire as text in the program.
 *
 * albatross writes some texts that are not UTF-8 (console lines, arguments
 * typed in another encoding). Such a byte becomes the lone surrogate
 * U+DC80 + (byte - 0x80) and turns back into that byte when written, so that
 * nothing is lost and nothing collides: UTF-8 itself never spells a surrogate.
 *
 * @module
 */

/** The text, or undefined where the bytes are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

/** The text of any bytes: those that are no part of UTF-8 as lone surrogates. */
export function decodeText(bytes: Uint8Array): string {
  const whole = decodeUtf8(bytes);
  if (whole !== undefined) return whole;
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at);
    if (length === 0) text += String.fromCharCode(0xdc00 + (bytes[at] ?? 0));
    else text += strict.decode(bytes.subarray(at, at + length));
    at += Math.max(length, 1);
  }
  return text;
}

/** The inverse of `decodeText`. */
export function encodeText(text: string): Uint8Array {
  if (!loneSurrogate.test(text)) return encoder.encode(text);
  const parts = text.split(/([\udc80-\udcff])/u).map((part) => {
    const code = part.length === 1 ? part.charCodeAt(0) : 0;
    return code >= 0xdc80 && code <= 0xdcff ? Uint8Array.of(code - 0xdc00) : encoder.encode(part);
  });
  return Buffer.concat(parts);
}

/** Bytes of the UTF-8 sequence at `at`, or 0 where there is none. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  for (let length = 1; length <= 4 && at + length <= bytes.length; length++) {
    if (decodeUtf8(bytes.subarray(at, at + length)) !== undefined) return length;
  }
  return 0;
}

/** `ignoreBOM` keeps a byte order mark as a character: one text, one encoding. */
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();
const loneSurrogate = /[\udc80-\udcff]/u;
