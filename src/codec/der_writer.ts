/**
 * Writing DER: values are described first and laid out once, so that a large
 * content (an image) is copied a single time.
 *
 * @module
 */
import { compareBytes } from "./bytes.ts";
import { contextTag, tags } from "./der.ts";
import { encodeOid } from "./oid.ts";
import { encodeText } from "./text.ts";

/** A value still in parts: its encoding's size is known, its bytes are not laid out. */
export interface Der {
  readonly tag: number;
  /** Bytes of the content; a string's are its ASCII characters. */
  readonly length: number;
  readonly content: Uint8Array | string | readonly Der[];
}

/** An already encoded value inside another: the tag -1 says that the content has its own header. */
export function encoded(bytes: Uint8Array): Der {
  return { tag: -1, length: bytes.length, content: bytes };
}

export function primitive(tag: number, content: Uint8Array): Der {
  return { tag, length: content.length, content };
}

export function constructed(tag: number, children: readonly (Der | undefined)[]): Der {
  const content: Der[] = [];
  let length = 0;
  for (const child of children) {
    if (child === undefined) continue;
    content.push(child);
    length += encodedSize(child);
  }
  return { tag, length, content };
}

/** Absent members (undefined) are left out. */
export function sequence(...children: readonly (Der | undefined)[]): Der {
  return constructed(tags.sequence, children);
}

export function sequenceOf<T>(items: readonly T[], write: (item: T) => Der): Der {
  return constructed(tags.sequence, items.map(write));
}

/** SET OF in DER's order (X.690 section 11.6). */
export function setOf<T>(items: readonly T[], write: (item: T) => Der): Der {
  const members = items.map((item) => encodeDer(write(item))).sort(compareBytes);
  return constructed(tags.set, members.map(encoded));
}

/** `[n] EXPLICIT`. */
export function explicit(n: number, child: Der): Der {
  return constructed(contextTag(n), [child]);
}

/** `[n] EXPLICIT OPTIONAL`. */
export function optionalExplicit<T>(n: number, value: T | undefined, write: (value: T) => Der): Der | undefined {
  return value === undefined ? undefined : explicit(n, write(value));
}

export function boolean(value: boolean): Der {
  return primitive(tags.boolean, Uint8Array.of(value ? 0xff : 0));
}

/** An INTEGER, minimal. A number must be an integer. */
export function integer(value: number | bigint): Der {
  if (typeof value === "number" && value >= 0 && value < 0x80) return small(value);
  let rest = BigInt(value);
  const bytes: number[] = [];
  do {
    bytes.unshift(Number(rest & 0xffn));
    rest >>= 8n;
  } while (!(rest === 0n && (bytes[0] ?? 0) < 0x80) && !(rest === -1n && (bytes[0] ?? 0) >= 0x80));
  return primitive(tags.integer, Uint8Array.from(bytes));
}

/** One byte: written as the character of that code. */
function small(value: number): Der {
  return { tag: tags.integer, length: 1, content: String.fromCharCode(value) };
}

export function octets(content: Uint8Array): Der {
  return primitive(tags.octetString, content);
}

/** A BIT STRING of whole bytes. */
export function bitString(content: Uint8Array): Der {
  return primitive(tags.bitString, Buffer.concat([Uint8Array.of(0), content]));
}

export const nul: Der = primitive(tags.null, new Uint8Array(0));

/** A UTF8String, by `encodeText`. */
export function text(value: string): Der {
  return isAscii(value)
    ? { tag: tags.utf8String, length: value.length, content: value }
    : primitive(tags.utf8String, encodeText(value));
}

/** An OBJECT IDENTIFIER from its dotted form. */
export function oid(dotted: string): Der {
  return primitive(tags.oid, encodeOid(dotted));
}

/** Lays the value out. */
export function encodeDer(value: Der): Uint8Array {
  const bytes = new Uint8Array(encodedSize(value));
  layOut(value, bytes, 0);
  return bytes;
}

/** An OCTET STRING of so many bytes that are not at hand, for `encodeHead`. */
export function octetsToCome(length: number): Der {
  return { tag: tags.octetString, length, content: new Uint8Array(0) };
}

/** What stands before the bytes that are to come, which end the value. */
export function encodeHead(value: Der, toCome: number): Uint8Array {
  const bytes = new Uint8Array(encodedSize(value) - toCome);
  layOut(value, bytes, 0);
  return bytes;
}

/** Bytes of the value with its header. */
export function encodedSize(value: Der): number {
  return value.tag < 0 ? value.length : 1 + lengthSize(value.length) + value.length;
}

/** Writes the value. @returns where it ends, `encodedSize` bytes behind `start` */
export function layOut(value: Der, into: Uint8Array, start: number): number {
  let at = start;
  if (value.tag >= 0) {
    into[at] = value.tag;
    at = putLength(value.length, into, at + 1);
  }
  const { content } = value;
  if (typeof content === "string") {
    for (let index = 0; index < content.length; index++) into[at + index] = content.charCodeAt(index);
    return at + content.length;
  }
  if (content instanceof Uint8Array) {
    into.set(content, at);
    return at + content.length;
  }
  for (const child of content) at = layOut(child, into, at);
  return at;
}

/** Short texts only: what is longer is written as fast by the encoder. */
function isAscii(value: string): boolean {
  if (value.length > longest) return false;
  for (let index = 0; index < value.length; index++) if (value.charCodeAt(index) >= 0x80) return false;
  return true;
}

function lengthSize(length: number): number {
  if (length < 0x80) return 1;
  let count = 1;
  for (let rest = length; rest > 0; rest = Math.floor(rest / 0x100)) count++;
  return count;
}

function putLength(length: number, into: Uint8Array, at: number): number {
  const count = lengthSize(length);
  if (count === 1) {
    into[at] = length;
    return at + 1;
  }
  into[at] = 0x80 | (count - 1);
  for (let index = count - 1, rest = length; index > 0; index--, rest = Math.floor(rest / 0x100)) {
    into[at + index] = rest % 0x100;
  }
  return at + count;
}

/** Characters of a short text: a name has up to about so many. */
const longest = 256;
