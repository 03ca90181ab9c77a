import { once } from "node:events";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { ChunkReader } from "../../src/codec/chunk.ts";
import { encodeFrame, FrameReader } from "../../src/codec/frame.ts";
import { decodeWire, encodeWire, type Payload } from "../../src/codec/wire.ts";
import { parseName } from "../../src/core/name.ts";
import { hex, unhex } from "../codec/vectors.ts";
import { type Said, say, temporaryFolder } from "./terminal.ts";

/** The time of the recording, transcript/local.txt. */
const now = Date.UTC(2026, 10, 22, 5, 21, 3);
const saved = "dev:disk.2026-11-22T05:21:03-00:00";

// What albatross 2.7.2 sent for `dump-block dev:disk`, with a content in place of the recording's: head, first 4096 bytes, end.
const head = "0000002230203017020105040800000000000000000c086465763a6469736ba105aa03010100";
const bytes =
  "0000102d308210293017020105040800000000000000000c086465763a6469736ba382100ca4821008a082100404821000" +
  "5a".repeat(4096);
const end = "0000002330213017020105040800000000000000000c086465763a6469736ba306a404a1020500";
const added =
  "0000003330313017020105040800000000000000000c086465763a64617461a116a1140c12616464656420626c6f636b20646576696365";
const filled =
  "00000031302f3017020105040800000000000000000c086465763a64617461a114a1120c1073657420626c6f636b20646576696365";
const inUse =
  "0000003330313017020105040800000000000000000c086465763a6469736ba2160c1473657420626c6f636b3a20697320696e20757365";

function frame(payload: Payload): Uint8Array {
  const name = parseName("dev:disk");
  if (!name.ok) throw new Error(name.error.kind);
  return encodeFrame(encodeWire({ header: { version: 5, sequence: 0n, name: name.value }, payload }));
}

const headOf = (compressed: boolean): Uint8Array =>
  frame({ kind: "success", success: { kind: "block-device-image", compressed } });
const piece = (content: Uint8Array): Uint8Array =>
  frame({ kind: "data", data: { kind: "block-bytes", bytes: content } });
const endOf = frame({ kind: "data", data: { kind: "block-end" } });

interface Lab {
  readonly folder: string;
  /** What each connection sent. */
  readonly received: Buffer[];
  run(line: string): Promise<Said>;
  files(): readonly string[];
}

/** A server that does this with each connection, and a folder to call it from. */
async function lab(act: (socket: Socket, connection: number) => void): Promise<Lab> {
  const folder = temporaryFolder();
  const received: Buffer[] = [];
  const server = createServer((connection) => {
    const index = received.push(Buffer.alloc(0)) - 1;
    connection.on("error", () => undefined);
    connection.on("data", (data) => {
      received[index] = Buffer.concat([received[index] ?? Buffer.alloc(0), data]);
    });
    act(connection, index);
  });
  server.listen(join(folder, "s"));
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
  });
  const run = (line: string): Promise<Said> => say([...line.split(" "), "--socket", join(folder, "s")], folder, now);
  return { folder, received, run, files: () => readdirSync(folder).filter((file) => file.includes(".2026")) };
}

/** The command's frame, and the content of the chunks behind it; whether they came to their end. */
function taken(sent: Buffer | undefined): {
  readonly frame: string;
  readonly content: Buffer;
  readonly ended: boolean;
} {
  const whole = sent ?? Buffer.alloc(0);
  const first = 4 + whole.readUInt32BE(0);
  const chunks = new ChunkReader(1e9).push(whole.subarray(first));
  if (!chunks.ok) throw new Error(chunks.error.kind);
  const content = Buffer.concat(chunks.value.pieces);
  return { frame: hex(whole.subarray(0, first)), content, ended: chunks.value.rest !== undefined };
}

test("run saves a dump as albatross sends it, in a new file of its owner's", async () => {
  const { folder, received, run } = await lab((socket) => socket.end(unhex(head + bytes + bytes + end)));
  expect(await run("dump-block dev:disk")).toEqual({
    status: 0,
    stdout: `host [unikernel: dev:disk]: block device compressed false\ndumped to ${saved}\n`,
    stderr: "",
  });
  expect(received.map(hex)).toEqual([
    "0000002430223017020105040800000000000000000c086465763a6469736ba007a505a603020100",
  ]);
  expect(readFileSync(join(folder, saved))).toEqual(Buffer.alloc(8192, 0x5a));
  expect(statSync(join(folder, saved)).mode & 0o777).toBe(0o600);
});

