/**
 * Times on the wire as milliseconds since the Unix epoch, UTC.
 *
 * @module
 */
import { type Reader, tags } from "./der.ts";
import { type Der, primitive } from "./der_writer.ts";

/** `YYYYMMDDHHMMSSZ` or, as albatross writes it, `YYYYMMDDHHMMSS.mmmZ` with exactly three digits. */
export function readGeneralizedTime(reader: Reader): number {
  const content = reader.content(tags.generalizedTime);
  if (content.length !== 15 && !(content.length === 19 && content[14] === point)) reader.fail("time-malformed");
  const millisecond = content.length === 19 ? digits(reader, content, 15, 3) : 0;
  return timeOf(reader, content, 4, digits(reader, content, 0, 4)) + millisecond;
}

/** The fraction is left out where the milliseconds are 0. The time must lie in the years 0 to 9999. */
export function writeGeneralizedTime(time: number): Der {
  const date = new Date(time);
  const milliseconds = date.getUTCMilliseconds();
  const content = new Uint8Array(milliseconds === 0 ? 15 : 19);
  putDigits(content, 0, 4, yearOf(date, 0, 9999));
  putRest(content, 4, date);
  if (milliseconds !== 0) {
    content[14] = point;
    putDigits(content, 15, 3, milliseconds);
  }
  return primitive(tags.generalizedTime, content);
}

/** A certificate's UTCTime, `YYMMDDHHMMSSZ`: the years 1950 to 2049 (RFC 5280 section 4.1.2.5.1). */
export function readUtcTime(reader: Reader): number {
  const content = reader.content(tags.utcTime);
  if (content.length !== 13) reader.fail("time-malformed");
  const year = digits(reader, content, 0, 2);
  return timeOf(reader, content, 2, year < 50 ? 2000 + year : 1900 + year);
}

/** The milliseconds are cut off. The time must lie in the years 1950 to 2049. */
export function writeUtcTime(time: number): Der {
  const date = new Date(time);
  const content = new Uint8Array(13);
  putDigits(content, 0, 2, yearOf(date, 1950, 2049) % 100);
  putRest(content, 2, date);
  return primitive(tags.utcTime, content);
}

/** What month, day, hour, minute, second and a `Z` at the end of the content come to. */
function timeOf(reader: Reader, content: Uint8Array, at: number, year: number): number {
  if (content[content.length - 1] !== zulu) reader.fail("time-malformed");
  const month = digits(reader, content, at, 2);
  const day = digits(reader, content, at + 2, 2);
  const hour = digits(reader, content, at + 4, 2);
  const minute = digits(reader, content, at + 6, 2);
  const second = digits(reader, content, at + 8, 2);
  if (hour > 23 || minute > 59 || second > 59) reader.fail("time-out-of-range");
  // A cycle of 400 years later: of the years 0 to 99, Date.UTC makes 1900 to 1999.
  const midnight = Date.UTC(year + 400, month - 1, day);
  const date = new Date(midnight);
  if (month === 0 || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) reader.fail("time-out-of-range");
  return midnight - cycle + ((hour * 60 + minute) * 60 + second) * 1000;
}

function digits(reader: Reader, content: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let index = at; index < at + count; index++) {
    const digit = (content[index] ?? 0) - zero;
    if (digit < 0 || digit > 9) reader.fail("time-malformed");
    value = value * 10 + digit;
  }
  return value;
}

function yearOf(date: Date, first: number, last: number): number {
  const year = date.getUTCFullYear();
  if (year >= first && year <= last) return year;
  throw new RangeError(`not in the years ${first} to ${last}: ${year}`);
}

/** Month to second, and the `Z` at the end. */
function putRest(content: Uint8Array, at: number, date: Date): void {
  putDigits(content, at, 2, date.getUTCMonth() + 1);
  putDigits(content, at + 2, 2, date.getUTCDate());
  putDigits(content, at + 4, 2, date.getUTCHours());
  putDigits(content, at + 6, 2, date.getUTCMinutes());
  putDigits(content, at + 8, 2, date.getUTCSeconds());
  content[content.length - 1] = zulu;
}

function putDigits(content: Uint8Array, at: number, count: number, value: number): void {
  let rest = value;
  for (let index = at + count - 1; index >= at; index--) {
    content[index] = zero + (rest % 10);
    rest = Math.floor(rest / 10);
  }
}

const zero = 0x30;
const point = 0x2e;
const zulu = 0x5a;

/** Milliseconds of 400 years. */
const cycle: number = 146_097 * 24 * 60 * 60 * 1000;
