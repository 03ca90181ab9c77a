/**
 * The files named after a certificate or request.
 *
 * @module
 */
import type { Command } from "../core/command.ts";
import { parseLabel } from "../core/name.ts";
import { err, ok, type Result } from "../core/result.ts";
import { type Failure, failure } from "./failure.ts";

/** A file's name without its extension: the common name, or for a path what is asked about it. */
export function fileBase(commonName: string | undefined, command: Command | undefined): Result<string, Failure> {
  if (commonName === undefined || pathNames.has(commonName)) return ok(command?.kind ?? "certificate");
  if (parseLabel(commonName).ok) return ok(commonName);
  return err(failure("usage", `no file can be named after '${encodeURIComponent(commonName)}'`));
}

const pathNames: ReadonlySet<string> = new Set(["", ".", ":"]);
