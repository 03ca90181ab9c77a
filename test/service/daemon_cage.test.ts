import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, type TestContext, test, vi } from "vitest";
import { firstUid, namespaceArgv } from "../../src/host/cage.ts";
import { run } from "../../src/host/run.ts";
import { isRoot } from "../host/folder.ts";
import { until } from "./caller.ts";
import { create, destroy, guestTest, openScripted, type Place, readGuest, scriptTest } from "./lab.ts";

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
