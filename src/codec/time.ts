/**
 * Times on the wire as milliseconds since the Unix epoch, UTC.
 *
 * @module
 */
import { type Reader, tags } from "./der.ts";
import { type Der, primitive } from "./der_writer.ts";

/** `YYYYMMDDHHMMSSZ` or, as albatross writes it, `YYYYMMDDHHMMSS.mmmZ` with exactly three digits. */
export function readGeneralizedTime(reader: Reader): number {
  return readTime(reader, tags.generalizedTime, /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d{3}))?Z$/);
}

/** The fraction is left out where the milliseconds are 0. The time must lie in the years 0 to 9999. */
export function writeGeneralizedTime(time: number): Der {
  return primitive(tags.generalizedTime, encoder.encode(print(time).replace(".000Z", "Z")));
}

/** A certificate's UTCTime, `YYMMDDHHMMSSZ`: the years 1950 to 2049 (RFC 5280 section 4.1.2.5.1). */
export function readUtcTime(reader: Reader): number {
  return readTime(reader, tags.utcTime, /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/);
}

/** The milliseconds are cut off. The time must lie in the years 1950 to 2049. */
export function writeUtcTime(time: number): Der {
  return primitive(tags.utcTime, encoder.encode(print(time).replace(/^..(.*)\.\d{3}Z$/, "$1Z")));
}

function readTime(reader: Reader, tag: number, form: RegExp): number {
  const content = reader.content(tag);
  // The longest form has 19 characters, all ASCII.
  if (content.length > 19) reader.fail("time-malformed");
  const fields = form.exec(String.fromCharCode(...content));
  if (fields === null) reader.fail("time-malformed");
  const [, year = "", month, day, hour, minute, second, millisecond = "0"] = fields;
  const date = new Date(0);
  date.setUTCFullYear(fullYear(year), Number(month) - 1, Number(day));
  if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day)) reader.fail("time-out-of-range");
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) reader.fail("time-out-of-range");
  return date.setUTCHours(Number(hour), Number(minute), Number(second), Number(millisecond));
}

function fullYear(digits: string): number {
  const year = Number(digits);
  if (digits.length > 2) return year;
  return year < 50 ? 2000 + year : 1900 + year;
}

/** `YYYYMMDDHHMMSS.mmmZ`. */
function print(time: number): string {
  const text = new Date(time).toISOString();
  if (text.length !== 24) throw new RangeError(`not in the years 0 to 9999: ${text}`);
  return text.replace(/[-:T]/g, "");
}

const encoder = new TextEncoder();
