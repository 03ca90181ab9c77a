import { randomBytes } from "node:crypto";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { encodeFrame, frameHeader } from "../../src/codec/frame.ts";
import { encodeWire } from "../../src/codec/wire.ts";
import type { Command } from "../../src/core/command.ts";
import { printName } from "../../src/core/name.ts";
import { openHost, sessionChain, Talk, tell } from "../client/lab.ts";
import { name } from "../host/folder.ts";
import { until } from "./caller.ts";
import { delegates, type Holder, hold, makePki, openLab, policy } from "./endpoint_lab.ts";
import { config, create, destroy, readGuest } from "./lab.ts";

const info: Command = { kind: "unikernel-info", form: "current" };

test("a session answers a thousand commands that are sent at once, in their order", async () => {
  const { port, pki } = await openHost();
  const talk = new Talk(port, sessionChain([pki.bob, pki.alice]));
  const commands: readonly Command[] = [
    info,
    { kind: "policy-info" },
    { kind: "block-info" },
    { kind: "unikernel-destroy" },
  ];
  for (let index = 0; index < 1000; index++) talk.say(index, ":vm", commands[index % 4] ?? info);
  const kinds = ["unikernels", "policies", "block-devices", "refused: unikernel alice:bob:vm not found"];
  const expected = Array.from({ length: 1000 }, (_, index) => `${index} alice:bob:vm ${kinds[index % 4]}`);
  expect((await talk.heard(1000)).map(tell)).toEqual(expected);
});

test("a session refuses in its turn what it does not take, and goes on", async () => {
  const { port, pki } = await openHost();
  const allowed = ["unikernel-info", "policy-add", "console-subscribe", "session", "block-set", "unikernel-create"];
  const talk = new Talk(port, sessionChain([pki.alice], { allowed }));
  talk.say(1, ":", info);
  talk.say(2, ":", { kind: "policy-info" });
  talk.say(3, ":x", { kind: "policy-add", policy });
  talk.say(4, ":", { kind: "session" });
  talk.say(5, ":vm", { kind: "console-subscribe", from: { kind: "count", count: 1 } });
  talk.say(6, ":disk", { kind: "block-set", compressed: false });
  talk.say(7, ":vm", create(new Uint8Array(0)));
  talk.say(8, `${"a:".repeat(64)}`, info);
  talk.send(9, ":", { kind: "success", success: { kind: "empty" } });
  talk.socket.write(encodeFrame(Buffer.from("garbage")));
  talk.socket.write(frameHeader(0));
  talk.say(10, ":", info);
  expect((await talk.heard(12)).map(tell)).toEqual([
    "1 alice: unikernels",
    "2 alice: refused: this session does not allow the command policy-info",
    "3 alice:x refused: the command policy-add cannot be given by certificate",
    "4 alice: refused: the command session cannot be given by certificate",
    "5 alice:vm refused: the command console-subscribe needs a connection of its own",
    "6 alice:disk refused: the command block-set needs a connection of its own",
    "7 alice:vm refused: the command unikernel-create needs a connection of its own",
    "8 alice: refused: the path is too deep",
    "9 alice: refused: a session takes commands",
    expect.stringMatching(/^0 alice: refused: the message cannot be read: /),
    expect.stringMatching(/^0 alice: refused: the message cannot be read: /),
    "10 alice: unikernels",
  ]);
});

test("a session takes what every certificate of its chain permits, command by command", async () => {
  const { port, pki } = await openHost();
  const narrow = { name: "bob", issuer: pki.alice, command: delegates } as const;
  const bob = hold({ ...narrow, permissions: ["info", "create", "block"] });
  const leaf = { profile: "client", name: ".", issuer: bob, command: { kind: "session" } } as const;
  const talk = new Talk(port, [hold({ ...leaf, permissions: ["info", "destroy", "create"] }), bob, pki.alice]);
  talk.say(1, ":", info);
  talk.say(2, ":vm", destroy);
  talk.say(3, ":vm", { kind: "block-remove" });
  talk.say(4, ":", { kind: "console-list-inactive" });
  talk.say(5, ":", info);
  expect((await talk.heard(5)).map(tell)).toEqual([
    "1 alice:bob: unikernels",
    "2 alice:bob:vm refused: the certificate of alice:bob permits info, create, block only, and this needs destroy",
    "3 alice:bob:vm refused: this certificate permits info, destroy, create only, and this needs block",
    "4 alice:bob: refused: the certificate of alice:bob permits info, create, block only, and this needs console",
    "5 alice:bob: unikernels",
  ]);
});

