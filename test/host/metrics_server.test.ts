import { once } from "node:events";
import { request } from "node:http";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type MetricsAddress, serveMetrics } from "../../src/host/metrics_server.ts";
import { expectError, expectOk, temporaryFolder } from "./folder.ts";

interface Answer {
  readonly status: number;
  readonly type: string | undefined;
  readonly body: string;
}

async function ask(address: MetricsAddress, path: string, method = "GET"): Promise<Answer> {
  const to = address.kind === "unix" ? { socketPath: address.path } : { host: address.host, port: address.port };
  return new Promise((resolve, reject) => {
    const asked = request({ ...to, path, method, agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (piece: string) => {
        body += piece;
      });
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, type: response.headers["content-type"], body }),
      );
    });
    asked.on("error", reject).end();
  });
}

async function freeAddress(): Promise<MetricsAddress> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  return { kind: "tcp", host: "127.0.0.1", port: typeof address === "object" && address !== null ? address.port : 0 };
}

async function serve(address: MetricsAddress, page: () => string): Promise<void> {
  const listener = expectOk(await serveMetrics(address, page));
  onTestFinished(() => listener.close());
}

test.for(["tcp", "unix"] as const)("serveMetrics answers GET /metrics, and nothing else: %s", async (kind) => {
  const address: MetricsAddress =
    kind === "tcp" ? await freeAddress() : { kind, path: join(temporaryFolder(), "metrics.sock") };
  let count = 0;
  await serve(address, () => `count ${++count} ü\n`);
  const type = "text/plain; version=0.0.4; charset=utf-8";
  expect(await ask(address, "/metrics")).toEqual({ status: 200, type, body: "count 1 ü\n" });
  expect(await ask(address, "/metrics?x=1")).toEqual({ status: 200, type, body: "count 2 ü\n" });
  expect(await ask(address, "/metrics", "HEAD")).toMatchObject({ status: 200, body: "" });
  for (const path of ["/", "/metrics/", "/metrics/../etc/passwd", "//metrics", "*"]) {
    expect(await ask(address, path)).toMatchObject({ status: 404 });
  }
  for (const method of ["POST", "PUT", "DELETE"])
    expect(await ask(address, "/metrics", method)).toMatchObject({ status: 405 });
  expect(count).toBe(3);
});

test("serveMetrics says that its address is taken", async () => {
  const address = await freeAddress();
  await serve(address, () => "");
  expect(expectError(await serveMetrics(address, () => ""))).toMatchObject({
    kind: "socket-failed",
    code: "EADDRINUSE",
  });
});

test("serveMetrics ends with its connections", async () => {
  const address = await freeAddress();
  if (address.kind !== "tcp") return;
  const listener = expectOk(await serveMetrics(address, () => ""));
  const idle = connect(address.port, address.host);
  await once(idle, "connect");
  idle.resume();
  await new Promise((resolve) => setTimeout(resolve, 50));
  await Promise.all([listener.close(), once(idle, "close")]);
});
