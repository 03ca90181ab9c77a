/** One delegate who takes all that there is of something, and what is left for the others. */
import { expect, vi } from "vitest";
import { frameHeader } from "../../src/codec/frame.ts";
import type { Command } from "../../src/core/command.ts";
import { usualDaemonLimits } from "../../src/core/limits.ts";
import { name } from "../host/folder.ts";
import { type Caller, told, until } from "./caller.ts";
import { create, level, type Place, readGuest, scriptTest } from "./lab.ts";

vi.setConfig({ testTimeout: 60_000 });

/** Below a scripted tender any image does. */
const hello = readGuest("hello.spt");
const get: Command = { kind: "unikernel-get", level: 0 };
const stats: Command = { kind: "stats-subscribe" };
const log: Command = { kind: "log-subscribe" };
const inactive: Command = { kind: "console-list-inactive" };

scriptTest("images for one delegate who reads none of them are sent one at a time", "exec sleep 60", async (place) => {
  const size = 24 * 1024 * 1024;
  await place.start();
  const image = Buffer.concat([hello, Buffer.alloc(size)]);
  for (const target of ["alice:vm", "mallory:vm"]) await place.ask(target, create(image));
  const before = process.memoryUsage().rss;
  const lazy: Caller[] = [];
  for (let index = 0; index < 9; index++) lazy.push(await asking(place, "mallory", "vm", get, false));
  await until(async () => told(await (await asking(place, "mallory", "vm", get)).next()) === tooMany, "a refusal");
  expect(process.memoryUsage().rss - before).toBeLessThan(6 * size);
  expect(await imageSize(await asking(place, "alice", "vm", get))).toBe(image.length);
  const [last, ...others] = lazy.toReversed();
  for (const { socket } of others) socket.destroy();
  last?.socket.resume();
  expect(last && (await imageSize(last))).toBe(image.length);
});

scriptTest("a long answer reaches a peer that has ended its side", "exit 0", async (place) => {
  await place.start();
  const devices = Array.from({ length: 63 }, (_, index) => ({
    netif: "service",
    bridge: `none${index}`.padEnd(4000, "-"),
  }));
  const caller = await place.call("vmmd");
  caller.say("vm", { kind: "command", command: create(hello, { bridges: devices }) });
  const [answer] = await caller.finish();
  expect(answer?.length).toBeGreaterThan(240_000);
});

scriptTest("who watches in great numbers keeps nobody else from watching", "exec sleep 60", async (place) => {
  await place.start();
  const many = await Promise.all(Array.from({ length: 101 }, () => asking(place, "mallory", "", log)));
  await until(() => many.every(({ wires }) => wires.length > 0), "answers");
  expect(many.filter(({ wires }) => wires.map(told).includes("subscribed"))).toHaveLength(100);
  expect(told(await (await asking(place, "alice", "", log)).next())).toBe("subscribed");
});

scriptTest(
  "who ends many unikernels keeps no other's last words from being read",
  "echo last; exit 3",
  async (place) => {
    await place.start();
    await place.ask("alice:vm", create(hello, { memory: 16 }));
    await until(async () => (await namesOf(place, "alice")).length === 1, "its end");
    for (let index = 0; index < 110; index++) await place.ask(`mallory:vm${index}`, create(hello, { memory: 16 }));
    await until(async () => (await place.infos("mallory:")).length === 0, "their ends");
    expect(await namesOf(place, "alice")).toEqual(["vm"]);
    expect(await namesOf(place, "mallory")).toHaveLength(99);
  },
);

scriptTest(
  "what the endpoint refuses of a delegate's session takes his turns, not others'",
  "exit 0",
  async (place) => {
    await place.start({ limits: { ...usualDaemonLimits, rate: 1 } });
    const mallory = await place.call("chain");
    const begun = performance.now();
    for (let index = 0; index < 3; index++) mallory.say("mallory:", { kind: "failure", text: "no" });
    await until(() => mallory.wires.length === 3, "refusals");
    expect(performance.now() - begun).toBeGreaterThan(1500);
    expect(told(await (await asking(place, "alice", "", inactive)).next())).toBe("success");
  },
);

