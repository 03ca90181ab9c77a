import { readdirSync } from "node:fs";
import { expect, vi } from "vitest";
import { encodeFrame, frameHeader } from "../../src/codec/frame.ts";
import { encodeWire, type Payload } from "../../src/codec/wire.ts";
import type { Command } from "../../src/core/command.ts";
import { name } from "../host/folder.ts";
import { type Caller, told, until } from "./caller.ts";
import { create, destroy, level, type Place, readGuest, scriptTest } from "./lab.ts";

vi.setConfig({ testTimeout: 60_000 });

/** Below a scripted tender any image does. */
const hello = readGuest("hello.spt");
const long = "while :; do sleep 1; done";
const sockets = ["vmmd", "chain", "console", "stat"] as const;
const info: Command = { kind: "unikernel-info", form: "current" };
const subscribe: Command = { kind: "console-subscribe", from: { kind: "count", count: 1 } };
const request: Payload = {
  kind: "request",
  request: { levels: [level("alice")], leaf: new Uint8Array(32), expires: 0, command: info, imageFollows: false },
};

/** Valid messages, of every kind that some socket takes. */
const messages = [
  frame({ kind: "command", command: create(hello, { arguments: ["a", "b"] }) }),
  frame({ kind: "command", command: subscribe }),
  frame({ kind: "command", command: { kind: "policy-add", policy: level("a").policy } }),
  frame({ kind: "command", command: { kind: "stats-add", vmmdev: "x", pid: 1, network: [] } }),
  frame(request),
] as const;

scriptTest(
  "reference bug 25: garbage on any socket is answered with a sentence, and closes it",
  long,
  async (place) => {
    await place.start();
    for (const socket of sockets) {
      for (const [bytes, reason] of [
        [encodeFrame(Buffer.from("GET / HTTP/1.0\r\n\r\n")), /^refused: the message cannot be read: /],
        [frameHeader(0), /^refused: the message cannot be read: /],
        [Buffer.from([0x7f, 0xff, 0xff, 0xff]), /^refused: a message of 2147483647 bytes is over the limit of \d+$/],
        [Buffer.from([0xff, 0xff, 0xff, 0xff]), /^refused: a message of 4294967295 bytes is over the limit of \d+$/],
        [shortSequence(), /^refused: the message cannot be read: /],
        [frame({ kind: "success", success: { kind: "empty" } }), /^refused: this (socket takes|daemon does not serve)/],
      ] as const) {
        expect(await send(place, socket, bytes)).toMatch(reason);
      }
    }
    expect(place.log).not.toContain('"bug"');
  },
);

scriptTest("what belongs on another socket is refused, and the connection closes", long, async (place) => {
  await place.start();
  const daemon = "refused: this socket takes commands about unikernels, policies and block devices";
  const console = "refused: this socket takes commands about consoles";
  const chain = "refused: this socket takes requests of verified chains";
  for (const [socket, payload, reason] of [
    ["vmmd", request, daemon],
    ["vmmd", { kind: "command", command: subscribe }, daemon],
    ["console", request, console],
    ["console", { kind: "command", command: info }, console],
    ["console", { kind: "command", command: destroy }, console],
    ["chain", { kind: "command", command: info }, chain],
    ["chain", { kind: "command", command: subscribe }, chain],
  ] as const) {
    expect(await send(place, socket, frame(payload))).toBe(reason);
  }
});

scriptTest("whoever says more at once, or after a refusal, gets the answer to what it asked", long, async (place) => {
  await place.start();
  const question = frame({ kind: "command", command: info });
  const refused = frame({ kind: "command", command: destroy });
  const more = Buffer.concat(Array.from({ length: 100 }, () => question));
  for (let round = 0; round < 60; round++) {
    const caller = await place.call("vmmd");
    caller.socket.write(round % 3 === 0 ? Buffer.concat([question, more]) : refused);
    if (round % 3 === 1) setImmediate(() => caller.socket.write(more));
    if (round % 3 === 2) setTimeout(() => caller.socket.write(more), 1);
    await caller.closed;
    expect(caller.wires.map(told)).toEqual([round % 3 === 0 ? "success" : "refused: unikernel :vm not found"]);
  }
});

