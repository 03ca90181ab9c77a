/**
 * Reading DER (X.690): one encoding per value, no copy of any content.
 *
 * A `Reader` walks one constructed value. Its methods return plain values and
 * leave through `fail` where the bytes are not what was asked for; `decodeDer`
 * is the one place that catches that, so no caller ever sees an exception.
 *
 * @module
 */
import { err, ok, type Result } from "../core/result.ts";
import { compareBytes, decodeInteger } from "./bytes.ts";
import type { DerProblem } from "./der_problem.ts";
import { decodeOid } from "./oid.ts";
import { decodeText, decodeUtf8 } from "./text.ts";

export interface DerError {
  readonly kind: "der";
  readonly problem: DerProblem;
  /** Offset into the decoded bytes. */
  readonly at: number;
}

/** Universal tags, with the constructed bit where it belongs. */
export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  utcTime: 0x17,
  generalizedTime: 0x18,
} as const;

/** The context-specific tag `[n]`, EXPLICIT. n is at most 30. */
export function contextTag(n: number): number {
  return 0xa0 | n;
}

/**
 * Decodes all of `bytes` by `read`; an error value for whatever it is not.
 *
 * @param maxValues - most values, at every depth together: what bounds the work where the bytes alone do not
 */
export function decodeDer<T>(
  bytes: Uint8Array,
  read: (reader: Reader) => T,
  maxValues: number = Number.POSITIVE_INFINITY,
): Result<T, DerError> {
  try {
    const reader = new Reader({ bytes, values: maxValues }, 0, bytes.length, 0);
    const value = read(reader);
    reader.end();
    return ok(value);
  } catch (thrown) {
    if (thrown instanceof Failure) return err({ kind: "der", problem: thrown.problem, at: thrown.at });
    throw thrown;
  }
}

/** What is decoded, and how many more values it may have. */
interface Source {
  readonly bytes: Uint8Array;
  values: number;
}

/** One value's content, walked from `at` to `limit`. */
export class Reader {
  readonly #source: Source;
  readonly #bytes: Uint8Array;
  readonly #limit: number;
  readonly #depth: number;
  #at: number;

  constructor(source: Source, at: number, limit: number, depth: number) {
    this.#source = source;
    this.#bytes = source.bytes;
    this.#at = at;
    this.#limit = limit;
    this.#depth = depth;
  }

  /** Leaves the decoder: nothing after it runs. */
  fail(problem: DerProblem): never {
    throw new Failure(problem, this.#at);
  }

  get done(): boolean {
    return this.#at === this.#limit;
  }

  end(): void {
    if (!this.done) this.fail("trailing-bytes");
  }

  /** The next value's tag byte, or undefined at the end. */
  peek(): number | undefined {
    return this.done ? undefined : this.#bytes[this.#at];
  }

  /** The content of the next value, which must have this tag. */
  content(tag: number): Uint8Array {
    const { start, end } = this.#header(tag);
    this.#at = end;
    return this.#bytes.subarray(start, end);
  }

  /** The next value whole, header and content, whatever it is. */
  raw(): Uint8Array {
    const from = this.#at;
    const { end } = this.#header(undefined);
    this.#at = end;
    return this.#bytes.subarray(from, end);
  }

  /** Reads a constructed value of this tag, to its last byte. */
  constructed<T>(tag: number, read: (inside: Reader) => T): T {
    const { start, end } = this.#header(tag);
    if (this.#depth >= maxDepth) this.fail("too-deep");
    const inside = new Reader(this.#source, start, end, this.#depth + 1);
    const value = read(inside);
    inside.end();
    this.#at = end;
    return value;
  }

  sequence<T>(read: (inside: Reader) => T): T {
    return this.constructed(tags.sequence, read);
  }

  sequenceOf<T>(read: (item: Reader) => T): T[] {
    return this.sequence((inside) => {
      const items: T[] = [];
      while (!inside.done) items.push(read(inside));
      return items;
    });
  }

  /** SET OF: its members in ascending order of their encodings (X.690 section 11.6), equal ones let pass. */
  setOf<T>(read: (item: Reader) => T): T[] {
    return this.constructed(tags.set, (inside) => {
      const items: T[] = [];
      let previous: Uint8Array | undefined;
      while (!inside.done) {
        const from = inside.#at;
        items.push(read(inside));
        const member = inside.#bytes.subarray(from, inside.#at);
        if (previous !== undefined && compareBytes(previous, member) > 0) inside.fail("set-not-sorted");
        previous = member;
      }
      return items;
    });
  }

  /** `[n] EXPLICIT`. */
  explicit<T>(n: number, read: (inside: Reader) => T): T {
    return this.constructed(contextTag(n), read);
  }

  optional<T>(tag: number, read: (reader: Reader) => T): T | undefined {
    return this.peek() === tag ? read(this) : undefined;
  }

  /** `[n] EXPLICIT OPTIONAL`. */
  optionalExplicit<T>(n: number, read: (inside: Reader) => T): T | undefined {
    return this.optional(contextTag(n), () => this.explicit(n, read));
  }

  /** A CHOICE of EXPLICIT context tags, by number. */
  choice<T>(alternatives: Readonly<Record<number, (inside: Reader) => T>>): T {
    const tag = this.peek();
    if (tag === undefined) this.fail("truncated");
    const read = (tag & 0xe0) === 0xa0 ? alternatives[tag & 0x1f] : undefined;
    if (read === undefined) this.fail("tag-unexpected");
    return this.constructed(tag, read);
  }

  boolean(): boolean {
    const content = this.content(tags.boolean);
    if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) this.fail("boolean-not-canonical");
    return content[0] === 0xff;
  }

  /** The content of an INTEGER, minimal, two's complement. */
  integerBytes(): Uint8Array {
    const content = this.content(tags.integer);
    const [first, second] = content;
    if (first === undefined) this.fail("integer-not-minimal");
    if (second !== undefined && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80))) {
      this.fail("integer-not-minimal");
    }
    return content;
  }

