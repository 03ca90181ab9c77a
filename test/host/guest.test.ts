import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  createReadStream,
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { env } from "node:process";
import { expect, onTestFinished, test, vi } from "vitest";
import { cageArgv } from "../../src/host/cage.ts";
import { type ConsoleInput, openConsole } from "../../src/host/fifo.ts";
import { adoptGuests, type Guest, startGuest, stopGuest } from "../../src/host/guest.ts";
import { forgetGuest, markStopping } from "../../src/host/guest_files.ts";
import { prepareImages, receiveImage } from "../../src/host/image.ts";
import { isAlive, kill, readProcess } from "../../src/host/proc.ts";
import { run } from "../../src/host/run.ts";
import { expectError, expectOk, isRoot, name, readText, temporaryFolder, until } from "./folder.ts";

// A busy machine is slow to start programs, and an orphan ends when init has time for it.
vi.setConfig({ testTimeout: 30_000 });

const vm = name("alice:vm");
const limits = { fileSize: 65_536, tasks: 8, descriptors: 256 };
/** As it is built: the test below runs it in a process of its own. */
const guestModule = join(import.meta.dirname, "../../dist/src/host/guest.js");
const { PATH = "" } = env;
const hasSpt = spawnSync("solo5-spt", ["--version"]).status === 0;

test("startGuest runs the program with its console, and tells its pid and exit code", async () => {
  const place = await openPlace();
  const guest = await place.start(["sh", "-c", "echo pid $$; echo problem >&2; exit 7"]);
  expect(await guest.exited).toEqual({ kind: "exited", code: 7 });
  await until(() => place.text() === `pid ${guest.identity.pid}\nproblem\n`);
  expect(readText(place.file("exit"))).toBe(`${guest.identity.pid} ${guest.identity.start} 7\n`);
});

test.for([
  ["TERM", { kind: "signalled", signal: 15 }],
  ["KILL", { kind: "signalled", signal: 9 }],
  ["SEGV", { kind: "signalled", signal: 11 }],
  ["SYS", { kind: "signalled", signal: 31 }],
] as const)("startGuest tells of an end by SIG%s", async ([signal, status]) => {
  const place = await openPlace();
  const guest = await place.start(["sh", "-c", `kill -${signal} $$; sleep 60`]);
  expect(await guest.exited).toEqual(status);
});

test.for([
  [0, { kind: "exited", code: 0 }],
  [64, { kind: "exited", code: 64 }],
  [128, { kind: "exited", code: 128 }],
  [160, { kind: "exited", code: 160 }],
  [255, { kind: "exited", code: 255 }],
] as const)("startGuest tells of exit %i", async ([code, status]) => {
  const place = await openPlace();
  const guest = await place.start(["sh", "-c", `exit ${code}`]);
  expect(await guest.exited).toEqual(status);
});

test("startGuest leaves no tender where the shim was killed before it reported", async () => {
  const place = await openPlace();
  await mkdir(place.runDir);
  // Without a reader it holds up the guest's side before it has written down who it is.
  expectOk(await run(["mkfifo", place.file("pid.new")]));
  const argv = ["sh", "-c", 'echo started >"$0"', place.file("tender")];
  const start = { name: vm, argv, fifo: place.input.path, runDir: place.runDir, note: "" };
  const begun = startGuest(start);
  await until(() => place.shims().length === 2);
  for (const pid of place.shims()) process.kill(pid, "SIGKILL");
  expect(expectError(await begun).kind).toBe("shim-silent");
  await until(() => place.shims().length === 0);
  expect([place.shims(), existsSync(place.file("tender"))]).toEqual([[], false]);
});

test("startGuest tells of a process that has no descriptor left", () => {
  const script = `
    import { openSync, closeSync, mkdirSync, writeFileSync } from "node:fs";
    import { startGuest } from ${JSON.stringify(guestModule)};
    const name = { path: [], label: "x" };
    const start = { name, argv: ["true"], fifo: "/dev/null", runDir: process.argv[1], note: "" };
    const held = [];
    try { for (;;) held.push(openSync("/dev/null", "r")); } catch {}
    closeSync(held.pop());
    console.log(JSON.stringify(await startGuest(start)));`;
  const limited = 'ulimit -n 64; exec "$@"';
  const node = [process.execPath, "--input-type=module", "-e", script, temporaryFolder()];
  const { stdout } = spawnSync("sh", ["-c", limited, "sh", ...node], { encoding: "utf8" });
  expect(JSON.parse(stdout)).toEqual({ ok: false, error: { kind: "shim-failed", code: "EMFILE" } });
});

