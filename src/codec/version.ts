/**
 * The protocol's version, in front of every message and every extension.
 *
 * @module
 */
import type { Reader } from "./der.ts";
import { type Der, integer } from "./der_writer.ts";

/** The one version that is spoken here. */
export type Version = 5;

export function readVersion(reader: Reader): Version {
  return reader.integer() === 5 ? 5 : reader.fail("version-unknown");
}

export const writtenVersion: Der = integer(5);
