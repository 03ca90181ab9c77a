/**
 * Names on the wire.
 *
 * @module
 */
import { type Label, type Name, parseLabel, parseName, printName } from "../core/name.ts";
import type { Reader } from "./der.ts";
import { type Der, text } from "./der_writer.ts";

/** `path:label` or `path:`. As albatross, takes what it does not write: no colon, one in front, upper case. */
export function readName(reader: Reader): Name {
  const name = parseName(reader.utf8());
  return name.ok ? name.value : reader.fail("name-malformed");
}

export function writeName(name: Name): Der {
  return text(printName(name));
}

/** A label in its one form, lower case. */
export function readLabel(reader: Reader): Label {
  const label = reader.utf8();
  const parsed = parseLabel(label);
  return parsed.ok && parsed.value === label ? parsed.value : reader.fail("name-malformed");
}