test("startGuest of a program that is missing ends with 127 and says so on the console", async () => {
  const place = await openPlace();
  const guest = await place.start(cageArgv({ kind: "same-user" }, ["/missing/solo5-spt"]));
  expect(await guest.exited).toEqual({ kind: "exited", code: 127 });
  await until(() => place.text().includes("/missing/solo5-spt"));
});

test("startGuest without a console starts nothing", async () => {
  const runDir = temporaryFolder();
  const start = { name: vm, argv: ["true"], fifo: join(runDir, "none"), runDir, note: "" };
  expect(expectError(await startGuest(start))).toMatchObject({ kind: "io-failed", code: "ENOENT" });
  expect(readdirSync(runDir)).toEqual([]);
});

test("reference bug 27: a guest has a session, an empty environment, /, no other descriptor and no OOM protection", async () => {
  const place = await openPlace();
  const guest = await place.start([
    "sh",
    "-c",
    "umask; ulimit -c; cat /proc/self/oom_score_adj; env | grep -v -e PATH -e PWD; exec sleep 60",
  ]);
  await until(() => place.text().includes("LC_ALL"));
  expect(place.text()).toBe("0077\n0\n0\nLC_ALL=C\n");
  const of = (file: string): string => readlinkSync(`/proc/${guest.identity.pid}/${file}`);
  expect(of("cwd")).toBe("/");
  expect(readdirSync(`/proc/${guest.identity.pid}/fd`).filter((fd) => Number(fd) < 10)).toEqual(["0", "1", "2"]);
  expect([of("fd/0"), of("fd/1"), of("fd/2")]).toEqual(["/dev/null", place.input.path, place.input.path]);
  const [, , , , session] = readText(`/proc/${guest.identity.pid}/stat`).split(" ").slice(1);
  expect(Number(session)).not.toBe(guest.identity.pid);
  expect(
    readdirSync(`/proc/${shimOf(guest)}/fd`).filter(
      (fd) => readlinkSync(`/proc/${shimOf(guest)}/fd/${fd}`) === place.input.path,
    ),
  ).toEqual([]);
});

test("reference bug 14: a guest survives its shim, and its end is still learnt of", async () => {
  const place = await openPlace();
  const guest = await place.start(["sleep", "60"]);
  const shim = readProcess(shimOf(guest)) ?? { pid: 0, start: 0 };
  kill(shim, "SIGKILL");
  await until(() => !isAlive(shim));
  expect(isAlive(guest.identity)).toBe(true);
  kill(guest.identity, "SIGKILL");
  expect(await guest.exited).toEqual({ kind: "unknown" });
});

test("reference bug 14: the shim takes no notice of SIGHUP, SIGINT and SIGQUIT, and the guest does", async () => {
  const place = await openPlace();
  const guest = await place.start(["sleep", "60"]);
  for (const signal of ["SIGHUP", "SIGINT", "SIGQUIT"] as const) process.kill(shimOf(guest), signal);
  process.kill(guest.identity.pid, "SIGHUP");
  expect(await guest.exited).toEqual({ kind: "signalled", signal: 1 });
});

test("stopGuest ends a guest by SIGTERM", async () => {
  const place = await openPlace();
  const guest = await place.start(["sleep", "60"]);
  expect(expectOk(await stopGuest(guest, 10_000))).toEqual({ kind: "signalled", signal: 15 });
});

test("reference bug 12: stopGuest ends a guest that ignores SIGTERM, after the grace", async () => {
  const place = await openPlace();
  const guest = await place.start(["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"]);
  await until(() => place.text() === "ready\n");
  const started = performance.now();
  expect(expectOk(await stopGuest(guest, 300))).toEqual({ kind: "signalled", signal: 9 });
  expect(performance.now() - started).toBeGreaterThanOrEqual(300);
});

