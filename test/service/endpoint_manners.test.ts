import { once } from "node:events";
import { linkSync, renameSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Command } from "../../src/core/command.ts";
import { ask, hold, type Lab, openLab, until } from "./endpoint_lab.ts";
import { asActivated, childrenOf, descriptorOf, program, run, wordsFor } from "./endpoint_process.ts";

const info: Command = { kind: "unikernel-info", form: "current" };

async function expectServed(lab: Lab, port: number): Promise<void> {
  const leaf = hold({ profile: "client", name: "x", issuer: lab.pki.alice, command: info });
  expect((await ask(port, [leaf, lab.pki.alice])).payload.kind).toBe("success");
}

async function listening(place: { readonly host: string } | { readonly path: string }): Promise<Server> {
  const server = createServer({ pauseOnConnect: true }).listen("path" in place ? place : { port: 0, ...place });
  await once(server, "listening");
  return server;
}

function portOf(server: Server): number {
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("no port");
  return address.port;
}

test.for([["1"], ["2"]] as const)(
  "a socket of systemd is served by %s process",
  { timeout: 60_000 },
  async ([workers]) => {
    const lab = await openLab();
    const server = await listening({ host: "127.0.0.1" });
    const port = portOf(server);
    const words = [...wordsFor(lab), "--systemd-socket-activation", "--workers", workers];
    const command = asActivated("whatever", 1, [process.execPath, program, ...words]);
    const { said, child } = run(command, ["ignore", "pipe", "pipe", descriptorOf(server)]);
    server.close();
    await until(() => said().includes("listening"), "it serves", 20_000);
    expect(said()).toContain(`port ${port}\n`);
    expect(childrenOf(child.pid)).toHaveLength(workers === "1" ? 0 : 2);
    await expectServed(lab, port);
  },
);

test("without a socket of systemd's there is nothing to serve", async () => {
  const lab = await openLab();
  const { said, ended } = run([process.execPath, program, ...wordsFor(lab), "--systemd-socket-activation"]);
  expect(await ended).toEqual([1, null]);
  expect(said()).toContain("the service manager opens one socket, not 0");
});

test("under inetd one connection is served, and the log does not get into it", { timeout: 60_000 }, async () => {
  const lab = await openLab();
  const server = await listening({ host: "127.0.0.1" });
  const ends: Promise<unknown>[] = [];
  server.on("connection", (socket: Socket) => {
    ends.push(
      run([process.execPath, program, ...wordsFor(lab), "--inetd", "-v", "-v"], [socket, socket, socket]).ended,
    );
    socket.destroy();
  });
  await expectServed(lab, portOf(server));
  server.close();
  expect(await ends[0]).toEqual([0, null]);
});

test("with --syslog each line begins with its priority", async () => {
  const lab = await openLab();
  const words = [...wordsFor(lab), "--ip", "127.0.0.1", "--port", "0", "--syslog", "-v"];
  const { said, child, ended } = run([process.execPath, program, ...words]);
  await until(() => said().includes("listening"), "it serves", 20_000);
  const port = Number(/port (\d+)/.exec(said())?.[1]);
  await expectServed(lab, port);
  await ask(port, [hold({ profile: "client", name: "x", issuer: lab.pki.alice }), lab.pki.alice]);
  child.kill();
  await ended;
  expect(said()).toMatch(/^<6>\{"level":30,.*"msg":"request"\}$/m);
  expect(said()).toMatch(/^<4>\{"level":40,.*"msg":"refused"\}$/m);
});

test("fulmard serves the sockets that systemd opened, by name or by path, and opens the others", {
  timeout: 60_000,
}, async () => {
  const lab = await openLab({ answer: false });
  const daemon = program.replace("fulmar-endpoint", "fulmard");
  const [vmmd, chain] = [join(lab.dir, "another.sock"), join(lab.dir, "util/chain.sock")];
  const servers = [await listening({ path: vmmd }), await listening({ path: chain })];
  const words = ["--tmpdir", lab.dir, "--dbdir", join(lab.dir, "db"), "--systemd-socket-activation", "--no-cage"];
  const command = asActivated("vmmd:", 2, [process.execPath, daemon, ...words]);
  const { said } = run(command, ["ignore", "pipe", "pipe", ...servers.map(descriptorOf)]);
  // Node takes its socket's file along, which stays systemd's here.
  for (const path of [vmmd, chain]) linkSync(path, `${path}.kept`);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  for (const path of [vmmd, chain]) renameSync(`${path}.kept`, path);
  await until(() => said().includes("serving"), "it serves", 20_000);
  const leaf = hold({ profile: "client", name: "x", issuer: lab.pki.alice, command: { kind: "policy-info" } });
  expect((await ask(lab.port, [leaf, lab.pki.alice])).payload.kind).toBe("success");
});
