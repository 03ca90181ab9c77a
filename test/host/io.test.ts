import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { attempt, makeFolder } from "../../src/host/io.ts";
import { expectError, expectOk, temporaryFolder } from "./folder.ts";

test("makeFolder makes what is missing of a path, and takes what is there", async () => {
  const folder = temporaryFolder();
  await makeFolder(join(folder, "a/b/c"), 0o700);
  await makeFolder(join(folder, "a/b/c"), 0o755);
  expect(statSync(join(folder, "a/b/c")).mode & 0o777).toBe(0o700);
});

test("makeFolder takes no file for a folder", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "file"), "");
  mkdirSync(join(folder, "there"));
  for (const path of ["file", "file/below"]) {
    const made = await attempt("create", path, () => makeFolder(join(folder, path), 0o700));
    expect(expectError(made).code).toMatch(/EEXIST|ENOTDIR/);
  }
  expectOk(await attempt("create", "", () => makeFolder(join(folder, "there"), 0o700)));
});

test.for(["/proc/x", "/proc/x/y/z"])("makeFolder ends where there can be no folder: %s", async (path) => {
  expect(expectError(await attempt("create", path, () => makeFolder(path, 0o700)))).toMatchObject({ code: "ENOENT" });
});