scriptTest("who is locked out takes no turns of those whose path he has", "exit 0", async (place) => {
  await place.start({ limits: { ...usualDaemonLimits, rate: 1, waiting: 0 } });
  await place.ask(":", { kind: "lock", path: name("mallory:bob:").path });
  const chain = [level("mallory"), level("bob")];
  const push: Command = { kind: "push-crl", crl: new Uint8Array(9), authority: new Uint8Array(9) };
  for (const command of [inactive, inactive, push, get]) {
    const caller = await place.call("chain");
    caller.ask(chain, "vm", command, { certificates: [{ issuer: "00".repeat(32), serial: "01" }] });
    expect(told(await caller.next())).toBe("refused: mallory:bob is locked by the host");
  }
  expect(told(await (await asking(place, "mallory", "", inactive)).next())).toBe("success");
});

scriptTest("of locks that follow each other closely, each ends whom it is about", "exit 0", async (place) => {
  await place.start();
  const watching: Caller[] = [];
  for (const delegate of ["alice", "bob", "mallory"]) watching.push(await asking(place, delegate, "", log));
  await until(() => watching.every(({ wires }) => wires.length === 1), "subscriptions");
  for (const delegate of ["alice:", "bob:"]) await place.ask(":", { kind: "lock", path: name(delegate).path });
  await Promise.all(watching.slice(0, 2).map(({ closed }) => closed));
  expect(watching.map(({ wires }) => wires.length)).toEqual([2, 2, 1]);
});

scriptTest(
  "where all connections are taken, a session or a subscription of who has most makes room",
  "exit 0",
  async (place) => {
    await place.start({ limits: { ...usualDaemonLimits, connections: 8 } });
    const alice = await asking(place, "alice", "", { kind: "session" });
    alice.ask([level("alice")], "", inactive);
    expect(told(await alice.next())).toBe("success");
    const mallory: Caller[] = [];
    for (const command of [log, stats, stats, { kind: "session" }, log, log, log] as const) {
      mallory.push(await asking(place, "mallory", "", command));
    }
    await until(() => mallory.every(({ wires }, index) => index === 3 || wires.length === 1), "subscriptions");
    for (let index = 0; index < 2; index++) {
      expect(told(await (await asking(place, "carol", "", log)).next())).toBe("subscribed");
    }
    await Promise.all(mallory.slice(0, 2).map(({ closed }) => closed));
    expect(mallory.map(({ wires }) => wires.at(-1)).map((wire) => wire && told(wire))).toEqual([
      ...[madeRoom, madeRoom],
      ...["subscribed", undefined, "subscribed", "subscribed", "subscribed"],
    ]);
    alice.ask([level("alice")], "", inactive);
    expect(told(await alice.next())).toBe("success");
  },
);

scriptTest(
  "a connection that is at work makes no room, however many its delegate has",
  "exec sleep 60",
  async (place) => {
    await place.start({ limits: { ...usualDaemonLimits, connections: 8 } });
    const uploads: Caller[] = [];
    for (let index = 0; index < 8; index++) {
      const caller = await place.call("chain");
      caller.ask([level("mallory", { unikernels: 8 })], `vm${index}`, create(new Uint8Array(0)), {
        imageFollows: true,
      });
      caller.socket.write(frameHeader(hello.length));
      uploads.push(caller);
    }
    await until(() => place.images().length === 8, "uploads");
    const further = await asking(place, "mallory", "", log);
    await further.closed;
    expect(further.wires).toEqual([]);
    const [first] = uploads;
    first?.socket.write(Buffer.concat([hello, frameHeader(0)]));
    expect(first && told(await first.next())).toBe("created unikernel");
  },
);

const madeRoom =
  "refused: all 8 connections of this host were taken, and this one made room for another: yours were the most";
const tooMany = "refused: 8 downloads wait for the one before them already, try again later";

async function asking(place: Place, delegate: string, label: string, command: Command, reads = true): Promise<Caller> {
  const caller = await place.call("chain");
  if (!reads) caller.socket.pause();
  caller.ask([level(delegate)], label, command);
  return caller;
}

async function namesOf(place: Place, delegate: string): Promise<readonly (string | undefined)[]> {
  const { payload } = await (await asking(place, delegate, "", inactive)).next();
  if (payload.kind !== "success" || payload.success.kind !== "consoles") throw new Error(payload.kind);
  return payload.success.names.map(({ label }) => label);
}

async function imageSize(caller: Caller): Promise<number | undefined> {
  const { payload } = await caller.next();
  if (payload.kind !== "success" || payload.success.kind !== "unikernel-image") return undefined;
  return payload.success.image.bytes.length;
}