  /** An INTEGER that a double holds exactly. */
  integer(): number {
    return decodeInteger(this.integerBytes()) ?? this.fail("integer-out-of-range");
  }

  octets(): Uint8Array {
    return this.content(tags.octetString);
  }

  /** A BIT STRING of whole bytes. */
  bitString(): Uint8Array {
    const content = this.content(tags.bitString);
    if (content[0] !== 0) this.fail("bit-string-padding");
    return content.subarray(1);
  }

  /** A NULL, which stands for `value`. */
  null<const T>(value: T): T {
    return this.content(tags.null).length > 0 ? this.fail("null-with-content") : value;
  }

  /** A UTF8String that is UTF-8. */
  utf8(): string {
    return decodeUtf8(this.content(tags.utf8String)) ?? this.fail("text-not-utf8");
  }

  /** A UTF8String of any bytes: those that are not UTF-8 are kept (see `text`). */
  text(): string {
    return decodeText(this.content(tags.utf8String));
  }

  /** An OBJECT IDENTIFIER, dotted. */
  oid(): string {
    return decodeOid(this.content(tags.oid)) ?? this.fail("oid-malformed");
  }

  #header(tag: number | undefined): { readonly start: number; readonly end: number } {
    const found = this.peek();
    if (found === undefined) this.fail("truncated");
    if (tag !== undefined && found !== tag) this.fail("tag-unexpected");
    if ((found & 0x1f) === 0x1f) this.fail("tag-unsupported");
    if (this.#source.values-- <= 0) this.fail("too-many-values");
    const first = this.#byte(this.#at + 1);
    if (first < 0x80) return this.#span(this.#at + 2, first);
    if (first === 0x80) this.fail("length-indefinite");
    const count = first & 0x7f;
    if (count > maxLengthBytes) this.fail("length-too-large");
    let length = 0;
    for (let index = 0; index < count; index++) length = length * 0x100 + this.#byte(this.#at + 2 + index);
    if (length < 0x80 || length < 0x100 ** (count - 1)) this.fail("length-not-minimal");
    return this.#span(this.#at + 2 + count, length);
  }

  #span(start: number, length: number): { readonly start: number; readonly end: number } {
    if (length > this.#limit - start) this.fail("truncated");
    return { start, end: start + length };
  }

  #byte(at: number): number {
    const byte = at < this.#limit ? this.#bytes[at] : undefined;
    return byte ?? this.fail("truncated");
  }
}

/** Only ever thrown by `Reader.fail` and caught by `decodeDer`. */
class Failure extends Error {
  readonly problem: DerProblem;
  readonly at: number;

  constructor(problem: DerProblem, at: number) {
    super(problem);
    this.problem = problem;
    this.at = at;
  }
}

/** Nested values; the deepest message of the protocol has 9, a certificate 10. */
const maxDepth = 32;

/** Bytes of a long-form length: 2^48 - 1 is more than any buffer holds. */
const maxLengthBytes = 6;
