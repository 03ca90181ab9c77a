import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, type TestContext, test, vi } from "vitest";
import { firstUid, namespaceArgv } from "../../src/host/cage.ts";
import { findCgroups, openCgroups } from "../../src/host/cgroup.ts";
import { run } from "../../src/host/run.ts";
import { isRoot } from "../host/folder.ts";
import { until } from "./caller.ts";
import { config, create, destroy, guestTest, openScripted, type Place, readGuest, scriptTest } from "./lab.ts";

vi.setConfig({ testTimeout: 60_000 });

const hello = readGuest("hello.spt");
const long = "while :; do sleep 1; done";
const namespaces = isRoot && (await run([...namespaceArgv(false), "/bin/true"])).ok;
const own = ["mnt", "pid", "ipc", "uts", "net"] as const;

guestTest("reference bug 27: a guest runs without any right, and has nothing of the daemon's open", async (place) => {
  await place.start();
  expect(await place.ask("vm", create(readGuest(`hello.${place.tender}`)))).toBe("created unikernel");
  await until(() => /^(solo5-|qemu)/.test(status(place, "Name")), "the tender");
  expectCaged(place);
});

scriptTest("a scripted guest runs in the same cage", long, async (place) => {
  await place.start();
  await place.ask("vm", create(hello));
  await until(() => status(place, "Name") === "solo5-spt", "the tender");
  expectCaged(place);
});

test("a guest sees its image and no other process, and shares no network", (context) =>
  caged(context, async (place) => {
    place.script(`echo "pid $$"; cat /proc/1/comm /etc/passwd; ls ${place.dbdir}/images; ${long}`);
    await place.start();
    await place.ask("alice:vm", create(hello, { addName: false, arguments: ["one"] }));
    await place.running(1);
    const console = await place.listen("alice:vm");
    await until(() => console.lines().length >= 4, "four lines");
    expect(console.lines()[0]).toBe("pid 1");
    expect(console.lines().slice(1).join()).toMatch(/No such file.*No such file.*Permission denied/);
    expect(readFileSync(`/proc/${tender(place)}/net/dev`, "latin1")).not.toMatch(/eth|fulmar/);
  }));

test("a guest may write as much as its largest block device holds, and next to nothing without one", (context) =>
  caged(context, async (place) => {
    place.script(`echo "blocks $(ulimit -f)"; ${long}`);
    await place.start();
    await place.ask("none", create(hello));
    await place.ask("storage", { kind: "block-add", size: 3, form: "current" });
    await place.ask("one", create(readGuest("hello_block.spt"), { blocks: [{ name: "storage" }] }));
    await (await place.listen("none")).line("blocks 128");
    await (await place.listen("one")).line(`blocks ${(3 * 1024 * 1024) / 512}`);
  }));

scriptTest(
  "a guest without a handler for SIGTERM ends at once where it is the first process of its namespace",
  long,
  async (place) => {
    await place.start({ grace: 60_000 });
    await place.ask("vm", create(hello));
    await place.running(1);
    const begin = performance.now();
    expect(await place.ask("vm", destroy)).toBe("destroyed unikernel");
    expect(performance.now() - begin).toBeLessThan(30_000);
    expect(place.leftovers()).not.toContainEqual(expect.stringContaining("fifo/"));
  },
);

test("what a cage cannot have is said once, and guests run without it", async () => {
  const place = openScripted(long);
  if (!isRoot) return;
  // Where the folder for their file system should be there is a file.
  mkdirSync(place.tmpdir, { recursive: true });
  writeFileSync(join(place.tmpdir, "view"), "");
  await place.start();
  expect(place.log.match(/"lacking":"namespaces"/g)).toHaveLength(1);
  await place.ask("vm", create(hello));
  await until(() => status(place, "Name") === "solo5-spt", "the tender");
  expect(Number(status(place, "Uid").split("\t")[0])).toBeGreaterThanOrEqual(firstUid(0));
  expect(namespace(place, "mnt")).toBe(readlinkSync("/proc/self/ns/mnt"));
});

test("a guest's cgroup bounds it, outlives the daemon, and goes with the guest", (context) =>
  grouped(context, async (place) => {
    place.script(long);
    const daemon = await place.start();
    await place.ask("vm", create(hello, { memory: 128, cpus: 1 }));
    await until(() => status(place, "Name") === "solo5-spt", "the tender");
    const group = groupOf(tender(place));
    const of = (file: string): string => readFileSync(join(group, file), "latin1").trim();
    expect(of("memory.max")).toBe(`${(128 + 2 + 1) * 1024 * 1024}`);
    expect(["pids.max", "cpu.max", "memory.oom.group"].map(of)).toEqual(["8", "100000 100000", "1"]);
    expect(of("cpuset.cpus")).toBe(`${config.cpuids[0]}`);
    expect(groupOf(Number(status(place, "PPid")))).toBe(join(group, "..", "shims"));
    await daemon.stop();
    mkdirSync(join(group, "..", ":left"));
    await place.start();
    await place.running(1);
    expect(groupOf(tender(place))).toBe(group);
    expect(existsSync(join(group, "..", ":left"))).toBe(false);
    expect(await place.ask("vm", destroy)).toBe("destroyed unikernel");
    expect(existsSync(group)).toBe(false);
  }));

