import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { expect, onTestFinished, test, vi } from "vitest";
import { sortedSet } from "../../src/core/policy.ts";
import {
  isAlive,
  kill,
  listBridges,
  parseCpuList,
  processState,
  readBootId,
  readFolderSpace,
  readHostFacts,
  readProcess,
} from "../../src/host/proc.ts";
import { temporaryFolder, until } from "./folder.ts";

vi.setConfig({ testTimeout: 30_000 });

test("readProcess knows this process by its pid and start", () => {
  const identity = readProcess(process.pid);
  expect(identity).toEqual({ pid: process.pid, start: expect.any(Number) });
  expect(identity && isAlive(identity)).toBe(true);
});

test("kill signals no process that has the pid of another", async () => {
  const child = await sleeper();
  const { pid, start } = readProcess(child.pid ?? 0) ?? { pid: 0, start: 0 };
  expect(kill({ pid, start: start - 1 }, "SIGKILL")).toBe(false);
  expect(isAlive({ pid, start: start - 1 })).toBe(false);
  expect(isAlive({ pid, start })).toBe(true);
  expect(kill({ pid, start }, "SIGKILL")).toBe(true);
  await once(child, "exit");
  expect(kill({ pid, start }, "SIGKILL")).toBe(false);
});

test("processState of a zombie is ended", async () => {
  const child = spawn("sh", ["-c", "sh -c 'echo $$; exec true' & exec sleep 30"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const [line]: unknown[] = await once(child.stdout, "data");
  const zombie = readProcess(Number(String(line)));
  expect(zombie).toBeDefined();
  if (zombie !== undefined) await until(() => processState(zombie) === "ended");
  expect(readProcess(Number(String(line)))).toEqual(zombie);
});

test("processState of a process whose first thread ended and another did not is lingering, until SIGKILL", async () => {
  const script =
    "import ctypes,threading,time\nthreading.Thread(target=time.sleep,args=(60,)).start()\nctypes.CDLL(None).syscall(60,0)";
  const child = spawn("python3", ["-c", script], { stdio: "ignore" });
  const missing = await Promise.race([once(child, "error").then(() => true), once(child, "spawn").then(() => false)]);
  if (missing) return;
  onTestFinished(() => void child.kill("SIGKILL"));
  const identity = readProcess(child.pid ?? 0) ?? { pid: 0, start: 0 };
  await until(() => processState(identity) === "lingering");
  expect(isAlive(identity)).toBe(true);
  expect(kill(identity, "SIGKILL")).toBe(true);
  await once(child, "exit");
  expect(processState(identity)).toBe("ended");
});

test.for([
  ["0-3,8", [0, 1, 2, 3, 8]],
  ["5", [5]],
] as const)("parseCpuList reads %s", ([list, ids]) => {
  expect(parseCpuList(list)).toEqual(ids);
});

test("readHostFacts tells CPUs and memory", () => {
  const { cpuids, memory } = readHostFacts();
  expect(cpuids.length).toBeGreaterThan(0);
  expect(memory).toBeGreaterThan(64);
});

test("readFolderSpace tells whole MB, free at most total", () => {
  const { free, total } = readFolderSpace(temporaryFolder());
  expect(Number.isSafeInteger(free) && Number.isSafeInteger(total)).toBe(true);
  expect(free).toBeLessThanOrEqual(total);
});

test("listBridges tells a sorted list, and readBootId one word", async () => {
  const bridges = await listBridges();
  expect(bridges.ok && bridges.value).toEqual(bridges.ok ? sortedSet(bridges.value) : undefined);
  expect(readBootId()).toMatch(/^[0-9a-f-]{36}$/);
});

async function sleeper(): Promise<ChildProcess> {
  const child = spawn("sleep", ["60"], { stdio: "ignore" });
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child, "spawn");
  return child;
}
