import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type Cgroups, openCgroups } from "../../src/host/cgroup.ts";
import { run } from "../../src/host/run.ts";
import { expectError, expectOk, isRoot, name, temporaryFolder } from "./folder.ts";

const vm = name("alice:vm");
const limits = { memory: 34, cpus: 1, cpuids: [0, 2], tasks: 8 };

test("openCgroups makes its folder at the top, and passes the controllers on that it needs", async () => {
  const root = paper("io memory pids cpu cpuset");
  expectOk(await openCgroups("fulmar-1", { root, group: "" }));
  expect(readFileSync(join(root, "cgroup.subtree_control"), "latin1")).toBe("+memory +pids +cpu +cpuset");
  expect(readFileSync(join(root, "fulmar-1/cgroup.subtree_control"), "latin1")).toBe("+memory +pids +cpu +cpuset");
});

test("openCgroups makes it in the group that it is given", async () => {
  const root = paper("memory pids cpu cpuset");
  const unit = join(root, "system.slice/fulmar-guests.service");
  paper("memory pids cpu cpuset", join(unit, "fulmar-1"));
  writeFileSync(join(unit, "cgroup.controllers"), "memory pids cpu cpuset\n");
  expectOk(await openCgroups("fulmar-1", { root, group: "system.slice/fulmar-guests.service" }));
  expect(existsSync(join(unit, "fulmar-1/cgroup.subtree_control"))).toBe(true);
  expect(existsSync(join(root, "cgroup.subtree_control"))).toBe(false);
});

test("openCgroups says what is missing", async () => {
  const error = async (root: string): Promise<unknown> =>
    expectError(await openCgroups("fulmar-1", { root, group: "" }));
  const empty = temporaryFolder();
  expect(await error(empty)).toEqual({ kind: "no-cgroup-v2", path: empty });
  expect(await error(paper("pids cpu"))).toEqual({ kind: "cgroup-controllers-missing", missing: "memory cpuset" });
  const gone = await openCgroups("fulmar-1", {
    root: paper("memory pids cpu cpuset"),
    group: "system.slice/none.service",
  });
  expect(expectError(gone)).toMatchObject({ code: "ENOENT" });
});

test("Cgroups gives a guest's group its limits", async () => {
  const { groups } = await open();
  const path = expectOk(await groups.create(vm, limits));
  const of = (file: string): string => readFileSync(join(path, file), "latin1");
  expect(["memory.max", "memory.oom.group", "pids.max", "cpu.max", "cpuset.cpus"].map(of)).toEqual([
    "35651584",
    "1",
    "8",
    "100000 100000",
    "0,2",
  ]);
  expect(path.endsWith("/fulmar-1/alice:vm")).toBe(true);
});

test("Cgroups removes a group that is empty, and minds no other", async () => {
  const { groups, folder } = await open();
  mkdirSync(join(folder, ":left"));
  mkdirSync(join(folder, ":busy"));
  writeFileSync(join(folder, ":busy", "cgroup.procs"), "1\n");
  expectOk(await groups.sweep());
  const folders = (): readonly string[] =>
    readdirSync(folder, { withFileTypes: true }).flatMap((one) => (one.isDirectory() ? [one.name] : []));
  expect(folders()).toEqual([":busy"]);
  // The kernel's own files go with their folder, these do not.
  const path = expectOk(await groups.create(vm, limits));
  for (const file of readdirSync(path)) rmSync(join(path, file));
  expectOk(await groups.remove(vm));
  expectOk(await groups.remove(vm));
  expect(folders()).toEqual([":busy", "shims"]);
});

test("the kernel's own hierarchy lets a group go once its process has ended, and not before", async ({ skip }) => {
  if (!isRoot) skip("only root mounts a hierarchy");
  const root = temporaryFolder();
  if (!(await run(["mount", "-t", "cgroup2", "none", root])).ok) skip("no unified hierarchy can be mounted here");
  const folder = join(root, `fulmar-test-${process.pid}`);
  onTestFinished(async () => {
    for (const path of [join(folder, "alice:vm"), join(folder, "shims"), folder]) await run(["rmdir", path]);
    await run(["umount", root]);
  });
  const have = readFileSync(join(root, "cgroup.controllers"), "latin1");
  if (!/\bmemory\b.*\bpids\b|\bpids\b.*\bmemory\b/.test(have)) {
    const refused = await openCgroups(`fulmar-test-${process.pid}`, { root, group: "" });
    expect(expectError(refused).kind).toBe("cgroup-controllers-missing");
    skip("this host's controllers for memory and tasks are in the old hierarchies (cgroup v1)");
  }
  const groups = expectOk(await openCgroups(`fulmar-test-${process.pid}`, { root, group: "" }));
  const path = expectOk(await groups.create(vm, { ...limits, cpuids: [0] }));
  expectOk(await run(["sh", "-c", 'echo 0 >"$0/cgroup.procs"; cat /proc/self/cgroup', path]));
  const members = readFileSync(join(folder, "shims", "cgroup.procs"), "latin1");
  expectOk(await groups.remove(vm));
  expect([members, existsSync(path)]).toEqual(["", false]);
  expectOk(await groups.dissolve());
  expect(existsSync(folder)).toBe(false);
});

/** A double of the hierarchy: a folder with a file of the controllers in it, and in the folder of a daemon's groups. */
function paper(controllers: string, groups?: string): string {
  const root = temporaryFolder();
  const folder = groups ?? join(root, "fulmar-1");
  mkdirSync(folder, { recursive: true });
  for (const place of [root, folder]) writeFileSync(join(place, "cgroup.controllers"), `${controllers}\n`);
  return root;
}

async function open(): Promise<{ readonly groups: Cgroups; readonly folder: string }> {
  const root = paper("memory pids cpu cpuset");
  return { groups: expectOk(await openCgroups("fulmar-1", { root, group: "" })), folder: join(root, "fulmar-1") };
}
