/** Limits that an operator has moved hold where he put them: an endpoint and a daemon with others than the usual ones. */
import { deflateSync } from "node:zlib";
import { expect, test, vi } from "vitest";
import { encodeFrame } from "../../src/codec/frame.ts";
import type { Command } from "../../src/core/command.ts";
import { type DaemonLimit, type DaemonLimits, usualDaemonLimits } from "../../src/core/limits.ts";
import { loadOpenssl } from "../../src/host/openssl.ts";
import { openHost, sessionChain, Talk, tell } from "../client/lab.ts";
import { told } from "./caller.ts";
import { ask, converse, dial, type Holder, hold, openLab } from "./endpoint_lab.ts";
import { create, level, type Place, readGuest, scriptTest } from "./lab.ts";

vi.setConfig({ testTimeout: 60_000 });

const largeTest = test.skipIf(!loadOpenssl().ok);
const hello = readGuest("hello.spt");
const info: Command = { kind: "unikernel-info", form: "current" };

/** A chain whose leaf is so many bytes, and something more. */
function heavy(issuer: Holder, size: number): readonly Holder[] {
  const command: Command = { kind: "block-set", compressed: false, data: new Uint8Array(size) };
  return [hold({ profile: "client", name: "x", issuer, command }), issuer];
}

test("certificates: how many are looked at", async () => {
  const { port, pki } = await openLab({ limits: { certificates: 10 } });
  const leaf = hold({ profile: "client", name: "x", issuer: pki.alice, command: info });
  const repeated = (count: number): readonly Holder[] => [leaf, ...Array.from({ length: count }, () => pki.alice)];
  expect((await ask(port, repeated(9))).payload).toMatchObject({ success: { text: "done" } });
  expect((await ask(port, repeated(10))).payload).toEqual({
    kind: "failure",
    text: "more than 10 certificates were sent",
  });
});

largeTest("certificate-bytes: what everybody may send, less or more than OpenSSL's own bound", async () => {
  const low = await openLab({ limits: { smallCertificates: 16_384, large: 0 } });
  expect((await ask(low.port, heavy(low.pki.alice, 10_000))).payload.kind).toBe("success");
  await expect(converse(dial(low.port, heavy(low.pki.alice, 20_000)))).rejects.toThrow(/alert/i);
  const high = await openLab({ limits: { smallCertificates: 300_000, large: 0 } });
  expect((await ask(high.port, heavy(high.pki.alice, 250_000))).payload.kind).toBe("success");
  await expect(converse(dial(high.port, heavy(high.pki.alice, 310_000)))).rejects.toThrow(/alert/i);
});

largeTest("large-certificate-bytes: what a few may send", async () => {
  const { port, pki } = await openLab({ limits: { largeCertificates: 500_000 } });
  expect((await ask(port, heavy(pki.alice, 450_000))).payload.kind).toBe("success");
  await expect(converse(dial(port, heavy(pki.alice, 510_000)))).rejects.toThrow(/alert/i);
});

test("frame: one command of a session, and one message to the daemon", async () => {
  const { port, pki } = await openHost(undefined, { limits: { frame: 65_536 } });
  const talk = new Talk(port, sessionChain([pki.alice]));
  talk.socket.write(encodeFrame(new Uint8Array(65_536)));
  talk.socket.write(encodeFrame(new Uint8Array(65_537)));
  const [first, second] = await talk.heard(2);
  expect(first && tell(first)).toMatch(/the message cannot be read/);
  expect(second && tell(second)).toBe("0 alice: refused: a message of 65537 bytes is over the limit of 65536");
});

scriptTest("frame: one message to the daemon", "exit 0", async (place) => {
  await place.start({ limits: moved({ frame: 65_536 }) });
  for (const [socket, limit] of [
    ["console", 65_536],
    ["chain", 65_536 + 262_144],
  ] as const) {
    const caller = await place.call(socket);
    caller.socket.write(encodeFrame(new Uint8Array(limit + 1)));
    expect(told(await caller.next())).toBe(`refused: a message of ${limit + 1} bytes is over the limit of ${limit}`);
  }
});

