import { readdirSync } from "node:fs";
import { createConnection, createServer, type Socket } from "node:net";
import { connect } from "node:tls";
import fc from "fast-check";
import { expect, onTestFinished, test, vi } from "vitest";
import { encodeExtension } from "../../src/codec/extension.ts";
import { encodeFrame } from "../../src/codec/frame.ts";
import { encodeWire, type Payload } from "../../src/codec/wire.ts";
import type { Command } from "../../src/core/command.ts";
import { printName } from "../../src/core/name.ts";
import { openHost, sessionChain, Talk } from "../client/lab.ts";
import { wire } from "../codec/arbitrary.ts";
import { name } from "../host/folder.ts";
import { Mutator } from "../mutator.ts";
import { until } from "./caller.ts";
import { ask, chunks, dial, hold, policy } from "./endpoint_lab.ts";
import { create, destroy, level, openScripted, type Place, readGuest } from "./lab.ts";

/** FULMAR_FUZZ_RUNS=5000 makes so many rounds of ten, from a seed of its own each time. */
const { FULMAR_FUZZ_RUNS = "0" } = process.env;
const wanted = Number(FULMAR_FUZZ_RUNS);
const rounds = wanted === 0 ? 40 : wanted;
const seed = wanted === 0 ? 1 : (Date.now() % 1_000_000) + 1;

vi.setConfig({ testTimeout: 120_000 + rounds * 1000 });

const sockets = ["vmmd", "chain", "console", "stat"] as const;
const hello = readGuest("hello.spt");
const info: Command = { kind: "unikernel-info", form: "current" };
const subscribe: Command = { kind: "console-subscribe", from: { kind: "count", count: 1 } };
const commands: readonly Command[] = [
  create(new Uint8Array(hello), { arguments: ["a"] }),
  info,
  destroy,
  subscribe,
  { kind: "unikernel-restart" },
  { kind: "unikernel-get", level: 0 },
  { kind: "block-add", size: 1, form: "current" },
  { kind: "block-set", compressed: true },
  { kind: "block-dump", level: 1, form: "current" },
  { kind: "policy-add", policy },
  { kind: "policy-info" },
  { kind: "stats-subscribe" },
  { kind: "stats-add", vmmdev: "x", pid: 1, network: [] },
];

function frame(payload: Payload, target = "vm"): Uint8Array {
  return encodeFrame(encodeWire({ header: { version: 5, sequence: 7n, name: name(target) }, payload }));
}

const request = (command: Command): Payload => ({
  kind: "request",
  request: { levels: [level("alice")], leaf: new Uint8Array(32), expires: 0, command, imageFollows: false },
});

/** What each socket takes, and everything else that has a spelling. */
const messages = [
  ...commands.map((command) => frame({ kind: "command", command })),
  ...commands.map((command) => frame(request(command), "alice:")),
  ...fc.sample(wire, { seed: 1, numRuns: 40 }).map((one) => encodeFrame(encodeWire(one))),
];

function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

/** Ten at a time, so many rounds. */
async function repeat(visit: (index: number) => Promise<unknown>): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    await Promise.all(Array.from({ length: 10 }, (_, index) => visit(round * 10 + index)));
  }
}

async function clear(place: Place): Promise<void> {
  for (const [target] of await listed(place)) expect(await place.ask(target, destroy)).toMatch(/^destroyed/);
  await until(() => place.tenders().length === 0, "no guest");
}

async function listed(place: Place): Promise<readonly (readonly [string, unknown])[]> {
  const caller = await place.call("vmmd");
  caller.say(":", { kind: "command", command: info });
  const { payload } = await caller.next();
  if (payload.kind !== "success" || payload.success.kind !== "unikernels") throw new Error(payload.kind);
  return payload.success.unikernels.map((one) => [printName(one.name), one.value]);
}

test("mutated messages on its sockets leave the daemon as it was", async () => {
  const place = openScripted("exec sleep 1000");
  await place.start();
  const before = openDescriptors();
  const mutator = new Mutator(messages, seed);
  await repeat(async (index) => {
    const caller = await place.call(sockets[index % sockets.length] ?? "vmmd");
    caller.socket.write(mutator.next());
    await caller.finish();
    caller.close();
  });
  await clear(place);
  await until(() => openDescriptors() <= before, `${before} descriptors`);
  expect(await place.ask("fine", create(hello))).toBe("created unikernel");
  expect(place.log).not.toContain('"bug"');
});

/** What a client of ours begins with. */
async function recordClientHello(): Promise<Buffer> {
  const server = createServer();
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const client = connect({ port, host: "127.0.0.1", rejectUnauthorized: false }).on("error", () => undefined);
  const socket = (await accepted).on("error", () => undefined);
  const bytes = await new Promise<Buffer>((resolve) => socket.once("data", resolve));
  client.destroy();
  socket.destroy();
  return bytes;
}

function gone(socket: Socket): Promise<void> {
  socket.on("error", () => undefined).resume();
  return new Promise((resolve) => (socket.closed ? resolve() : socket.once("close", () => resolve())));
}

test("mutated handshakes, certificates, streams and sessions leave the endpoint as it was", async () => {
  const { port, place, pki, log } = await openHost();
  const leaf = (extension: Uint8Array) => [
    hold({ profile: "client", name: "x", issuer: pki.alice, extension }),
    pki.alice,
  ];
  const fine = leaf(encodeExtension(info));
  expect((await ask(port, fine)).payload.kind).toBe("success");
  const before = openDescriptors();
  const hellos = new Mutator([await recordClientHello()], seed);
  const extensions = new Mutator(commands.map(encodeExtension), seed);
  const frames = new Mutator(messages, seed);
  const streams = new Mutator([chunks(hello), chunks(hello.subarray(0, 100), hello.subarray(100))], seed);
  const upload = leaf(encodeExtension(create(new Uint8Array(0))));
  const visits: readonly (() => Promise<void>)[] = [
    async () => {
      const socket = createConnection({ port, host: "127.0.0.1" });
      socket.end(hellos.next());
      await gone(socket);
    },
    async () => {
      const socket = dial(port, leaf(extensions.next()));
      socket.end(streams.next());
      await gone(socket);
    },
    async () => {
      const socket = dial(port, upload);
      socket.end(streams.next());
      await gone(socket);
    },
    async () => {
      const talk = new Talk(port, sessionChain([pki.bob, pki.alice]));
      for (let count = 0; count < 5; count++) talk.socket.write(frames.next());
      talk.socket.end();
      await talk.closed;
    },
  ];
  await repeat(async (index) => visits[index % visits.length]?.());
  await clear(place);
  await until(() => openDescriptors() <= before, `${before} descriptors`);
  expect((await ask(port, fine)).payload.kind).toBe("success");
  expect(log() + place.log).not.toContain('"bug"');
});
