import { join } from "node:path";
import { expect, test } from "vitest";
import type { Command } from "../../src/core/command.ts";
import { ask, hold, type Lab, openLab, until } from "./endpoint_lab.ts";
import { childrenOf, parentOf, portIn, program, type Running, run, wordsFor } from "./endpoint_process.ts";

const info: Command = { kind: "unikernel-info", form: "current" };

async function start(lab: Lab): Promise<Running & { readonly port: number }> {
  const words = [...wordsFor(lab), "--ip", "127.0.0.1", "--port", "0", "--workers", "2"];
  const running = run([process.execPath, program, ...words]);
  await until(() => running.said().includes("listening"), "it serves", 20_000);
  return { ...running, port: portIn(running.said()) };
}

async function expectServed(lab: Lab, port: number, times: number): Promise<void> {
  const leaf = hold({ profile: "client", name: "x", issuer: lab.pki.alice, command: info });
  for (let n = 0; n < times; n++) {
    const answer = await ask(port, [leaf, lab.pki.alice]);
    expect(answer.payload.kind).toBe("success");
  }
}

test("two workers serve one port, one that breaks off is followed by another, and SIGTERM ends all", {
  timeout: 60_000,
}, async () => {
  const lab = await openLab();
  const { child, said, ended, port } = await start(lab);
  expect(said().match(/listening/g)).toHaveLength(1);
  const before = childrenOf(child.pid);
  expect(before).toHaveLength(2);
  await expectServed(lab, port, 10);
  const [victim = 0, other = 0] = before;
  process.kill(victim, "SIGKILL");
  await until(() => parentOf(victim) === undefined, "it is gone");
  await expectServed(lab, port, 10);
  await until(() => childrenOf(child.pid).length === 2, "another one follows", 10_000);
  expect(childrenOf(child.pid)).toContain(other);
  expect(said()).toContain('"signal":"SIGKILL"');
  await expectServed(lab, port, 10);
  const all = childrenOf(child.pid);
  child.kill("SIGTERM");
  expect(await ended).toEqual([0, null]);
  await until(() => all.every((pid) => parentOf(pid) === undefined), "no worker is left");
});

test("workers end with the process that started them, however it ends", { timeout: 60_000 }, async () => {
  const lab = await openLab();
  const { child, ended } = await start(lab);
  const all = childrenOf(child.pid);
  child.kill("SIGKILL");
  await ended;
  await until(() => all.every((pid) => parentOf(pid) === undefined), "no worker is left");
});

test("workers that cannot serve say why and are not started again", { timeout: 60_000 }, async () => {
  const lab = await openLab();
  const [ca = "", cert = "", , ...rest] = wordsFor(lab);
  const words = [ca, cert, join(lab.dir, "missing.key"), ...rest, "--ip", "127.0.0.1", "--port", "0", "--workers", "2"];
  const { ended, said } = run([process.execPath, program, ...words]);
  expect(await ended).toEqual([1, null]);
  expect(said()).toContain("missing.key cannot be read: there is no such file");
  expect(said()).toContain("fulmar-endpoint: a worker does not serve");
});
