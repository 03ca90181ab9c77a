import { chmodSync, chownSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { readKeyFile } from "../../src/host/key_file.ts";
import { isRoot, temporaryFolder } from "./folder.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

function keyFile(mode: number): string {
  const path = join(temporaryFolder(), "server.key");
  writeFileSync(path, "key");
  chmodSync(path, mode);
  return path;
}

test.for([0o400, 0o600, 0o440, 0o640])("readKeyFile reads a file of our own with mode %o", async (mode) => {
  expect(await readKeyFile(keyFile(mode), false)).toEqual({ ok: true, value: "key" });
});

test.for([0o404, 0o444, 0o644, 0o460, 0o666, 0o602])("readKeyFile refuses a file with mode %o", async (mode) => {
  const path = keyFile(mode);
  expect(await readKeyFile(path, false)).toEqual({ ok: false, error: { kind: "key-open", path, mode } });
  expect(await readKeyFile(path, true)).toEqual({ ok: true, value: "key" });
});

test("readKeyFile refuses a file that another group than ours can read, but for a service manager's credential", {
  skip: !isRoot,
}, async () => {
  const path = keyFile(0o440);
  chownSync(path, 0, 4711);
  expect(await readKeyFile(path, false)).toMatchObject({ ok: false, error: { kind: "key-open", mode: 0o440 } });
  vi.stubEnv("CREDENTIALS_DIRECTORY", join(path, ".."));
  expect(await readKeyFile(path, false)).toEqual({ ok: true, value: "key" });
});

test("readKeyFile says which file is missing", async () => {
  expect(await readKeyFile("/nonexistent", false)).toEqual({
    ok: false,
    error: { kind: "file", path: "/nonexistent", code: "ENOENT" },
  });
});