test("a guest that needs more memory than it has ends alone, and it is told why", (context) =>
  grouped(context, async (place) => {
    place.script(`trap "dd if=/dev/zero of=/dev/null bs=100M count=1" USR1; echo ready; ${long}`);
    await place.start();
    for (const label of ["bystander", "greedy"]) {
      await place.ask(label, create(hello, { memory: 16 }));
      await (await place.listen(label)).line("ready");
    }
    const [bystander = 0, greedy = 0] = place.tenders();
    process.kill(greedy, "SIGUSR1");
    await (await place.listen("greedy")).line("fulmar: ended by signal 9, out of memory");
    expect(place.tenders()).toEqual([bystander]);
    expect(existsSync(join(groupOf(bystander), "..", ":greedy"))).toBe(false);
  }));

async function grouped(context: TestContext, body: (place: Place) => Promise<void>): Promise<void> {
  const tag = `fulmar-test-${process.pid}`;
  const opened = isRoot ? await openCgroups(tag, { root: "/sys/fs/cgroup", group: "" }) : undefined;
  if (opened?.ok !== true) context.skip(`no cgroups: ${JSON.stringify(opened?.error ?? "not root")}`);
  await findCgroups(tag, { root: "/sys/fs/cgroup", group: "" }).dissolve();
  await body(openScripted(""));
}

function groupOf(pid: number): string {
  const [, path = ""] = /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, "latin1")) ?? [];
  return join("/sys/fs/cgroup", path);
}

async function caged(context: TestContext, body: (place: Place) => Promise<void>): Promise<void> {
  if (!namespaces) context.skip("this process may not make namespaces");
  await body(openScripted(""));
}

/** All that /proc tells of the one guest that runs. */
function expectCaged(place: Place): void {
  const { folder } = place;
  expect(status(place, "NoNewPrivs")).toBe("1");
  const file = (name: string): string => readFileSync(`/proc/${tender(place)}/${name}`, "latin1");
  const variables = file("environ")
    .split("\0")
    .flatMap((word) => word.split("=").slice(0, 1));
  expect(variables.filter((variable) => variable !== "" && variable !== "PWD").toSorted()).toEqual(["LC_ALL", "PATH"]);
  expect(file("oom_score_adj")).toBe("0\n");
  expect(status(place, "Umask")).toBe("0077");
  const open = readdirSync(`/proc/${tender(place)}/fd`).map((fd) => readlinkSync(`/proc/${tender(place)}/fd/${fd}`));
  const console = join(place.tmpdir, "fifo", ":vm");
  expect(open.filter((path) => path === console)).toHaveLength(2);
  const strange = (path: string): boolean => path.startsWith(folder) || /^(pipe|socket):/.test(path);
  const program = join(place.dbdir, "solo5-spt");
  expect(open.filter((path) => path !== console && !path.endsWith(program) && strange(path))).toEqual([]);
  if (!isRoot) return;
  const [uid = 0] = status(place, "Uid").split("\t").map(Number);
  expect(uid).toBeGreaterThanOrEqual(firstUid(0));
  for (const ids of ["Uid", "Gid"]) expect(status(place, ids)).toBe(Array(4).fill(uid).join("\t"));
  expect(status(place, "Groups").trim()).toBe("");
  for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]) expect(status(place, set)).toMatch(/^0+$/);
  const limits = file("limits");
  for (const [limit, value] of [
    ["core file size", 0],
    ["file size", 65536],
    ["open files", 256],
    ["msgqueue size", 0],
  ]) {
    expect(limits).toMatch(new RegExp(`^Max ${limit} +${value} +${value} `, "m"));
  }
  expect(limits).toMatch(/^Max processes +(8|128) /m);
  const shared = own.filter((kind) => namespace(place, kind) === readlinkSync(`/proc/self/ns/${kind}`));
  expect(shared).toEqual(namespaces ? [] : own);
  if (existsSync("/sys/fs/cgroup/cgroup.controllers")) expect(file("cgroup")).toMatch(/^0::.*\/fulmar-.*\/:vm$/m);
}

function tender(place: Place): number {
  return place.tenders()[0] ?? 0;
}

function status(place: Place, field: string): string {
  try {
    const text = readFileSync(`/proc/${tender(place)}/status`, "latin1");
    return new RegExp(`^${field}:[ \\t]*(.*)$`, "m").exec(text)?.[1] ?? "";
  } catch {
    return "";
  }
}

function namespace(place: Place, kind: string): string {
  return readlinkSync(`/proc/${tender(place)}/ns/${kind}`);
}
