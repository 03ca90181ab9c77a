import { once } from "node:events";
import { request } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, vi } from "vitest";
import { startDaemon } from "../../src/service/start.ts";
import { expectError } from "../host/folder.ts";
import { until } from "./caller.ts";
import { create, destroy, readGuest, scriptTest } from "./lab.ts";

vi.setConfig({ testTimeout: 60_000 });

const hello = readGuest("hello.spt");
const long = "while :; do sleep 1; done";

function fetchPage(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path: "/metrics", agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (piece: string) => {
        body += piece;
      });
      response.on("end", () => resolve(body));
    });
    asked.on("error", reject).end();
  });
}

scriptTest("a page for Prometheus tells of the guests that there are", long, async (place) => {
  const path = join(place.folder, "metrics.sock");
  const daemon = await place.start({ interval: 30, metrics: { kind: "unix", path } });
  expect(await fetchPage(path)).toContain("\nfulmar_unikernels 0\n");
  await place.ask("alice:vm", create(hello, { memory: 16 }));
  await place.ask("b", create(hello, { memory: 16 }));
  await until(async () => (await fetchPage(path)).includes("\nfulmar_unikernels 2\n"), "two");
  const page = await fetchPage(path);
  expect(page).toMatch(/^fulmar_unikernel_resident_memory_bytes\{unikernel="alice:vm"\} [1-9]\d*$/m);
  expect(page).toMatch(/^fulmar_unikernel_cpu_user_seconds_total\{unikernel=":b"\} \d+\.\d{6}$/m);
  await place.ask("b", destroy);
  expect(await fetchPage(path)).not.toContain('unikernel=":b"');
  expect(
    expectError(
      await startDaemon({
        ...place.options(),
        dbdir: join(place.folder, "other"),
        tmpdir: join(place.folder, "run2"),
        metrics: { kind: "unix", path },
      }),
    ),
  ).toMatchObject({ step: "serving the metrics", error: { kind: "socket-in-use" } });
  await daemon.stop("stop");
  await expect(fetchPage(path)).rejects.toThrow();
});

scriptTest("lines for InfluxDB come at every interval, under the last label or the full name", long, async (place) => {
  const texts = ["", ""];
  const ports: number[] = [];
  for (const at of [0, 1]) {
    const server = createServer((socket) => {
      socket.setEncoding("utf8").on("error", () => undefined);
      socket.on("data", (piece: string) => {
        texts[at] += piece;
      });
      onTestFinished(() => void socket.destroy());
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const address = server.address();
    ports.push(typeof address === "object" && address !== null ? address.port : 0);
  }
  const [short = 0, full = 0] = ports;
  const first = await place.start({ interval: 30, influx: { host: "127.0.0.1", port: short } });
  await place.ask("alice:vm", create(hello, { memory: 16 }));
  const usage = (name: string): RegExp =>
    new RegExp(
      `^(resource_usage,vm=${name} utime=\\d+\\.\\d{6},.*\nkinfo_mem,vm=${name} vsize=\\d+i,.*,uptime=\\d+\\.\\d{6}\n){3,}$`,
    );
  await until(() => usage("vm").test(texts[0] ?? ""), "lines");
  await first.stop("stop");
  await place.start({ interval: 30, influx: { host: "127.0.0.1", port: full }, influxFullNames: true });
  await until(() => usage("alice:vm").test(texts[1] ?? ""), "lines");
});
