import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Command } from "../../src/core/command.ts";
import { loadOpenssl } from "../../src/host/openssl.ts";
import {
  type Asked,
  ask,
  chunks,
  converse,
  create,
  delegates,
  dial,
  generateKey,
  type Holder,
  hold,
  openLab,
  reply,
  until,
} from "./endpoint_lab.ts";

const openssl = loadOpenssl();
const largeTest = test.skipIf(!openssl.ok);

const setBlock = (size: number): Command => ({ kind: "block-set", compressed: false, data: new Uint8Array(size) });

/** Reads all that comes behind the request without keeping it, and answers. */
function swallow(length: number): (it: Asked, socket: Socket) => void {
  return (it, socket) => {
    let taken = it.behind().length;
    const answer = (): void => void (taken === length ? socket.end(reply(it, "taken")) : undefined);
    socket.removeAllListeners("data").on("data", (piece: Buffer) => {
      taken += piece.length;
      answer();
    });
    answer();
  };
}

function leafOf(issuer: Holder, command: Command): Holder {
  return hold({ profile: "client", name: "x", issuer, command });
}

largeTest(
  "reference bug N4: a 15 MB image in the certificate arrives byte for byte behind a small request",
  { timeout: 60_000 },
  async () => {
    const image = randomBytes(15_000_000);
    const upload = chunks(image);
    let behind = Buffer.alloc(0);
    const { port, pki, asked } = await openLab({
      answer: (it, socket) => {
        const pieces = [it.behind()];
        let length = it.behind().length;
        socket.removeAllListeners("data").on("data", (piece: Buffer) => {
          pieces.push(piece);
          length += piece.length;
          if (length < upload.length) return;
          behind = Buffer.concat(pieces);
          socket.end(reply(it, "created"));
        });
      },
    });
    const answer = await ask(port, [leafOf(pki.bob, create(image)), pki.bob, pki.alice]);
    expect(answer.payload).toMatchObject({ success: { text: "created" } });
    expect(asked[0]?.request).toMatchObject({ imageFollows: true, levels: [{ label: "alice" }, { label: "bob" }] });
    expect(behind.equals(upload)).toBe(true);
  },
);

largeTest("what is put on a block device leaves the certificate as a stream, too", async () => {
  const { port, pki, asked } = await openLab({ answer: swallow(3_000_008) });
  const answer = await ask(port, [leafOf(pki.alice, setBlock(3_000_000)), pki.alice]);
  expect(answer.payload).toMatchObject({ success: { text: "taken" } });
  expect(asked[0]?.request.command).toEqual({ kind: "block-set", compressed: false });
});

test("a block device is set to nothing by a certificate without content", async () => {
  const { port, pki, asked } = await openLab({ answer: swallow(4) });
  const answer = await ask(port, [leafOf(pki.alice, setBlock(0)), pki.alice]);
  expect(answer.payload).toMatchObject({ success: { text: "taken" } });
  expect(asked[0]?.behind()).toEqual(chunks());
});

largeTest("one handshake of an address may have large certificates, the others small ones", async () => {
  const { port, pki, log } = await openLab({ answer: swallow(1_000_008) });
  const waiting = createConnection({ port, host: "127.0.0.1" });
  await once(waiting, "connect");
  const large = [leafOf(pki.alice, setBlock(1_000_000)), pki.alice];
  await expect(converse(dial(port, large))).rejects.toThrow(/alert/i);
  expect(log()).toContain("the places for such handshakes were taken");
  waiting.destroy();
  await new Promise((resolve) => setTimeout(resolve, 50));
  const answer = await ask(port, large);
  expect(answer.payload).toMatchObject({ success: { text: "taken" } });
});

