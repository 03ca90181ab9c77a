import { readFileSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { expect, onTestFinished, test } from "vitest";
import { ask, dial, hold, type Lab, openDescriptors, openLab, until } from "./endpoint_lab.ts";
import { portIn, program, run, wordsFor } from "./endpoint_process.ts";

/** FULMAR_FUZZ_RUNS=1200 makes more than 10,000 rude clients of them. */
const { FULMAR_FUZZ_RUNS = "25" } = process.env;
const rounds = Number(FULMAR_FUZZ_RUNS);

const info = { kind: "unikernel-info", form: "current" } as const;

/** Opens a connection and leaves it in a way that no decent client would. */
type Rudeness = (lab: Lab) => Promise<void>;

const connected = (port: number): Promise<Socket> =>
  new Promise((resolve) => {
    const socket = createConnection({ port, host: "127.0.0.1" }, () => resolve(socket));
    socket.on("error", () => undefined);
  });

const shaken = (lab: Lab): Promise<TLSSocket> =>
  new Promise((resolve, reject) => {
    const leaf = hold({ profile: "client", name: "x", issuer: lab.pki.alice, command: info });
    const socket = dial(lab.port, [leaf, lab.pki.alice]);
    socket.on("error", reject);
    socket.once("secureConnect", () => {
      socket.off("error", reject).on("error", () => undefined);
      resolve(socket);
    });
  });

const rudenesses: Readonly<Record<string, Rudeness>> = {
  "connects and closes": async ({ port }) => void (await connected(port)).end().destroy(),
  "resets at once": async ({ port }) => void (await connected(port)).resetAndDestroy(),
  "sends garbage": async ({ port }) => {
    const socket = await connected(port);
    socket.resume().write(Buffer.alloc(500, "GET / HTTP/1.0\r\n"));
    await new Promise((resolve) => socket.once("close", resolve));
  },
  "leaves half of a handshake": async ({ port }) => {
    const raw = await connected(port);
    const socket = connect({ socket: raw, ca: [], rejectUnauthorized: false });
    socket.on("error", () => undefined);
    await new Promise((resolve) => socket.once("keylog", resolve));
    raw.resetAndDestroy();
  },
  "leaves an unfinished ClientHello": async ({ port }) => {
    const socket = await connected(port);
    socket.write(Buffer.from("1603010200010001fc0303", "hex"));
    setTimeout(() => socket.destroy(), 20);
  },
  "speaks TLS 1.2": async ({ port }) => {
    const socket = connect({ port, host: "127.0.0.1", ca: [], rejectUnauthorized: false, maxVersion: "TLSv1.2" });
    await new Promise((resolve) => socket.once("error", resolve));
  },
  "closes before its reply": async (lab) => void (await shaken(lab)).destroy(),
  "ends before its reply": async (lab) => void (await shaken(lab)).resume().end(),
  "breaks a record after the handshake": async (lab) => {
    const raw = await connected(lab.port);
    const leaf = hold({ profile: "client", name: "x", issuer: lab.pki.alice, command: { kind: "stats-subscribe" } });
    const socket = dial(lab.port, [leaf, lab.pki.alice], { socket: raw });
    socket.on("error", () => undefined);
    await new Promise((resolve) => socket.once("data", resolve));
    // Under TLS's feet, which has taken the socket's handle.
    const { writeSync } = await import("node:fs");
    const handle: unknown = Reflect.get(raw, "_handle");
    const fd: unknown = typeof handle === "object" && handle !== null ? Reflect.get(handle, "fd") : undefined;
    if (typeof fd !== "number") throw new Error("no descriptor");
    writeSync(fd, Buffer.from(`1703030020${"00".repeat(32)}`, "hex"));
    await until(() => raw.destroyed || socket.destroyed || socket.readableEnded, "the endpoint closes");
    socket.destroy();
    raw.destroy();
  },
};

test(
  "reference bugs 19 and 21: rude clients leave descriptors and memory where they were, and the next client is served",
  async () => {
    const lab = await openLab({
      limits: { linger: 200, handshake: 2000 },
      answer: (it, socket) => {
        if (it.request.command.kind === "stats-subscribe") socket.write(Buffer.from("0000000130", "hex"));
        else setTimeout(() => socket.end(), 5);
      },
    });
    const leaf = hold({ profile: "client", name: "x", issuer: lab.pki.alice, command: info });
    await ask(lab.port, [leaf, lab.pki.alice]);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const [before, memory] = [openDescriptors(), process.memoryUsage().rss];
    for (let round = 0; round < rounds; round++) {
      await Promise.all(Object.values(rudenesses).map((rude) => rude(lab)));
    }
    await until(() => openDescriptors() <= before, `${before} descriptors`, 10_000);
    expect(process.memoryUsage().rss - memory).toBeLessThan(128 * 1024 * 1024);
    const answer = await ask(lab.port, [leaf, lab.pki.alice]);
    expect(answer.payload.kind).toBe("failure");
  },
  60_000 + rounds * 1000,
);

test("reference bug 21: a slow handshake is ended, however its bytes drip", async () => {
  const { port } = await openLab({ limits: { handshake: 300 } });
  const socket = await connected(port);
  const begin = Date.now();
  const drip = setInterval(() => socket.write(Buffer.from([0x16])), 50);
  await new Promise((resolve) => socket.resume().once("close", resolve));
  clearInterval(drip);
  expect(Date.now() - begin).toBeLessThan(2000);
  const silent = await connected(port);
  const start = Date.now();
  await new Promise((resolve) => silent.resume().once("close", resolve));
  expect(Date.now() - start).toBeGreaterThan(200);
});

test("reference bug 21: an address that takes all its handshakes and is silent loses the oldest to the next client", async () => {
  const lab = await openLab({ limits: { pendingPerAddress: 5 } });
  const leaf = hold({ profile: "client", name: "x", issuer: lab.pki.alice, command: info });
  const waiting = await Promise.all([0, 1, 2, 3, 4].map(() => connected(lab.port)));
  for (let tries = 0; ; tries++) {
    const kind = await ask(lab.port, [leaf, lab.pki.alice]).then(
      (answer) => answer.payload.kind,
      () => "refused",
    );
    if (kind === "success") break;
    expect(tries).toBeLessThan(100);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  for (const socket of waiting) socket.destroy();
}, 60_000);

test("an endpoint that has no time for a moment keeps a thousand clients from having to ask again", async ({
  skip,
}) => {
  const most = Number(readFileSync("/proc/sys/net/core/somaxconn", "utf8"));
  if (most < 1000) skip(`this kernel holds ${most}`);
  const { child, said } = run([
    process.execPath,
    program,
    ...wordsFor(await openLab()),
    "--ip",
    "127.0.0.1",
    "--port",
    "0",
  ]);
  await until(() => portIn(said()) > 0, "a port", 10_000);
  child.kill("SIGSTOP");
  const crowd: Socket[] = [];
  onTestFinished(() => {
    child.kill("SIGCONT");
    for (const socket of crowd) socket.destroy();
  });
  for (let index = 0; index < 900; index++) {
    crowd.push(
      createConnection({ port: portIn(said()), host: "127.0.0.1", localAddress: `127.0.${1 + (index % 50)}.1` }),
    );
  }
  for (const socket of crowd) socket.on("error", () => undefined);
  await until(() => crowd.every(({ connecting }) => !connecting), "all connected");
});