test("a session's names begin at the path of its chain, whatever they say", async () => {
  const { port, pki, place } = await openHost();
  const image = readGuest("hello.spt");
  expect(await place.ask("carol:vm", create(image))).toBe("created unikernel");
  const talk = new Talk(port, sessionChain([pki.bob, pki.alice]));
  talk.say(1, "carol:vm", destroy);
  talk.say(2, ":", info);
  const [first, second] = await talk.heard(2);
  expect(first && tell(first)).toBe("1 alice:bob:carol:vm refused: unikernel alice:bob:carol:vm not found");
  expect(second?.payload).toEqual({
    kind: "success",
    success: { kind: "unikernels", form: "current", unikernels: [] },
  });
});

test("a session puts nothing into the audit log about anybody else, whatever names its messages say", async () => {
  const { port, pki, place } = await openHost();
  const talk = new Talk(port, sessionChain([pki.alice]));
  const frame = encodeWire({
    header: { version: 5, sequence: 1n, name: name("carol:vm") },
    payload: { kind: "command", command: info },
  });
  // The command's last byte is the length of a NULL.
  talk.socket.write(encodeFrame(Buffer.concat([frame.subarray(0, -1), Buffer.from([0x01])])));
  talk.say(2, `carol:${"a:".repeat(63)}`, info);
  expect((await talk.heard(2)).map(tell)).toEqual([
    expect.stringMatching(/^1 alice: refused: the message cannot be read: /),
    "2 alice: refused: the path is too deep",
  ]);
  const caller = await place.call("vmmd");
  caller.say(":", { kind: "command", command: { kind: "audit", query: { outcome: "refused", proof: false } } });
  await caller.closed;
  const names = caller.wires.flatMap(({ payload }) =>
    payload.kind === "data" && payload.data.kind === "audit" && payload.data.item.kind === "entry"
      ? [printName(payload.data.item.entry.name)]
      : [],
  );
  expect(names).toEqual(["alice:", "alice:"]);
});

test("a session takes no more from a client than is answered, however small its messages are", async () => {
  let given = 0;
  const { port, pki } = await openLab({
    answer: (asked) => {
      const timer = setInterval(() => {
        given = asked.behind().length;
      }, 20);
      onTestFinished(() => clearInterval(timer));
    },
  });
  const talk = new Talk(port, sessionChain([pki.alice]));
  talk.socket.on("secureConnect", () => talk.socket.write(Buffer.alloc(400_000)));
  await until(() => given > 0, "refusals");
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(given).toBeLessThan(10_000);
});

test("a session creates from a frame, survives refused creates, and gets the image back", async () => {
  const { port, pki } = await openHost();
  const image = readGuest("hello.spt");
  const talk = new Talk(port, sessionChain([pki.bob, pki.alice]));
  talk.say(1, ":vm", create(image));
  talk.say(2, ":vm", create(image));
  talk.say(3, ":fat", create(image, { memory: 1000 }));
  talk.say(4, ":vm", { kind: "unikernel-get", level: 0 });
  talk.say(5, ":vm", { kind: "block-set", compressed: false, data: image });
  talk.say(6, ":vm", destroy);
  const wires = await talk.heard(6);
  expect(wires.map(tell)).toEqual([
    "1 alice:bob:vm created unikernel",
    "2 alice:bob:vm refused: unikernel alice:bob:vm exists already, use force to replace it",
    expect.stringContaining("refused: cannot exceed the policy of alice: 256 MB of memory allowed"),
    "4 alice:bob:vm unikernel-image",
    expect.stringContaining("5 alice:bob:vm refused: "),
    "6 alice:bob:vm destroyed unikernel",
  ]);
  const payload = wires[3]?.payload;
  const got =
    payload?.kind === "success" && payload.success.kind === "unikernel-image" ? payload.success.image : undefined;
  expect(Buffer.compare(got?.bytes ?? randomBytes(1), image)).toBe(0);
});

