import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { expect, test } from "vitest";
import { encodeFrame, frameHeader } from "../../src/codec/frame.ts";
import { type Caller, told, until } from "./caller.ts";
import { level, Place } from "./lab.ts";

const old = Buffer.alloc(1024 * 1024, "old ");
const end = frameHeader(0);

/** A daemon with a device of 1 MB that holds `old`. */
async function withDevice(): Promise<Place> {
  const place = new Place("spt");
  await place.start();
  const data = { compressed: true, bytes: deflateSync(old) };
  expect(await place.ask("a:disk", { kind: "block-add", size: 1, data, form: "old" })).toBe("added block device");
  return place;
}

async function begin(place: Place, compressed: boolean): Promise<Caller> {
  const caller = await place.call("vmmd");
  caller.say("a:disk", { kind: "command", command: { kind: "block-set", compressed } });
  return caller;
}

/** The old content, nothing besides it, and a device that can be used again. */
async function expectOld(place: Place): Promise<void> {
  const folder = join(place.dbdir, "block");
  await until(() => readdirSync(folder).length === 1, "no half upload is left");
  expect(readFileSync(join(folder, "a:disk")).equals(old)).toBe(true);
  await until(
    async () => (await place.ask("a:disk", { kind: "block-remove" })) === "removed block",
    "the device is free",
  );
}

const half = Buffer.concat([frameHeader(1000), Buffer.alloc(500, "new ")]);

test.for([
  ["in the middle of a chunk", half],
  ["in the middle of a chunk's length", half.subarray(0, 2)],
  ["between two chunks", encodeFrame(Buffer.from("new"))],
  ["before the first chunk", new Uint8Array(0)],
] as const)("reference bug 33: a connection that ends %s changes nothing, and says so", async ([, bytes]) => {
  const place = await withDevice();
  const caller = await begin(place, false);
  caller.socket.end(bytes);
  const text =
    "refused: the content did not arrive whole, the block device keeps what it had: the connection ended before";
  expect(told(await caller.next())).toContain(text);
  await expectOld(place);
});

test.for([false, true])(
  "reference bug 33: a client that vanishes in the middle of a chunk changes nothing: compressed %s",
  async (compressed) => {
    const place = await withDevice();
    const caller = await begin(place, compressed);
    caller.socket.write(compressed ? Buffer.concat([frameHeader(1000), deflateSync(Buffer.alloc(500))]) : half);
    await until(() => readdirSync(join(place.dbdir, "block")).length === 2, "the upload has begun");
    caller.socket.destroy();
    await expectOld(place);
  },
);

test("a daemon that stops in the middle of an upload keeps the old content", async () => {
  const place = new Place("spt");
  const daemon = await place.start();
  const data = { compressed: true, bytes: deflateSync(old) };
  await place.ask("a:disk", { kind: "block-add", size: 1, data, form: "old" });
  const caller = await begin(place, false);
  caller.socket.write(half);
  await until(() => readdirSync(join(place.dbdir, "block")).length === 2, "the upload has begun");
  await daemon.stop("stop");
  expect(readdirSync(join(place.dbdir, "block"))).toEqual(["a:disk"]);
  expect(readFileSync(join(place.dbdir, "block", "a:disk")).equals(old)).toBe(true);
});

test("a daemon that is killed in the middle of an upload keeps the old content", async () => {
  const place = new Place("spt");
  const daemon = await place.spawn();
  const data = { compressed: true, bytes: deflateSync(old) };
  await place.ask("a:disk", { kind: "block-add", size: 1, data, form: "old" });
  const caller = await begin(place, false);
  caller.socket.write(half);
  await until(() => readdirSync(join(place.dbdir, "block")).length === 2, "the upload has begun");
  daemon.kill("SIGKILL");
  await new Promise((resolve) => daemon.once("exit", resolve));
  expect(readFileSync(join(place.dbdir, "block", "a:disk")).equals(old)).toBe(true);
  await place.start();
  expect(readdirSync(join(place.dbdir, "block"))).toEqual(["a:disk"]);
  expect(readFileSync(join(place.dbdir, "block", "a:disk")).equals(old)).toBe(true);
});