scriptTest("reference bug 4: what needs a name is refused on a path, at once", long, async (place) => {
  await place.start();
  const commands: readonly Command[] = [
    create(hello),
    create(hello, {}, { replace: true }),
    destroy,
    { kind: "unikernel-restart" },
    { kind: "block-add", size: 1, form: "current" },
    { kind: "block-remove" },
  ];
  for (const command of commands) {
    const begin = performance.now();
    expect(await place.ask("alice:bob:", command)).toMatch(/^refused: alice:bob is a path, and this command needs/);
    expect(await place.ask(":", command)).toMatch(/^refused: the host is a path, and this command needs/);
    expect(performance.now() - begin).toBeLessThan(1000);
  }
  expect(await place.ask("alice:bob:vm", create(hello))).toBe("created unikernel");
});

scriptTest("reference bug 25: messages with one byte changed never bring the daemon down", long, async (place) => {
  await place.start();
  let seed = 1;
  const random = (below: number): number => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };
  for (let round = 0; round < 25; round++) {
    const calls = messages.flatMap((message) => sockets.map((socket) => [socket, message] as const));
    await Promise.all(
      calls.map(async ([socket, message]) => {
        const changed = Buffer.from(message);
        changed[4 + random(Math.min(changed.length - 4, 400))] = random(256);
        const caller = await place.call(socket);
        caller.socket.write(changed);
        await caller.finish();
      }),
    );
  }
  expect(await place.ask("fine", create(hello))).toBe("created unikernel");
  expect(place.log).not.toContain('"bug"');
});

scriptTest("reference bugs 19 and 21: 500 rude clients leave descriptors and memory as before", long, async (place) => {
  await place.start();
  await place.ask("vm", create(hello));
  const visit = async (round: number): Promise<void> => {
    const caller = await place.call(sockets[round % sockets.length] ?? "vmmd");
    await rude[round % rude.length]?.(caller, place);
    caller.close();
  };
  for (let round = 0; round < 100; round++) await visit(round);
  await pause(500);
  const [descriptors, memory] = [openDescriptors(), process.memoryUsage().rss];
  for (let round = 0; round < 500; round += 20) {
    await Promise.all(Array.from({ length: 20 }, (_, index) => visit(round + index)));
  }
  await until(() => openDescriptors() <= descriptors, `${descriptors} descriptors`);
  expect(process.memoryUsage().rss - memory).toBeLessThan(64 * 1024 * 1024);
  await until(() => place.tenders().length === 1, "guests: 1");
  expect(await place.ask("vm", destroy)).toBe("destroyed unikernel");
  expect(place.log).not.toContain('"bug"');
});

/** Ways of leaving that no decent client knows. */
const rude: readonly ((caller: Caller, place: Place) => Promise<void>)[] = [
  async () => undefined,
  async ({ socket }) => void socket.write(Buffer.alloc(3)),
  async ({ socket }) => void socket.write(Buffer.alloc(100_000, "x")),
  async (caller) => {
    caller.socket.write(encodeFrame(Buffer.from("garbage")));
    await caller.next();
  },
  async ({ socket }) => void socket.write(messages[0].subarray(0, 5000)),
  async ({ socket }) => void socket.write(Buffer.concat([messages[1], Buffer.alloc(10)])),
  async ({ socket }) => void socket.end(messages[2].subarray(0, 20)),
  async (_, place) => {
    const listener = await place.listen("vm");
    await listener.next();
    listener.close();
  },
  async (_, place) => {
    const caller = await place.call("chain");
    caller.ask([level("alice")], "x", create(new Uint8Array(0)), { imageFollows: true });
    caller.socket.write(Buffer.concat([frameHeader(100_000), hello]));
    await pause(5);
    caller.close();
  },
  async ({ socket }) => {
    for (const message of messages.slice(1)) socket.write(message);
    socket.end();
    await pause(5);
  },
];

/** The one answer, after which the daemon closes by itself. */
async function send(place: Place, socket: (typeof sockets)[number], bytes: Uint8Array): Promise<string> {
  const caller = await place.call(socket);
  caller.socket.write(bytes);
  await caller.closed;
  expect(caller.wires).toHaveLength(1);
  return told(await caller.next());
}

function frame(payload: Payload): Uint8Array {
  return encodeFrame(encodeWire({ header: { version: 5, sequence: 7n, name: name("vm") }, payload }));
}

/** A message whose sequence number has 3 bytes where 8 belong. */
function shortSequence(): Uint8Array {
  const header = "300c 0201 05 0403 000007 3002 3000".replaceAll(" ", "");
  return encodeFrame(Buffer.from(`3012${header}a302a000`, "hex"));
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}
