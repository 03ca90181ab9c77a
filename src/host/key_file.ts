/**
 * The file of a server's private key: read only where nobody else can read it.
 *
 * @module
 */
import { open } from "node:fs/promises";
import { resolve, sep } from "node:path";
import { err, ok, type Result } from "../core/result.ts";
import type { FileError } from "./client_files.ts";
import { errnoOf } from "./io.ts";

/** Others than its owner, or than its owner and our own group, may read it or write to it. */
export interface OpenKeyError {
  readonly kind: "key-open";
  readonly path: string;
  readonly mode: number;
}

/**
 * The text of a file whose mode keeps others out. Its group counts as us where it is our own; what the service manager
 * hands out as a credential is ours whatever its mode says (its access list shows there as the group's).
 *
 * @param everybodys - whether it is no secret anyway
 */
export async function readKeyFile(
  path: string,
  everybodys: boolean,
): Promise<Result<string, FileError | OpenKeyError>> {
  try {
    const file = await open(path, "r");
    try {
      const { mode, gid } = await file.stat();
      const closed = gid === process.getegid?.() ? mode & 0o027 : mode & 0o077;
      if (closed !== 0 && !everybodys && !isCredential(path))
        return err({ kind: "key-open", path, mode: mode & 0o777 });
      return ok(await file.readFile("utf8"));
    } finally {
      await file.close();
    }
  } catch (thrown) {
    return err({ kind: "file", path, code: errnoOf(thrown) });
  }
}

function isCredential(path: string): boolean {
  const { CREDENTIALS_DIRECTORY: folder = "" } = process.env;
  return folder !== "" && resolve(path).startsWith(`${resolve(folder)}${sep}`);
}
