import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import type { Event } from "../../src/core/state.ts";
import { isCaging } from "../../src/host/cage.ts";
import { Trials } from "../../src/host/trials.ts";
import { name, readText } from "./folder.ts";

test("Trials.look gives a start its time from when its tender runs, however long its cage takes", async () => {
  const child = spawn("sh", ["-c", "echo; read -r _; exec tail -f /dev/null"], { stdio: ["pipe", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const { pid = 0 } = child;
  await once(child.stdout, "data");
  const trials = new Trials(1, { prints: async () => true }, { taps: () => [], runs: () => !isCaging(pid) });
  const told: Event[] = [];
  const over = trials.look({ kind: "trial", name: name("alice:vm"), run: 7, since: 0 }, (event) => told.push(event));
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect([isCaging(pid), told]).toEqual([true, []]);
  child.stdin.end("\n");
  await over;
  expect(readText(`/proc/${pid}/comm`)).toBe("tail\n");
  expect(told).toEqual([{ kind: "due", name: name("alice:vm"), run: 7 }]);
});

test("Trials.look tells nothing of a unikernel that has ended first", async () => {
  const trials = new Trials(1, { prints: async () => true }, { taps: () => [], runs: () => false });
  const told: Event[] = [];
  const over = trials.look({ kind: "trial", name: name("alice:vm"), run: 7, since: 0 }, (event) => told.push(event));
  trials.end(7);
  await over;
  expect(told).toEqual([]);
});