test("a session takes a frame of 1 MiB whole, below a chain that says much", async () => {
  const { port, pki } = await openHost();
  const talk = new Talk(port, sessionChain([pki.bob, pki.alice]));
  talk.say(1, ":vm", create(randomBytes(1024 * 1024 - 200)));
  talk.say(2, ":", info);
  const [refused, answered] = (await talk.heard(2)).map(tell);
  expect(refused).toContain("1 alice:bob:vm refused: ");
  expect(answered).toBe("2 alice:bob: unikernels");
});

test("a session answers what came before a frame that is too large, says so, and closes", async () => {
  const { port, pki } = await openHost();
  const talk = new Talk(port, sessionChain([pki.alice]));
  for (let index = 0; index < 20; index++) talk.say(index, ":", info);
  talk.socket.write(frameHeader(1024 * 1024 + 1));
  await talk.closed;
  const told = talk.wires.map(tell);
  expect(told.length).toBe(21);
  expect(told.slice(0, 20)).toEqual(Array.from({ length: 20 }, (_, index) => `${index} alice: unikernels`));
  expect(told[20]).toBe("0 alice: refused: a message of 1048577 bytes is over the limit of 1048576");
});

test.for([
  ["its own end", (now: number) => [{ end: now + 1000 }, {}] as const],
  ["the end of its certificates", (now: number) => [{ end: now + 100_000 }, { notAfter: now + 2000 }] as const],
] as const)("a session ends at %s", async ([, limits]) => {
  const { port, pki } = await openHost();
  const begun = Date.now();
  const [what, validity] = limits(begun);
  const talk = new Talk(port, sessionChain([pki.alice], what, validity));
  talk.say(1, ":", info);
  await talk.heard(1);
  await talk.closed;
  expect(Date.now() - begun).toBeLessThan(4000);
  expect(talk.wires.map(tell).slice(1)).toEqual([
    "0 alice: refused: the session has ended, its certificates were good for no longer",
  ]);
});

test("a session whose end has passed takes nothing", async () => {
  const { port, pki } = await openHost();
  const talk = new Talk(port, sessionChain([pki.alice], { end: Date.now() - 5000 }));
  talk.socket.on("secureConnect", () => talk.say(1, ":", info));
  await talk.closed;
  expect(talk.wires.map(tell).at(-1)).toContain("the session has ended");
});

test("a session answers all that was sent before its client closed its side", async () => {
  const { port, pki } = await openHost();
  const talk = new Talk(port, sessionChain([pki.alice]));
  for (let index = 0; index < 200; index++) talk.say(index, ":", info);
  talk.socket.end();
  await talk.closed;
  expect(talk.wires.map(tell)).toEqual(Array.from({ length: 200 }, (_, index) => `${index} alice: unikernels`));
});

test("a session stops taking from a client that does not read, and loses nothing", { timeout: 30_000 }, async () => {
  const { port, pki } = await openHost();
  const talk = new Talk(port, sessionChain([pki.bob, pki.alice]));
  talk.say(0, ":vm", create(readGuest("hello.spt")));
  await talk.heard(1);
  talk.socket.pause();
  const content: Command = { kind: "block-set", compressed: false, data: randomBytes(20_000) };
  let sent = 1;
  for (let still = 0; still < 5 && talk.socket.bytesWritten < 200e6; ) {
    while (!talk.socket.writableNeedDrain) {
      talk.say(sent++, ":vm", { kind: "unikernel-get", level: 0 });
      talk.say(sent++, ":disk", content);
    }
    still = (await drained(talk)) ? 0 : still + 1;
  }
  // What the kernel holds of commands and replies.
  expect(talk.socket.bytesWritten).toBeLessThan(60e6);
  talk.socket.resume();
  talk.socket.end();
  await talk.closed;
  expect(talk.wires.map(({ header }) => Number(header.sequence))).toEqual(Array.from({ length: sent }, (_, at) => at));
});

