import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";
import { findActivated, notify, takeActivated } from "../../src/host/activation.ts";
import { loadOpenssl } from "../../src/host/openssl.ts";

test("takeActivated numbers the descriptors from 3 on, and takes them out of the environment", () => {
  const env = { LISTEN_PID: "17", LISTEN_FDS: "2", LISTEN_FDNAMES: "vmmd:chain", HOME: "/" };
  const activated = takeActivated(env, 17);
  expect(activated.map(({ fd, name }) => [fd, name])).toEqual([
    [3, "vmmd"],
    [4, "chain"],
  ]);
  expect(env).toEqual({ HOME: "/" });
});

test.for([
  [{}],
  [{ LISTEN_PID: "18", LISTEN_FDS: "1" }],
  [{ LISTEN_PID: "17" }],
  [{ LISTEN_PID: "17", LISTEN_FDS: "many" }],
  [{ LISTEN_PID: "17", LISTEN_FDS: "-1" }],
] as const)("takeActivated takes nothing from %j for process 17", ([env]) => {
  expect(takeActivated({ ...env }, 17)).toEqual([]);
});

test("findActivated goes by the name, then by the path", () => {
  const [named, placed] = [
    { fd: 3, name: "chain", path: "/run/x/vmmd.sock" },
    { fd: 4, name: "fulmard.socket", path: "/run/x/chain.sock" },
  ];
  expect(findActivated([placed, named], "chain")).toBe(named);
  expect(findActivated([placed], "chain")).toBe(placed);
  expect(findActivated([named, placed], "stat")).toBeUndefined();
});

test("notify says nothing where nobody listens", async () => {
  expect(await notify("READY=1", {})).toBeUndefined();
  expect(await notify("READY=1", { NOTIFY_SOCKET: "vsock:2:1" })).toBeUndefined();
});

test.for([["a path"], ["an abstract name"]] as const)("notify sends one datagram to %s", async ([kind], { skip }) => {
  try {
    execFileSync("python3", ["--version"], { stdio: "ignore" });
  } catch {
    skip("there is no python3 to receive it");
  }
  const folder = mkdtempSync(join(tmpdir(), "fulmar-notify-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const address = `${kind === "a path" ? "" : "@"}${folder}/socket`;
  const receiver = spawn("python3", ["-c", receive, address.replace("@", "")], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ABSTRACT: kind === "a path" ? "" : "1" },
  });
  const ended = once(receiver, "exit");
  const lines = createInterface({ input: receiver.stdout })[Symbol.asyncIterator]();
  expect((await lines.next()).value).toBe("bound");
  // Without koffi it is systemd-notify that sends.
  const env = loadOpenssl().ok ? { PATH: "/nowhere" } : process.env;
  expect(await notify("READY=1", { ...env, NOTIFY_SOCKET: address })).toBeUndefined();
  expect((await lines.next()).value).toBe("READY=1");
  await ended;
});

const receive = `
import os, socket, sys
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(("\\0" if os.environ["ABSTRACT"] else "") + sys.argv[1])
receiver.settimeout(20)
print("bound", flush=True)
print(receiver.recv(100).decode(), flush=True)
`;