test("reference bug 12: stopGuest ends a guest whose first thread is a zombie at once", async () => {
  const place = await openPlace();
  const script =
    "import ctypes,threading,time\nthreading.Thread(target=time.sleep,args=(60,)).start()\nprint('up',flush=True)\nctypes.CDLL(None).syscall(60,0)";
  const guest = await place.start(["python3", "-c", script]);
  if ((await Promise.race([guest.exited, until(() => place.text() === "up\n")])) !== undefined) return;
  const started = performance.now();
  expectOk(await stopGuest(guest, 60_000));
  expect(performance.now() - started).toBeLessThan(5000);
});

test("stopGuest of one that has ended tells its status", async () => {
  const place = await openPlace();
  const guest = await place.start(["true"]);
  await guest.exited;
  expect(expectOk(await stopGuest(guest, 1000))).toEqual({ kind: "exited", code: 0 });
});

test("reference bug 14: adoptGuests finds a running guest and learns of its end", async () => {
  const place = await openPlace();
  const guest = await place.start(["sh", "-c", "sleep 0.3; exit 9"]);
  const [adopted] = expectOk(await adoptGuests(place.runDir));
  expect(adopted).toMatchObject({ kind: "running", note: "the note\n", guest: { name: vm, identity: guest.identity } });
  expect(adopted?.kind === "running" && (await adopted.guest.exited)).toEqual({ kind: "exited", code: 9 });
  expect(expectOk(await adoptGuests(place.runDir))).toEqual([
    {
      kind: "ended",
      name: vm,
      note: "the note\n",
      status: { kind: "exited", code: 9 },
      at: expect.any(Number),
      stopping: false,
    },
  ]);
  forgetGuest(place.runDir, vm);
  expect(expectOk(await adoptGuests(place.runDir))).toEqual([]);
  expect(readdirSync(place.runDir)).toEqual([]);
});

test("adoptGuests tells whether a guest was told to end, until one of its name starts again", async () => {
  const place = await openPlace();
  const stopping = async (): Promise<unknown> =>
    expectOk(await adoptGuests(place.runDir)).map((one) => [one.kind, one.stopping]);
  const guest = await place.start(["sleep", "60"]);
  markStopping(place.runDir, vm);
  expect(await stopping()).toEqual([["running", true]]);
  expectOk(await stopGuest(guest, 1000));
  expect(await stopping()).toEqual([["ended", true]]);
  await place.start(["sleep", "60"]);
  expect(await stopping()).toEqual([["running", false]]);
});

test("adoptGuests ends a start that the daemon's own end overtook, and removes what is left of files", async () => {
  const place = await openPlace();
  await mkdir(place.runDir);
  expectOk(await run(["mkfifo", place.file("pid.new")]));
  const argv = ["sh", "-c", 'echo started >"$0"', place.file("tender")];
  const begun = startGuest({ name: vm, argv, fifo: place.input.path, runDir: place.runDir, note: "" });
  await until(() => place.shims().length === 2);
  expect(expectOk(await adoptGuests(place.runDir))).toMatchObject([{ kind: "ended", status: { kind: "unknown" } }]);
  await until(() => place.shims().length === 0);
  expect(expectError(await begun).kind).toBe("shim-silent");
  for (const end of ["pid", "exit", "exit.new", "stop", "guest.new"]) writeFileSync(place.file(end), "1 2 3");
  expect(expectOk(await adoptGuests(place.runDir))).toEqual([]);
  expect(readdirSync(place.runDir)).toEqual([]);
});

test("adoptGuests takes no process for a guest that only has its pid, nor one of another boot", async () => {
  const place = await openPlace();
  const self = readProcess(process.pid) ?? { pid: 0, start: 0 };
  const guest = await place.start(["true"]);
  await guest.exited;
  for (const line of [
    `${self.pid} ${self.start - 1} ${bootId()}`,
    `${self.pid} ${self.start} other-boot`,
    "",
    "x y z",
  ]) {
    writeFileSync(place.file("pid"), line);
    expect(expectOk(await adoptGuests(place.runDir))).toMatchObject([{ kind: "ended", status: { kind: "unknown" } }]);
  }
});

test("startGuest of the same name again forgets how the last one ended", async () => {
  const place = await openPlace();
  await (await place.start(["sh", "-c", "exit 3"])).exited;
  const guest = await place.start(["sleep", "60"]);
  expect(existsSync(place.file("exit"))).toBe(false);
  expect(expectOk(await adoptGuests(place.runDir))).toMatchObject([
    { kind: "running", guest: { identity: guest.identity } },
  ]);
});

