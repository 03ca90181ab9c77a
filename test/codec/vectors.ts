import { readFileSync } from "node:fs";
import { join } from "node:path";

/** One line of a file of vectors; see test/vector/README.md. */
export interface Vector {
  readonly id: string;
  readonly der: string;
  readonly ok: boolean;
  readonly reencoded?: string;
  readonly verbose?: string;
  readonly sequence?: string;
  readonly name?: string;
}

export function readLines<T>(file: string): readonly T[] {
  const lines = readFileSync(join(import.meta.dirname, "../vector", file), "utf8")
    .trim()
    .split("\n");
  return lines.map((line): T => JSON.parse(line));
}

export function readImage(file: string): Uint8Array {
  return Uint8Array.from(readFileSync(join(import.meta.dirname, "../vector/images", file)));
}

export function unhex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** What albatross writes for what it reads, or undefined where it refuses. */
export function expected(vector: Vector): string | undefined {
  if (!vector.ok) return undefined;
  return vector.reencoded === undefined || vector.reencoded === "same" ? vector.der : vector.reencoded;
}

/** A value as text, the same for values that are the same on the wire: devices are sets there, their order is not kept. */
export function stable(value: unknown): string {
  return JSON.stringify(value, unordered);
}

function unordered(_: string, value: unknown): unknown {
  if (typeof value === "bigint") return `${value}n`;
  if (value === Number.POSITIVE_INFINITY) return "unlimited";
  if (value instanceof Uint8Array) return hex(value);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).map(([key, member]): [string, unknown] => {
    const isSet = (key === "blocks" || key === "bridges") && Array.isArray(member);
    return [key, isSet ? member.map((item: unknown) => stable(item)).sort() : member];
  });
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
