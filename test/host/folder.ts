import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type Name, parseName } from "../../src/core/name.ts";
import type { Result } from "../../src/core/result.ts";

/** A folder that is gone after the test, whatever its outcome. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "fulmar-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function subfolder(folder: string, name: string): string {
  const path = join(folder, name);
  mkdirSync(path, { recursive: true });
  return path;
}

export function name(text: string): Name {
  return expectOk(parseName(text));
}

/** The value of a result that must be one. */
export function expectOk<T, E>(result: Result<T, E>): T {
  if (!result.ok) throw new Error(`unexpected: ${JSON.stringify(result.error)}`);
  return result.value;
}

/** The error of a result that must be one. */
export function expectError<T, E>(result: Result<T, E>): E {
  if (result.ok) throw new Error(`unexpected: ${JSON.stringify(result.value)}`);
  return result.error;
}

/** Waits until the condition holds, for at most 10 s. */
export async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1000; tries++) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("it did not come to pass in 10 s");
}

export function readText(path: string): string {
  return readFileSync(path, "latin1");
}

export const isRoot: boolean = process.geteuid?.() === 0;