const bomb = deflateSync(Buffer.alloc(200 * 1024 * 1024), { level: 9 });
const whole = deflateSync(Buffer.from("new"));
/** Stored blocks of no length: bytes that inflate to nothing, as many as one likes. */
const nothing = Buffer.concat([
  Buffer.from("789c", "hex"),
  Buffer.alloc(5 * 1024 * 1024, Buffer.from("000000ffff", "hex")),
]);

test.for([
  ["a zlib stream of 200 MB of zeros", bomb, "larger than the block device, which has 1 MB"],
  ["a zlib stream with something behind it", Buffer.concat([whole, Buffer.from("x")]), "did not arrive whole"],
  ["two zlib streams", Buffer.concat([whole, whole]), "did not arrive whole"],
  ["half a zlib stream", whole.subarray(0, 8), "did not arrive whole"],
  [
    "a zlib stream with another checksum",
    Buffer.concat([whole.subarray(0, -1), Buffer.from([0])]),
    "did not arrive whole",
  ],
  ["what is no zlib stream", Buffer.from("new content"), "did not arrive whole"],
  ["an empty zlib stream of no bytes", new Uint8Array(0), "did not arrive whole"],
  ["more than could inflate to so little", nothing, "larger than the block device"],
] as const)("block set refuses %s, and keeps the old content", async ([, bytes, text]) => {
  const place = await withDevice();
  const caller = await begin(place, true);
  for (let at = 0; at < bytes.length; at += 60_000) caller.socket.write(encodeFrame(bytes.subarray(at, at + 60_000)));
  caller.socket.write(end);
  expect(told(await caller.next())).toMatch(new RegExp(`^refused: .*${text}`));
  await expectOld(place);
});

test("block set refuses as soon as it knows, without waiting for the rest", async () => {
  const place = await withDevice();
  for (const [compressed, bytes] of [
    [false, Buffer.alloc(2 * 1024 * 1024)],
    [true, Buffer.from("no zlib stream")],
    [true, bomb],
  ] as const) {
    const caller = await begin(place, compressed);
    caller.socket.write(encodeFrame(bytes));
    expect(told(await caller.next())).toContain("refused: the content");
    caller.close();
  }
  await expectOld(place);
});

test.for([0, 9])("a client that leaves in the middle of a dump at level %d leaves the device free", async (level) => {
  const place = new Place("spt");
  await place.start();
  expect(await place.ask("a:disk", { kind: "block-add", size: 64, form: "current" })).toBe("added block device");
  const caller = await place.call("vmmd");
  caller.say("a:disk", { kind: "command", command: { kind: "block-dump", level, form: "current" } });
  await caller.next();
  caller.close();
  await until(
    async () => (await place.ask("a:disk", { kind: "block-remove" })) === "removed block",
    "the device is free",
  );
});

test("an upload of a chain's request is taken as a local one; behind one that was refused nothing more is", async () => {
  const place = await withDevice();
  const caller = await place.call("chain");
  const content = Buffer.concat([encodeFrame(deflateSync(Buffer.alloc(1024 * 1024, "new "))), end]);
  for (const label of ["disk", "none", "disk"]) {
    caller.ask([level("a")], label, { kind: "block-set", compressed: true });
    caller.socket.write(content);
  }
  expect(told(await caller.next())).toBe("set block device");
  expect(told(await caller.next())).toBe("refused: block device a:none not found");
  await caller.closed;
  expect(caller.wires).toHaveLength(2);
  expect(readFileSync(join(place.dbdir, "block", "a:disk")).equals(Buffer.alloc(1024 * 1024, "new "))).toBe(true);
});
