/** Images on their way out, through an endpoint and from the daemon: none is held as a whole, and none outlives its client. */
import { randomBytes } from "node:crypto";
import { deflateSync, inflateSync } from "node:zlib";
import { expect, test, vi } from "vitest";
import type { Wire } from "../../src/codec/wire.ts";
import type { Command } from "../../src/core/command.ts";
import { openHost, sessionChain, Talk, tell } from "../client/lab.ts";
import { until } from "./caller.ts";
import { converse, dial, type Holder, hold } from "./endpoint_lab.ts";
import { create, readGuest } from "./lab.ts";

vi.setConfig({ testTimeout: 120_000 });

const hello = readGuest("hello.spt");
const get = (level: number): Command => ({ kind: "unikernel-get", level });

/** Two letters in no order: what costs a deflater most. */
function tedious(size: number): Buffer {
  return Buffer.concat([hello, randomBytes(size).map((byte) => 0x61 + (byte & 1))]);
}

function asking(issuer: Holder, command: Command): readonly Holder[] {
  return [hold({ profile: "client", name: "vm", issuer, command }), issuer];
}

function imageOf(wire: Wire | undefined): Buffer {
  if (wire?.payload.kind !== "success" || wire.payload.success.kind !== "unikernel-image") {
    throw new Error(JSON.stringify(wire?.payload));
  }
  const { compressed, bytes } = wire.payload.success.image;
  return compressed ? inflateSync(bytes) : Buffer.from(bytes);
}

/** Seconds of processor time of this process, whichever of its threads. */
function busy(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

test("an image arrives whole at every level, alone and in a session", async () => {
  const { place, port, pki } = await openHost();
  const image = Buffer.concat([hello, randomBytes(700_000), Buffer.alloc(700_000)]);
  expect(await place.ask("alice:vm", create(image))).toBe("created unikernel");
  const talk = new Talk(port, sessionChain([pki.alice]));
  for (const level of [0, 1, 9]) {
    const wires = await converse(dial(port, asking(pki.alice, get(level))));
    expect(wires).toHaveLength(1);
    expect(imageOf(wires[0]).equals(image)).toBe(true);
    talk.say(level, ":vm", get(level));
  }
  talk.say(10, ":vm", { kind: "policy-info" });
  talk.socket.end();
  const heard = await talk.heard(4);
  for (const wire of heard.slice(0, 3)) expect(imageOf(wire).equals(image)).toBe(true);
  expect(heard.slice(3).map(tell)).toEqual(["10 alice:vm policies"]);
});

test("whoever leaves before his image is compressed costs no more, and has no turn any longer", async () => {
  const { place, port, pki } = await openHost();
  const image = tedious(1024 * 1024);
  expect(await place.ask("alice:vm", create(image))).toBe("created unikernel");
  const before = busy();
  deflateSync(image, { level: 9 });
  const whole = busy() - before;
  const begun = busy();
  const leaving = Array.from({ length: 4 }, () => dial(port, asking(pki.alice, get(9))).on("error", () => undefined));
  await until(() => busy() - begun > whole / 5, "some work");
  for (const socket of leaving) socket.destroy();
  const [wire] = await converse(dial(port, asking(pki.alice, get(0))));
  expect(imageOf(wire).equals(image)).toBe(true);
  // Nobody's was compressed to its end, which each would have been twice.
  expect(busy() - begun).toBeLessThan(whole);
});

test("an image that nobody reads is in nobody's memory", async () => {
  const { place, port, pki } = await openHost();
  const size = 48 * 1024 * 1024;
  expect(await place.ask("alice:vm", create(Buffer.concat([hello, randomBytes(size)]), { memory: 64 }))).toBe(
    "created unikernel",
  );
  const before = process.memoryUsage();
  const lazy = [0, 6].map((level) => dial(port, asking(pki.alice, get(level))).pause());
  await until(async () => (await place.info("alice:vm")) !== undefined, "an answer beside it");
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const after = process.memoryUsage();
  expect(after.arrayBuffers + after.external - before.arrayBuffers - before.external).toBeLessThan(size / 2);
  for (const socket of lazy) socket.destroy();
});
