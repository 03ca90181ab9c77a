import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { type ConsoleInput, openConsole } from "../../src/host/fifo.ts";
import { expectError, expectOk, name, temporaryFolder, until } from "./folder.ts";

vi.setConfig({ testTimeout: 30_000 });

test("openConsole reads what comes, before and after writers end", async () => {
  const { input, text } = await open(temporaryFolder());
  expect(statSync(input.path).mode & 0o7777).toBe(0o600);
  for (const word of ["one", "two"]) await sh(`echo ${word} >'${input.path}'`);
  await until(() => text() === "one\ntwo\n");
});

test("reference bug 14: openConsole takes over the FIFO of an earlier daemon, with what is in it", async () => {
  const folder = temporaryFolder();
  const first = await open(folder);
  const writer = spawn("sh", ["-c", 'exec 1<>"$0"; echo early; read -r _; echo late', first.input.path], {
    stdio: ["pipe", "ignore", "ignore"],
  });
  onTestFinished(() => void writer.kill("SIGKILL"));
  await until(() => first.text() === "early\n");
  first.input.close();
  writer.stdin.end("\n");
  await once(writer, "exit");
  const kept = await open(folder, "a:other");
  const second = await open(folder);
  expect(second.input.path).not.toBe(kept.input.path);
  await sh(`echo more >'${second.input.path}'`);
  await until(() => second.text().endsWith("more\n"));
});

test("openConsole reads a flood piece by piece and loses nothing of it", async () => {
  const { input, text } = await open(temporaryFolder());
  const writer = once(spawn("sh", ["-c", 'seq 100000 >"$0"', input.path], { stdio: "ignore" }), "exit");
  await writer;
  await until(() => text().endsWith("\n100000\n"));
  expect(text()).toHaveLength(588_895);
});

test("ConsoleInput.release reads what is left", async () => {
  const { input, text } = await open(temporaryFolder());
  execFileSync("sh", ["-c", 'echo last words 1<>"$0"', input.path]);
  await input.release();
  expect(text()).toBe("last words\n");
});

test("ConsoleInput.release closes and removes the FIFO", async () => {
  const before = openFiles();
  const { input } = await open(temporaryFolder());
  await input.release();
  expect(existsSync(input.path)).toBe(false);
  await until(() => openFiles() <= before);
});

test("openConsole reads no file that is no FIFO", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "a:vm"), "file");
  expect(expectError(await openConsole(folder, name("a:vm"), () => {}))).toEqual({
    kind: "console-no-fifo",
    path: join(folder, "a:vm"),
  });
});

test("a hundred silent consoles leave the thread pool free", async () => {
  const folder = temporaryFolder();
  await Promise.all(Array.from({ length: 100 }, (_, n) => open(folder, `a:vm${n}`)));
  const started = performance.now();
  await sh("true");
  expect(readFileSync("/proc/self/stat").length).toBeGreaterThan(0);
  expect(performance.now() - started).toBeLessThan(5000);
});

async function open(
  folder: string,
  vm = "a:vm",
): Promise<{ readonly input: ConsoleInput; readonly text: () => string }> {
  let received = "";
  const input = expectOk(
    await openConsole(folder, name(vm), (bytes) => {
      received += Buffer.from(bytes).toString("latin1");
    }),
  );
  onTestFinished(() => input.close());
  return { input, text: () => received };
}

async function sh(script: string): Promise<void> {
  await once(spawn("sh", ["-c", script], { stdio: "ignore" }), "exit");
}

function openFiles(): number {
  return statSync("/proc/self/fd").size;
}
