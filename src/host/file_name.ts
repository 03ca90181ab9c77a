/**
 * File names made from names: one directory, one file per name, and no way out
 * of the directory.
 *
 * The form is albatross's own, so that a directory that it left is found
 * again: the name as on the wire, `alice:data` or `:data`. It always holds a
 * colon and never a slash, so that even a label `..` gives a harmless `:..`,
 * and whatever has no colon is ours to use (temporary files, hashes).
 *
 * @module
 */
import { createHash } from "node:crypto";
import { type Name, parseName, printName } from "../core/name.ts";

/** The file name that stands for `name`: two names never share one. */
export function fileName(name: Name): string {
  const text = printName(name);
  return text.length <= maxPlainName ? text : hashPrefix + createHash("sha256").update(text).digest("hex");
}

/** Whether a file name is the hash of a name, which the file beside it (`nameFile`) spells. */
export function isHashed(file: string): boolean {
  return hashedName.test(file);
}

/** Where the name behind a hashed file name is written down. */
export function nameFile(file: string): string {
  return `${file}.name`;
}

export function isNameFile(file: string): boolean {
  return file.endsWith(".name") && isHashed(file.slice(0, -".name".length));
}

/** The name behind a file name, or undefined where `fileName` makes no such file name, or a hash. */
export function parseFileName(file: string): Name | undefined {
  const name = parseName(file);
  return name.ok && fileName(name.value) === file ? name.value : undefined;
}

/** Longest name that is its own file name, bytes: 255 is what file systems take, the rest is for suffixes. */
const maxPlainName = 200;

const hashPrefix = "sha256-";
const hashedName = /^sha256-[0-9a-f]{64}$/;
