/**
 * Permissions on the wire and in certificates: ours, SEQUENCE OF UTF8String, each class at most once.
 *
 * @module
 */
import { type Permission, parsePermission } from "../core/permission.ts";
import type { Result } from "../core/result.ts";
import { type DerError, decodeDer, type Reader } from "./der.ts";
import { type Der, encodeDer, sequenceOf, text } from "./der_writer.ts";

export function encodePermissions(permissions: readonly Permission[]): Uint8Array {
  return encodeDer(writePermissions(permissions));
}

export function decodePermissions(bytes: Uint8Array): Result<readonly Permission[], DerError> {
  return decodeDer(bytes, readPermissions);
}

/** A class that is not known here may be one that narrows: nothing is read then. */
export function readPermissions(reader: Reader): readonly Permission[] {
  const found = reader.sequenceOf((item) => parsePermission(item.utf8()) ?? item.fail("value-refused"));
  return new Set(found).size === found.length ? found : reader.fail("value-refused");
}

export function writePermissions(permissions: readonly Permission[]): Der {
  return sequenceOf(permissions, text);
}
