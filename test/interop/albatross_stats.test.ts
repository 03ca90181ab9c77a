/** The real albatross-stats and albatross-influx beside fulmard. */
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { needPrograms, needTender } from "./needs.ts";
import { Place, until } from "./place.ts";
import { mustRun, startFulmard } from "./systems.ts";

/** A place where InfluxDB would listen. */
async function listen(): Promise<{ readonly port: number; readonly text: () => string }> {
  let text = "";
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.setEncoding("utf8").on("error", () => undefined);
    socket.on("data", (piece: string) => {
      text += piece;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return { port: typeof address === "object" && address !== null ? address.port : 0, text: () => text };
}

test("albatross-stats registers with fulmard and is told of every guest", { timeout: 60_000 }, async (context) => {
  needPrograms(context, "albatross-stats", "albatross-client");
  const tender = needTender(context);
  const place = Place.open();
  await startFulmard(place, tender);
  await mustRun(place, "fulmar create --tmpdir run alice:early hello.img --arg after=600");
  // A folder for its own socket, where fulmard's is found too.
  mkdirSync(join(place.folder, "theirs/util"), { recursive: true });
  symlinkSync(join(place.folder, "run/util/vmmd.sock"), join(place.folder, "theirs/util/vmmd.sock"));
  const stats = await place.serve(
    "albatross-stats --tmpdir theirs --interval 1 -v",
    /adding \[unikernel: alice:early\] \d+/,
  );
  await mustRun(place, "fulmar create --tmpdir run late hello.img --arg after=600");
  await until(() => /adding \[unikernel: :late\] \d+/.test(stats.printed()), "the second guest");
  // In no order.
  const both = /^(?=.*early\] stats: utime \d+\.\d{6})(?=.*late\] stats: .*no vmm stats)/;
  await place.watch("fulmar stats --tmpdir theirs", both);
  await mustRun(place, "fulmar destroy --tmpdir run late");
  await until(() => stats.printed().includes("removing vmid [unikernel: :late]"), "its end");
});

test("what albatross-influx sends of fulmard's statistics is what fulmard sends", {
  timeout: 60_000,
}, async (context) => {
  needPrograms(context, "albatross-influx");
  const tender = needTender(context);
  const place = Place.open();
  const [theirs, ours] = [await listen(), await listen()];
  await startFulmard(place, tender, `--influx 127.0.0.1:${ours.port} --influx-full-names`);
  await mustRun(place, "fulmar create --tmpdir run alice:web hello.img --arg after=600");
  await place.serve(
    `albatross-influx --tmpdir run --influx 127.0.0.1:${theirs.port} --no-drop-path`,
    () => theirs.text().split("kinfo_mem").length > 3,
  );
  const uses = (text: string): readonly string[] => text.match(/^resource_usage,.*$/gm) ?? [];
  expect(uses(theirs.text()).length).toBeGreaterThan(2);
  await until(() => uses(theirs.text()).every((line) => uses(ours.text()).includes(line)), "the same lines");
  expect(ours.text()).toMatch(/^kinfo_mem,vm=alice:web vsize=\d+i,rss=\d+i,.*uptime=\d+\.\d{6}$/m);
});

test("fulmar and albatross-stats measure the same process alike", { timeout: 60_000 }, async (context) => {
  needPrograms(context, "albatross-stats", "albatross-client");
  const place = Place.open();
  const tender = needTender(context);
  await startFulmard(place, tender);
  mkdirSync(join(place.folder, "theirs/util"), { recursive: true });
  symlinkSync(join(place.folder, "run/util/vmmd.sock"), join(place.folder, "theirs/util/vmmd.sock"));
  await place.serve("albatross-stats --tmpdir theirs --interval 1", /listening/);
  // A process that does nothing while it is measured.
  const idle = spawn("sleep", ["600"], { stdio: "ignore" });
  onTestFinished(() => void idle.kill("SIGKILL"));
  await until(() => /^\d+ \(sleep\)/.test(readFileSync(`/proc/${idle.pid}/stat`, "latin1")), "a sleeping process");
  const shown: string[] = [];
  for (const folder of ["run", "theirs"]) {
    await mustRun(place, `albatross-client stats-add ${idle.pid} --tmpdir ${folder} -n idle --bridge loop:lo`);
    const text = await place.watch(`albatross-client stats --tmpdir ${folder} -n idle`, /output_dropped \d+/);
    shown.push(/stats: .*?output_dropped \d+/.exec(text)?.[0] ?? "");
  }
  // Loopback counters move on, and albatross takes the age of the directory in /proc for the start.
  const [ours, theirs] = shown.map((text) => text.replace(/start \S+/, "").replace(/(packets|bytes) \d+/g, "$1"));
  expect(ours).toBe(theirs);
  const [start, other] = shown.map((text) => Number(/start (\S+)/.exec(text)?.[1]));
  expect(Math.abs((start ?? 0) - (other ?? 0))).toBeLessThan(2);
});