test("run saves a second dump of the same second beside the first", async () => {
  const { files, run } = await lab((socket) => socket.end(unhex(head + bytes + end)));
  expect((await run("dump-block dev:disk")).stdout).toContain(`dumped to ${saved}\n`);
  expect((await run("dump-block dev:disk")).stdout).toContain(`dumped to ${saved}.1\n`);
  expect(files()).toEqual([saved, `${saved}.1`]);
});

test("run inflates a compressed dump, however it is cut", async () => {
  const content = Buffer.from("fulmar ".repeat(100_000));
  const deflated = deflateSync(content);
  const pieces = [0, 1, 2, 700, deflated.length].map((from, index, all) =>
    piece(deflated.subarray(from, all[index + 1])),
  );
  const { folder, run } = await lab((socket) =>
    socket.end(Buffer.concat([headOf(true), ...pieces.slice(0, -1), endOf])),
  );
  expect(await run("dump-block dev:disk")).toMatchObject({ status: 0, stderr: "" });
  expect(readFileSync(join(folder, saved)).equals(content)).toBe(true);
});

test.for([false, true])("run saves an image that came whole, compressed: %s", async (compressed) => {
  const content = Buffer.from("image ".repeat(1000));
  const image = { compressed, bytes: compressed ? deflateSync(content) : content };
  const { folder, run } = await lab((socket) =>
    socket.end(frame({ kind: "success", success: { kind: "unikernel-image", image } })),
  );
  const size = image.bytes.length;
  expect(await run("get dev:net")).toEqual({
    status: 0,
    stdout: `host [unikernel: dev:disk]: image (compression ${compressed}) ${size} bytes\ndumped image to ${saved}\n`,
    stderr: "",
  });
  expect(readFileSync(join(folder, saved))).toEqual(content);
});

const deflated = deflateSync(Buffer.alloc(100_000));
const half = piece(deflated.subarray(0, 50));
const refusal = frame({ kind: "failure", text: "reading the block device: EIO\x1b[2J" });

test.for([
  ["a connection that ends early", 121, "in the middle of the content", [headOf(true), half]],
  ["a broken message", 121, "cannot be read", [headOf(true), Uint8Array.of(0, 0, 0, 1, 0)]],
  ["a zlib stream that ends early", 121, "no whole zlib stream", [headOf(true), half, endOf]],
  ["no zlib stream", 121, "no whole zlib stream", [headOf(true), piece(Buffer.from("hello")), endOf]],
  ["bytes behind the zlib stream", 121, "behind the end", [headOf(true), piece(deflated), piece(deflated), endOf]],
  ["an answer amidst", 121, "the server sent a success", [headOf(false), half, headOf(false)]],
  [
    "a console's line amidst",
    121,
    "sent console",
    [headOf(false), frame({ kind: "data", data: { kind: "console", time: 0, line: "" } })],
  ],
  ["a refusal amidst", 117, "command failed: reading the block device: EIO\\x1b[2J", [headOf(false), half, refusal]],
] as const)("run leaves no file behind of a dump with %s", async ([, status, text, frames]) => {
  const { files, run } = await lab((socket) => socket.end(Buffer.concat(frames)));
  const said = await run("dump-block dev:disk");
  expect([said.status, said.stderr]).toEqual([status, expect.stringContaining(text)]);
  expect(files()).toEqual([]);
});

test("run writes no file for a content that it did not ask for", async () => {
  const { files, run } = await lab((socket) => socket.end(unhex(head + bytes + end)));
  await run("info");
  expect(files()).toEqual([]);
});

