/**
 * The numbers of the protocol.
 *
 * albatross's `Int` has 63 bits and a sign. Here a number is a safe integer,
 * and negative only where that has a meaning (start-up order, exit codes): a
 * negative amount of memory would make room for others.
 *
 * @module
 */
import { unlimited } from "../core/policy.ts";
import { compareBytes, decodeInteger } from "./bytes.ts";
import type { Reader } from "./der.ts";
import { type Der, integer, octets } from "./der_writer.ts";

/** An amount, an index or an identifier: never negative. */
export function readNatural(reader: Reader): number {
  const value = reader.integer();
  return value >= 0 ? value : reader.fail("integer-out-of-range");
}

/** How many there may be: natural, or `unlimited`. */
export function readCount(reader: Reader): number {
  const content = reader.integerBytes();
  if (content.length === maxInt.length && compareBytes(content, maxInt) === 0) return unlimited;
  const value = decodeInteger(content);
  return value !== undefined && value >= 0 ? value : reader.fail("integer-out-of-range");
}

export function writeCount(count: number): Der {
  return integer(count === unlimited ? (1n << 62n) - 1n : count);
}

/** A zlib level, 0 (none) to 9. */
export function readLevel(reader: Reader): number {
  const level = reader.integer();
  return level >= 0 && level <= 9 ? level : reader.fail("integer-out-of-range");
}

/** Int64: an OCTET STRING of 8 bytes, big endian, signed. */
export function readInt64(reader: Reader): bigint {
  const content = reader.octets();
  if (content.length !== 8) reader.fail("integer-out-of-range");
  eight.set(content);
  return int64.getBigInt64(0);
}

export function writeInt64(value: bigint): Der {
  int64.setBigInt64(0, value);
  return octets(new Uint8Array(eight));
}

/** Int32: signed on the wire, unsigned for us. */
export function readInt32(reader: Reader): number {
  const value = reader.integer();
  return value === (value | 0) ? value >>> 0 : reader.fail("integer-out-of-range");
}

export function writeInt32(value: number): Der {
  return integer(value | 0);
}

/** 2^62 - 1, the largest Int: what albatross writes for "no limit". */
const maxInt = Uint8Array.of(0x3f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);

/** Where an Int64 is converted: to make a view for each would cost more than all else about it. */
const eight = new Uint8Array(8);
const int64 = new DataView(eight.buffer);
