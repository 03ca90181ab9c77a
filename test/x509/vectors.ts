/** Files of `test/vector`, read. */

import type { KeyObject } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { Result } from "../../src/core/result.ts";
import type { Certificate } from "../../src/x509/certificate.ts";
import { parseKey } from "../../src/x509/keys.ts";
import { parseCertificates, parsePem } from "../../src/x509/pem.ts";

/** The value, or an exception that shows the error. */
export function must<T>(result: Result<T, unknown>): T {
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
}

export function readVector(file: string): string {
  return readFileSync(join(import.meta.dirname, "../vector", file), "utf8");
}

/** The lines of a `.jsonl` file. */
export function readLines<T>(file: string): T[] {
  return readVector(file)
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

export function readCertificates(file: string): readonly [Certificate, ...Certificate[]] {
  return must(parseCertificates(readVector(file)));
}

export function readKey(file: string): KeyObject {
  return must(parseKey(readVector(file)));
}

/** The DER of a file's first PEM block. */
export function readDer(file: string): Uint8Array {
  const [block] = must(parsePem(readVector(file)));
  if (block === undefined) throw new Error(`no PEM block in ${file}`);
  return block.der;
}

/** When all certificates of `test/vector` are valid. */
export const vectorTime: number = Date.UTC(2027, 0);

/** Where a program of this name is on PATH. */
export function findProgram(name: string): string | undefined {
  const { PATH = "" } = process.env;
  return PATH.split(delimiter)
    .map((folder) => join(folder, name))
    .find((file) => existsSync(file));
}