test("unanswered: a session with one command at a time answers all the same, in their order", async () => {
  const { port, pki } = await openHost(undefined, { limits: { unanswered: 1 } });
  const talk = new Talk(port, sessionChain([pki.alice]));
  for (let index = 0; index < 100; index++) talk.say(index, ":", info);
  expect((await talk.heard(100)).map(tell)).toEqual(
    Array.from({ length: 100 }, (_, index) => `${index} alice: unikernels`),
  );
});

scriptTest("console-line: how much of a line is kept", 'printf "%0100d\\n" 7; exec sleep 60', async (place) => {
  await place.start({ limits: moved({ "console-line": 80 }) });
  await place.ask("vm", create(hello));
  const caller = await place.listen("vm");
  await caller.line(`${"0".repeat(80)} [truncated]`);
});

scriptTest("unread: what waits for a subscriber who does not read", "exec yes", async (place) => {
  await place.start({ limits: moved({ unread: 8_388_608 }) });
  await place.ask("vm", create(hello));
  const lazy = await place.listen("vm");
  lazy.socket.pause();
  // Beside him somebody reads what would be too much for him with the usual limit.
  let bytes = 0;
  (await place.listen("vm")).socket.on("data", (piece: Buffer) => {
    bytes += piece.length;
  });
  while (bytes < 5 * 1024 * 1024) await new Promise((resolve) => setTimeout(resolve, 20));
  const before = lazy.socket.bytesRead;
  lazy.socket.resume();
  while (lazy.socket.bytesRead - before < 4 * 1024 * 1024) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(lazy.socket.readableEnded).toBe(false);
});

scriptTest("old-reply: a block device in albatross's old reply", "exit 0", async (place) => {
  await place.start({ limits: moved({ "old-reply": 1_048_576 }) });
  for (const [label, size] of [
    ["one", 1],
    ["two", 2],
  ] as const) {
    expect(await place.ask(label, { kind: "block-add", size, form: "current" })).toBe("added block device");
  }
  const dump: Command = { kind: "block-dump", level: 0, form: "old" };
  expect(await place.ask("one", dump)).toBe("success");
  expect(await place.ask("two", dump)).toBe("refused: the content is over 1048576 bytes, too much for one reply");
});

scriptTest("inflated and ratio: what an image becomes on the disk", "exec sleep 60", async (place) => {
  await place.start({ limits: moved({ inflated: 1_048_576, ratio: 10 }) });
  const image = Buffer.concat([hello, Buffer.alloc(2_000_000)]);
  expect(await place.ask("vm", create(image))).toBe(
    "refused: the image did not arrive whole: stream too large, limit 1048576",
  );
  const zeros = Buffer.concat([hello, Buffer.alloc(800_000)]);
  const compressed = (bytes: Buffer): Command => create(deflateSync(bytes), {}, { compressed: true });
  expect(await place.ask("vm", compressed(zeros))).toBe(
    "refused: the image did not arrive whole: stream inflates too much, limit 10",
  );
  expect(place.images()).toEqual([]);
  expect(await place.ask("vm", compressed(hello))).toBe("created unikernel");
});

scriptTest("ratio: what the content of a block device becomes", "exit 0", async (place) => {
  await place.start({ limits: moved({ ratio: 10 }) });
  await place.ask("alice:disk", { kind: "block-add", size: 4, form: "current" });
  const set: Command = { kind: "block-set", compressed: true, data: deflateSync(Buffer.alloc(4_000_000)) };
  expect(await fill(place, set)).toBe(
    "refused: the content did not arrive whole, the block device keeps what it had: stream inflates too much, limit 10",
  );
});

async function fill(place: Place, command: Command): Promise<string> {
  const caller = await place.call("chain");
  caller.ask([level("alice")], "disk", command);
  return told(await caller.next());
}

function moved(limits: Partial<Record<DaemonLimit, number>>): DaemonLimits {
  return { ...usualDaemonLimits, ...limits };
}