test("reference bug 14: guests outlive the process that started them", async () => {
  const place = await openPlace();
  const compiled = join(temporaryFolder(), "dist");
  const tsc = join(import.meta.dirname, "../../node_modules/.bin/tsc");
  await once(spawn(tsc, ["-p", join(import.meta.dirname, "../.."), "--outDir", compiled], { stdio: "ignore" }), "exit");
  const start = {
    name: { path: ["alice"], label: "vm" },
    argv: ["sh", "-c", "echo a; sleep 1; echo b; exit 5"],
    note: "",
  };
  const script = `
    import { startGuest } from ${JSON.stringify(join(compiled, "src/host/guest.js"))};
    await startGuest(${JSON.stringify({ ...start, fifo: place.input.path, runDir: place.runDir })});
    process.kill(process.pid, "SIGKILL");`;
  await once(spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: "ignore" }), "exit");
  const [adopted] = expectOk(await adoptGuests(place.runDir));
  expect(adopted?.kind).toBe("running");
  expect(adopted?.kind === "running" && (await adopted.guest.exited)).toEqual({ kind: "exited", code: 5 });
  await until(() => place.text() === "a\nb\n");
});

test("a guest in the cage of its own user writes to its console", { skip: !isRoot }, async () => {
  const place = await openPlace();
  const cage = { kind: "own-user", uid: 1_900_000_009, gid: 1_900_000_009, limits } as const;
  const guest = await place.start(cageArgv(cage, ["taskset", "-c", "0", "sh", "-c", "id -u; exit 4"]));
  expect(await guest.exited).toEqual({ kind: "exited", code: 4 });
  await until(() => place.text() === "1900000009\n");
});

test("a caged solo5-spt runs an image of the store", { skip: !isRoot || !hasSpt }, async () => {
  const place = await openPlace();
  const dbdir = temporaryFolder();
  chmodSync(dbdir, 0o711);
  expectOk(await prepareImages(dbdir));
  const source = createReadStream(join(import.meta.dirname, "../../guest/hello.spt"));
  const image = expectOk(await receiveImage(dbdir, source, { compressed: false, maxBytes: 1_000_000 }));
  const cage = { kind: "own-user", uid: 1_900_000_010, gid: 1_900_000_010, limits } as const;
  const tender = ["taskset", "-c", "0", "solo5-spt", "--mem=2", "--", image.path, "exit=7", "--name=vm"];
  const guest = await place.start(cageArgv(cage, ["env", `PATH=${PATH}`, ...tender]));
  expect(await guest.exited).toEqual({ kind: "exited", code: 7 });
  await until(() => place.text().includes("arguments: exit=7 --name=vm"));
});

interface Place {
  readonly runDir: string;
  readonly input: ConsoleInput;
  readonly text: () => string;
  readonly file: (suffix: string) => string;
  /** Those that run in it: with the side that is not a tender yet. */
  readonly shims: () => readonly number[];
  readonly start: (argv: readonly string[]) => Promise<Guest>;
}

/** A run folder and a console; what is started in it is gone after the test. */
async function openPlace(): Promise<Place> {
  const folder = temporaryFolder();
  const runDir = join(folder, "run");
  let received = "";
  const opened = await openConsole(join(folder, "fifo"), vm, (bytes) => {
    received += Buffer.from(bytes).toString("latin1");
  });
  const input = expectOk(opened);
  onTestFinished(() => input.close());
  const start = async (argv: readonly string[]): Promise<Guest> => {
    const guest = expectOk(await startGuest({ name: vm, argv, fifo: input.path, runDir, note: "the note\n" }));
    onTestFinished(async () => {
      kill(guest.identity, "SIGKILL");
      await guest.exited;
    });
    return guest;
  };
  const file = (suffix: string): string => join(runDir, `alice:vm.${suffix}`);
  const shims = (): readonly number[] => readdirSync("/proc").map(Number).filter(isShimOf(runDir));
  return { runDir, input, text: () => received, file, shims, start };
}

function isShimOf(runDir: string): (pid: number) => boolean {
  return (pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, "latin1");
      return words.includes("fulmar-shim") && words.includes(runDir);
    } catch {
      return false;
    }
  };
}

function shimOf(guest: Guest): number {
  const stat = readFileSync(`/proc/${guest.identity.pid}/stat`, "latin1");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}

function bootId(): string {
  return readText("/proc/sys/kernel/random/boot_id").trim();
}