function drained({ socket }: Talk): Promise<boolean> {
  return Promise.race([
    new Promise<boolean>((resolve) => socket.once("drain", () => resolve(true))),
    new Promise<boolean>((resolve) => setTimeout(resolve, 200, false)),
  ]);
}

test("a session's refusals wait for the end of a dump", async () => {
  const { port, pki } = await openHost();
  const talk = new Talk(port, sessionChain([pki.bob, pki.alice]));
  talk.say(1, ":disk", { kind: "block-add", size: 8, form: "current" });
  talk.say(2, ":disk", { kind: "block-dump", level: 0, form: "current" });
  for (let index = 0; index < 50; index++) talk.say(3, ":x", { kind: "policy-add", policy });
  talk.say(4, ":disk", { kind: "block-remove" });
  talk.socket.end();
  await talk.closed;
  const told = talk.wires.map(tell);
  const refused = "3 alice:bob:x refused: the command policy-add cannot be given by certificate";
  expect(told.slice(0, 2)).toEqual(["1 alice:bob:disk added block device", "2 alice:bob:disk block-device-image"]);
  expect(new Set(told.slice(2, -52))).toEqual(new Set(["2 alice:bob:disk block-bytes"]));
  expect(told.slice(-52)).toEqual([
    "2 alice:bob:disk block-end",
    ...Array.from({ length: 50 }, () => refused),
    "4 alice:bob:disk removed block",
  ]);
});

test("a session's end does not cut into a message of the daemon's", async () => {
  const pki = makePki();
  const lab = await openLab({ pki, answer: false });
  const half = encodeFrame(encodeWire({ header, payload: { kind: "failure", text: "x".repeat(1000) } })).subarray(
    0,
    500,
  );
  const daemon = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => socket.end(half));
  });
  await new Promise<void>((resolve) => daemon.listen(join(lab.dir, "util/chain.sock"), resolve));
  onTestFinished(() => void daemon.close());
  const talk = new Talk(lab.port, sessionChain([pki.alice]));
  let received = 0;
  talk.socket.on("data", (piece: Buffer) => (received += piece.length));
  talk.say(1, ":", info);
  await talk.closed;
  expect(received).toBe(500);
});

const header = { version: 5, sequence: 1n, name: { path: [] } } as const;

test("a session says that there is no daemon", async () => {
  const pki = makePki();
  const lab = await openLab({ pki, answer: false });
  const talk = new Talk(lab.port, sessionChain([pki.alice]));
  await talk.closed;
  expect(talk.wires.map(tell)).toEqual([expect.stringContaining("0 alice: refused: the daemon of this host ended")]);
});

test("fifty sessions of Alice, Bob and Charlie together run Alice's two unikernels", { timeout: 60_000 }, async () => {
  const { port, pki, place } = await openHost();
  const image = readGuest("hello.spt");
  const people: readonly (readonly [Holder, ...Holder[]])[] = [
    [pki.alice],
    [pki.bob, pki.alice],
    [pki.charlie, pki.alice],
  ];
  const talks = Array.from({ length: 50 }, (_, index) => {
    const talk = new Talk(port, sessionChain(people[index % 3] ?? [pki.alice]));
    for (let round = 0; round < 2; round++) {
      talk.say(2 * round, `:vm${index}`, create(image, config, { replace: round % 2 === 1 }));
      talk.say(2 * round + 1, `:vm${index}`, round === 1 || (index + round) % 5 > 0 ? info : destroy);
    }
    return talk;
  });
  const watching = { most: 0, over: false };
  while (!watching.over) {
    watching.most = Math.max(watching.most, (await place.infos("alice:")).length);
    watching.over = talks.every(({ wires }) => wires.length === 4);
  }
  expect(watching.most).toBe(2);
  expect((await place.infos("alice:")).length).toBe(2);
  const told = talks.flatMap(({ wires }) => wires.map(tell));
  expect(told.filter((line) => line.endsWith("created unikernel")).length).toBeGreaterThanOrEqual(2);
  expect(told.some((line) => line.includes("cannot exceed the policy of alice: 2 unikernels allowed"))).toBe(true);
});
