import { readFileSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { sessionChain, Talk } from "../client/lab.ts";
import { openLab, until } from "./endpoint_lab.ts";
import { portIn, program, run, wordsFor } from "./endpoint_process.ts";

test("what a crowd took goes back to the system when it has gone", async () => {
  const lab = await openLab({ answer: (_, socket) => void socket.on("end", () => socket.end()) });
  const { child, said } = run([process.execPath, program, ...wordsFor(lab), "--ip", "127.0.0.1", "--port", "0", "-q"]);
  await until(() => portIn(said()) > 0, "a port", 10_000);
  const chain = sessionChain([lab.pki.alice]);
  const before = heapOf(child.pid);
  const crowd: Talk[] = [];
  onTestFinished(() => crowd.forEach(({ socket }) => void socket.destroy()));
  while (crowd.length < 400) {
    const some = Array.from({ length: 40 }, () => new Talk(portIn(said()), chain));
    await Promise.all(some.map(({ socket }) => new Promise((resolve) => socket.once("secureConnect", resolve))));
    crowd.push(...some);
  }
  const taken = heapOf(child.pid) - before;
  expect(taken).toBeGreaterThan(10);
  for (const { socket } of crowd) socket.destroy();
  await until(() => heapOf(child.pid) - before < taken / 2, `half of ${taken} MB`, 10_000);
}, 60_000);

/** What malloc has from the system and uses, MB: V8 looks after its own elsewhere. */
function heapOf(pid: number | undefined): number {
  const smaps = readFileSync(`/proc/${pid}/smaps`, "latin1");
  const heap = smaps.slice(smaps.indexOf("[heap]"));
  return Number(/^Rss:\s*(\d+) kB/m.exec(heap)?.[1]) / 1024;
}