test.for([0, 1, 9])("run sends a file's content behind set-block at level %d, and its end", async (level) => {
  const { folder, received, run } = await lab((socket) =>
    socket.on("data", (data) => {
      if (data.subarray(-4).every((byte) => byte === 0)) socket.end(unhex(filled));
    }),
  );
  const content = Buffer.concat([Buffer.from("fulmar".repeat(100_000)), Buffer.of(1)]);
  writeFileSync(join(folder, "content"), content);
  expect(await run(`set-block dev:disk content --compression-level ${level}`)).toEqual({
    status: 0,
    stdout: "host [unikernel: dev:data]: success: set block device\n",
    stderr: "",
  });
  const sent = taken(received[0]);
  const command = level === 0 ? "00" : "ff";
  expect(sent.frame).toBe(`0000002430223017020105040800000000000000000c086465763a6469736ba007a505a7030101${command}`);
  expect(sent.ended).toBe(true);
  const wanted = level === 0 ? content : deflateSync(content, { level });
  expect(wanted.equals(sent.content)).toBe(true);
});

test("run sends nothing but the end for an empty file", async () => {
  const { folder, received, run } = await lab((socket) => socket.once("data", () => socket.end(unhex(filled))));
  writeFileSync(join(folder, "content"), "");
  expect((await run("set-block dev:disk content")).status).toBe(0);
  expect(taken(received[0])).toMatchObject({ content: Buffer.alloc(0) });
});

test("run create-block --data creates, then fills, as albatross does", async () => {
  const { folder, received, run } = await lab((socket, connection) =>
    socket.once("data", () => socket.end(unhex(connection === 0 ? added : filled))),
  );
  writeFileSync(join(folder, "content"), "hello");
  expect(await run("create-block dev:data 1 --data content")).toEqual({
    status: 0,
    stdout:
      "host [unikernel: dev:data]: success: added block device\nhost [unikernel: dev:data]: success: set block device\n",
    stderr: "",
  });
  expect(hex(received[0] ?? Buffer.alloc(0))).toBe(
    "0000002430223017020105040800000000000000000c086465763a64617461a007a505a103020101",
  );
  expect(taken(received[1]).frame).toBe(
    "0000002430223017020105040800000000000000000c086465763a64617461a007a505a703010100",
  );
});

test("run create-block refuses a file that is larger than the device, and asks for nothing", async () => {
  const { folder, received, run } = await lab((socket) => socket.end(unhex(added)));
  writeFileSync(join(folder, "content"), Buffer.alloc(1024 * 1024 + 1));
  expect(await run("create-block dev:data 1 --data content")).toEqual({
    status: 124,
    stdout: "",
    stderr: "error: content has 1048577 bytes, more than 1 MB take\n",
  });
  expect(received).toEqual([]);
});

test("run create-block says that the device is there when filling it is refused", async () => {
  const { folder, run } = await lab((socket, connection) => socket.end(unhex(connection === 0 ? added : inUse)));
  writeFileSync(join(folder, "content"), "hello");
  const { status, stderr } = await run("create-block dev:data 1 --data content");
  expect([status, stderr]).toEqual([
    117,
    expect.stringContaining("hint: the block device was created and holds zeros"),
  ]);
});

test("run stops an upload when a refusal comes in the middle, and prints it", async () => {
  const { folder, received, run } = await lab((socket) => socket.once("data", () => socket.write(unhex(inUse))));
  writeFileSync(join(folder, "content"), Buffer.alloc(30_000_000));
  const { status, stderr } = await run("set-block dev:disk content");
  expect([status, stderr]).toEqual([117, "error: host [unikernel: dev:disk]: command failed: set block: is in use\n"]);
  expect(received[0]?.length).toBeLessThan(20_000_000);
});

test("reference bug 7: run prints a refusal whose connection is closed over an upload that goes on", async () => {
  const { folder, run } = await lab((socket) =>
    socket.once("data", () => socket.write(unhex(inUse), () => socket.destroy())),
  );
  writeFileSync(join(folder, "content"), Buffer.alloc(30_000_000));
  const { status, stderr } = await run("set-block dev:disk content");
  expect([status, stderr]).toEqual([117, "error: host [unikernel: dev:disk]: command failed: set block: is in use\n"]);
});

test("run sends no end of a file that it cannot read to its end", async () => {
  const { received, run } = await lab(() => undefined);
  // Opens, and fails at the first byte: there is nothing at address 0.
  const { status, stderr } = await run("set-block dev:disk /proc/self/mem");
  expect([status, stderr]).toEqual([124, expect.stringContaining("error: /proc/self/mem: EIO\n")]);
  const first = new FrameReader(1_048_576).push(received[0] ?? Buffer.alloc(0));
  expect(first.ok && first.value.map((one) => decodeWire(one).ok)).toEqual([true]);
});
