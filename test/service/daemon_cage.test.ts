import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, vi } from "vitest";
import { firstUid } from "../../src/host/cage.ts";
import { isRoot } from "../host/folder.ts";
import { until } from "./caller.ts";
import { create, guestTest, readGuest } from "./lab.ts";

vi.setConfig({ testTimeout: 60_000 });

guestTest("reference bug 27: a guest runs without any right, and has nothing of the daemon's open", async (place) => {
  await place.start();
  expect(await place.ask("vm", create(readGuest(`hello.${place.tender}`)))).toBe("created unikernel");
  const pid = (): number => place.tenders()[0] ?? 0;
  const status = (field: string): string =>
    new RegExp(`^${field}:[ \\t]*(.*)$`, "m").exec(readFileSync(`/proc/${pid()}/status`, "latin1"))?.[1] ?? "";
  await until(() => /^(solo5-|qemu)/.test(status("Name")), "the tender");
  expect(status("NoNewPrivs")).toBe("1");
  if (isRoot) {
    const [uid = 0, ...others] = status("Uid").split("\t").map(Number);
    expect(uid).toBeGreaterThanOrEqual(firstUid(0));
    expect([others, status("Groups").trim()]).toEqual([[uid, uid, uid], ""]);
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]) expect(status(set)).toMatch(/^0+$/);
  }
  const open = readdirSync(`/proc/${pid()}/fd`).map((fd) => readlinkSync(`/proc/${pid()}/fd/${fd}`));
  const console = join(place.tmpdir, "fifo", ":vm");
  expect(open.filter((file) => file === console)).toHaveLength(2);
  const strange = (file: string): boolean => file.startsWith(place.folder) || /^(pipe|socket):/.test(file);
  expect(open.filter((file) => file !== console && strange(file))).toEqual([]);
});