largeTest("a stranger with a large certificate is refused, and keeps its place until it has gone", async () => {
  const { port, pki, log } = await openLab({ limits: { linger: 500 }, answer: swallow(1_000_008) });
  const forger = { certificate: pki.root.certificate, key: generateKey() };
  const stranger = dial(port, [leafOf(forger, setBlock(1_000_000))]);
  await once(stranger, "data");
  const large = [leafOf(pki.alice, setBlock(1_000_000)), pki.alice];
  await expect(converse(dial(port, large))).rejects.toThrow(/alert/i);
  expect(log()).toContain("the places for such handshakes were taken");
  stranger.destroy();
  await new Promise((resolve) => setTimeout(resolve, 100));
  const answer = await ask(port, large);
  expect(answer.payload).toMatchObject({ success: { text: "taken" } });
});

largeTest("no more large requests are taken in than there is memory for", async () => {
  const open: (() => void)[] = [];
  const { port, pki, log } = await openLab({
    limits: { heavy: 1 },
    answer: (it, socket) => {
      socket.removeAllListeners("data").resume();
      open.push(() => socket.end(reply(it, "taken")));
    },
  });
  const large = [leafOf(pki.alice, setBlock(1_000_000)), pki.alice];
  const first = ask(port, large);
  await until(() => open.length === 1, "the first is with the daemon");
  await expect(converse(dial(port, large))).rejects.toThrow(/alert/i);
  expect(log()).toContain("the places for such handshakes were taken");
  const small = ask(port, [leafOf(pki.alice, delegates), pki.alice]);
  expect((await small).payload.kind).toBe("failure");
  for (const end of open) end();
  expect((await first).payload).toMatchObject({ success: { text: "taken" } });
});

test("without koffi the endpoint says once, at its start, what it refuses", async () => {
  const endpoint = startWithoutKoffi((await openLab()).dir);
  await once(endpoint.child.stdout, "data");
  endpoint.child.kill();
  await once(endpoint.child, "exit");
  expect(endpoint.log().trim().split("\n")).toHaveLength(1);
  expect(endpoint.log()).toContain("koffi is not installed");
  expect(endpoint.log()).toContain("certificates over 100 KiB are refused");
});

test("without koffi an endpoint that is to move OpenSSL's bound does not start, and says why", async () => {
  const endpoint = startWithoutKoffi((await openLab()).dir, "--limit", "certificate-bytes=50000");
  expect(await once(endpoint.child, "exit")).toEqual([1, null]);
  expect(endpoint.log()).toBe(
    "fulmar-endpoint: certificate-bytes is OpenSSL's own 102400, and cannot be moved here: koffi is not installed\n",
  );
});

test("limits that do not go together keep the endpoint from starting", async () => {
  const words = ["--limit", "certificate-bytes=1000000", "--limit", "large-certificate-bytes=1000000"];
  const endpoint = startWithoutKoffi((await openLab()).dir, ...words);
  expect(await once(endpoint.child, "exit")).toEqual([1, null]);
  expect(endpoint.log()).toBe(
    "error: large-certificate-bytes is 1000000, and must be at least twice certificate-bytes, which is 1000000.\n",
  );
});

/** The program, where koffi is not installed, and what it says. */
function startWithoutKoffi(dir: string, ...more: string[]) {
  const top = join(import.meta.dirname, "..", "..");
  const hide = join(dir, "hide.cjs");
  writeFileSync(
    hide,
    `const Module = require("module"), resolve = Module._resolveFilename;
     Module._resolveFilename = function (name, ...rest) {
       if (name === "koffi") throw Object.assign(new Error("hidden"), { code: "MODULE_NOT_FOUND" });
       return resolve.call(this, name, ...rest);
     };`,
  );
  const words = ["ca.pem", "server.pem", "server.key"].map((file) => join(dir, file));
  const command = [
    "--require",
    hide,
    join(top, "dist/bin/fulmar-endpoint.js"),
    ...words,
    "--tmpdir",
    dir,
    "--allow-root",
  ];
  const child = spawn(process.execPath, [...command, "--ip", "127.0.0.1", "--port", "0", ...more]);
  onTestFinished(() => void child.kill());
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (log += text));
  return { child, log: () => log };
}
