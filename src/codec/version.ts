/**
 * What stands in front of every message and every extension, the protocol's version, and what bounds both.
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

/**
 * Most values in one message or extension. A frame of 1 MiB full of unikernels has about 200,000; a certificate of 16 MiB
 * could have eight million and hold the endpoint for seconds.
 */
export const maxValues: number = 0x40000;
