/**
 * The daemon's folder: caged guests open their images and block files in it by
 * path, as users that are nobody else's.
 *
 * @module
 */
import { statSync } from "node:fs";
import { err, type Result } from "../core/result.ts";
import { attempt, type IoError, makeFolder } from "./io.ts";

export type StateFolderError = { readonly kind: "folder-closed"; readonly path: string } | IoError;

/**
 * Makes the folder where there is none.
 *
 * @param caged - whether guests are other users, who must be able to pass every folder on the way
 */
export async function prepareStateFolder(dbdir: string, caged: boolean): Promise<Result<void, StateFolderError>> {
  const made = await attempt("create", dbdir, async () => {
    await makeFolder(dbdir, 0o711);
  });
  const closed = made.ok && caged ? impassableFolder(dbdir) : undefined;
  return closed === undefined ? made : err({ kind: "folder-closed", path: closed });
}

function impassableFolder(path: string): string | undefined {
  const folders = path.split("/").map((_, index, parts) => parts.slice(0, index + 1).join("/") || "/");
  return folders.find((folder) => (statSync(folder).mode & 0o001) === 0);
}
