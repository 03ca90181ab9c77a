import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Place } from "./lab.ts";

const size = 100 * 1024 * 1024;

/** Most memory that a process has had, MB. */
function peak(pid: number): number {
  return peakOf(readFileSync(`/proc/${pid}/status`, "latin1"));
}

function peakOf(status: string): number {
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(status) ?? [];
  if (kilobytes === undefined) throw new Error(status);
  return Number(kilobytes) / 1024;
}

/** Has a process say at its end what it needed. */
const report =
  'import { readFileSync } from "node:fs"; process.on("exit", () => process.stderr.write(readFileSync("/proc/self/status")));';

/** Runs the client as a process of its own; most memory that it has had, MB. */
async function run(place: Place, line: string): Promise<{ readonly peak: number; readonly stdout: string }> {
  const program = join(import.meta.dirname, "../../dist/bin/fulmar.js");
  const words = ["--import", `data:text/javascript,${encodeURIComponent(report)}`, program, ...line.split(" ")];
  const client = spawn(process.execPath, [...words, "--tmpdir", place.tmpdir], { cwd: place.folder });
  let [stdout, stderr] = ["", ""];
  client.stdout.on("data", (text) => (stdout += text));
  client.stderr.on("data", (text) => (stderr += text));
  const [status] = await once(client, "close");
  if (status !== 0) throw new Error(`${line}: ${status} ${stderr}`);
  return { peak: peakOf(stderr), stdout };
}

test.for([0, 1])(
  "100 MB go to a device and come back without being held in memory: level %d",
  { timeout: 60_000 },
  async (level) => {
    const place = new Place("spt");
    const { pid = 0 } = await place.spawn();
    const file = openSync(join(place.folder, "content"), "w");
    ftruncateSync(file, size);
    for (let at = 0; at < size; at += 10_000_000) writeSync(file, `here is ${at}`, at);
    closeSync(file);
    const before = peak(pid);
    const plain = await run(place, "create-block a:disk 100");
    const filled = await run(place, `set-block a:disk content --compression-level ${level}`);
    const dumped = await run(place, `dump-block a:disk --compression-level ${level}`);
    const [, saved = ""] = /^dumped to (.*)$/m.exec(dumped.stdout) ?? [];
    expect(readFileSync(join(place.folder, saved)).equals(readFileSync(join(place.folder, "content")))).toBe(true);
    const growth = [peak(pid) - before, filled.peak - plain.peak, dumped.peak - plain.peak];
    for (const megabytes of growth) expect(megabytes).toBeLessThan(60);
  },
);
