/**
 * What these tests need of the machine. Each one looks for what it needs, and is
 * skipped with the reason where that is absent.
 */
import { accessSync, constants, existsSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";
import type { TestContext } from "vitest";
import { findTender } from "../../demo/tenders.ts";
import type { TenderKind } from "../../src/core/manifest.ts";

/** Of the repository. */
export const top: string = join(import.meta.dirname, "..", "..");

/** Skips the test where one of the programs is not on PATH. */
export function needPrograms(context: TestContext, ...programs: readonly string[]): void {
  for (const program of programs) if (!isOnPath(program)) context.skip(`${program} is not on PATH`);
  needBuild(context);
}

/** Which tender runs our guest here; skips the test where none does. */
export function needTender(context: TestContext): TenderKind {
  needBuild(context);
  tender ??= { found: findTender(join(top, "guest")) };
  return tender.found ?? context.skip("no tender runs guest/hello.spt, hello.hvt or hello.virtio here");
}

/** The file of one of Solo5's own guests, `test_hello` for example. */
export function needGuest(context: TestContext, name: string): string {
  const { FULMAR_SOLO5_GUESTS } = process.env;
  const folder = FULMAR_SOLO5_GUESTS ?? context.skip("FULMAR_SOLO5_GUESTS names no folder of guests");
  const file = join(folder, `${name}.spt`);
  return existsSync(file) ? file : context.skip(`there is no ${file}`);
}

/** Skips the test where OpenSSL's limit on certificates cannot be raised. */
export function needLargeCertificates(context: TestContext): void {
  try {
    createRequire(import.meta.url).resolve("koffi");
  } catch {
    context.skip("koffi is not installed");
  }
}

export function needRoot(context: TestContext): void {
  if (process.geteuid?.() !== 0) context.skip("only root can do this");
}

function needBuild(context: TestContext): void {
  if (!existsSync(join(top, "dist/bin/fulmar.js"))) context.skip("dist/bin is not built");
}

function isOnPath(program: string): boolean {
  const { PATH = "" } = process.env;
  return PATH.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Looked for once: that takes a run of the guest. */
let tender: { readonly found: TenderKind | undefined } | undefined;
