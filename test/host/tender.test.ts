import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findTender, type TenderOptions } from "../../src/host/tender.ts";
import { expectError, expectOk, readText, subfolder, temporaryFolder } from "./folder.ts";

test.for([
  [["db/solo5-spt.2", "path/solo5-spt.2", "db/solo5-spt", "path/solo5-spt"], "db/solo5-spt.2"],
  [["path/solo5-spt.2", "db/solo5-spt", "path/solo5-spt"], "path/solo5-spt.2"],
  [["db/solo5-spt", "path/solo5-spt"], "db/solo5-spt"],
  [["path/solo5-spt"], "path/solo5-spt"],
] as const)("findTender among %j takes %s", async ([files, found]) => {
  const { folder, options } = host();
  for (const file of files) program(join(folder, file), "echo ABI version 2 >&2");
  expect(expectOk(await findTender("spt", 2, options))).toEqual({ kind: "spt", path: join(folder, found) });
});

test("findTender lets the first one found decide", async () => {
  const { folder, options } = host();
  program(join(folder, "db/solo5-spt"), "echo ABI version 1");
  program(join(folder, "path/solo5-spt"), "echo ABI version 2");
  expect(expectError(await findTender("spt", 2, options))).toEqual({
    kind: "tender-wrong-abi",
    path: join(folder, "db/solo5-spt"),
    abi: 2,
    output: "ABI version 1\n",
  });
});

test("findTender wants the whole line", async () => {
  const { folder, options } = host();
  program(join(folder, "db/solo5-spt"), "echo tender; echo ABI version 22; echo x ABI version 2");
  expect(expectError(await findTender("spt", 2, options))).toMatchObject({ kind: "tender-wrong-abi" });
});

test("findTender tells where it looked", async () => {
  const { folder, options } = host();
  writeFileSync(join(folder, "db/solo5-spt"), "no program");
  expect(expectError(await findTender("spt", 2, options))).toEqual({
    kind: "tender-missing",
    tender: "spt",
    tried: ["db/solo5-spt.2", "path/solo5-spt.2", "db/solo5-spt", "path/solo5-spt"].map((file) => join(folder, file)),
  });
});

test("findTender asks a tender once, until its file changes", async () => {
  const { folder, options } = host();
  const path = join(folder, "db/solo5-spt");
  const asked = join(folder, "asked");
  program(path, `echo x >>${asked}; echo ABI version 2`);
  for (const _ of [1, 2, 3]) expectOk(await findTender("spt", 2, options));
  expect(readText(asked)).toBe("x\n");
  program(path, `echo x >>${asked}; echo now ABI; echo ABI version 3`);
  expect((await findTender("spt", 2, options)).ok).toBe(false);
  expect(readText(asked)).toBe("x\nx\n");
});

test("findTender tells of a tender that fails, and asks it again", async () => {
  const { folder, options } = host();
  program(join(folder, "db/solo5-spt"), "echo broken; exit 3");
  for (const _ of [1, 2]) {
    expect(expectError(await findTender("spt", 2, options))).toMatchObject({
      kind: "tender-broken",
      cause: { kind: "program-failed", status: 3, output: "broken" },
    });
  }
});

test("findTender offers only what the host offers", async () => {
  const { options } = host();
  expect(expectError(await findTender("virtio", 1, options))).toEqual({
    kind: "tender-not-offered",
    tender: "virtio",
    offered: ["hvt", "spt"],
  });
});

test("findTender uses QEMU without KVM only where that is allowed, and then always", async () => {
  const { folder, options } = host();
  program(join(folder, "path/qemu-system-x86_64"), "exit 1");
  const virtio: TenderOptions = { ...options, offered: ["virtio"], allowTcg: true };
  expect(expectOk(await findTender("virtio", 1, virtio))).toEqual({
    kind: "virtio",
    path: join(folder, "path/qemu-system-x86_64"),
    accel: "tcg",
  });
  expect(expectError(await findTender("virtio", 2, virtio))).toEqual({
    kind: "abi-unknown",
    tender: "virtio",
    abi: 2,
    known: [1],
  });
  const withKvm = await findTender("virtio", 1, { ...virtio, allowTcg: false });
  expect(withKvm.ok ? withKvm.value : withKvm.error).toMatchObject(
    withKvm.ok ? { accel: "kvm" } : { kind: "kvm-unusable" },
  );
});

function host(): { readonly folder: string; readonly options: TenderOptions } {
  const folder = temporaryFolder();
  const [dbdir, path] = [subfolder(folder, "db"), subfolder(folder, "path")];
  return { folder, options: { dbdir, path, offered: ["hvt", "spt"], allowTcg: false, caged: false } };
}

function program(path: string, script: string): void {
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
}
