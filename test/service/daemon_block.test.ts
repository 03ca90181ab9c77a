import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deflateSync, inflateSync } from "node:zlib";
import { expect, test } from "vitest";
import { type Said, say } from "../cli/terminal.ts";
import { told } from "./caller.ts";
import { config, create, destroy, Place, readGuest, scriptTest } from "./lab.ts";

const megabyte = 1024 * 1024;
const content = Buffer.concat([randomBytes(300_000), Buffer.alloc(900_000), randomBytes(5)]);
const padded = (bytes: Buffer, size: number): Buffer =>
  Buffer.concat([bytes, Buffer.alloc(size * megabyte - bytes.length)]);

/** Runs the client in the place's folder against its daemon. */
function run(place: Place, line: string): Promise<Said> {
  return say([...line.split(" "), "--tmpdir", place.tmpdir], place.folder);
}

const done = (text: string): Said => ({
  status: 0,
  stdout: `host [unikernel: a:disk]: success: ${text}\n`,
  stderr: "",
});

/** What the client saved, by what it printed. */
function saved(place: Place, { stdout }: Said): Buffer {
  const [, file = "nothing saved"] = /^dumped (?:image )?to (.*)$/m.exec(stdout) ?? [];
  return readFileSync(join(place.folder, file));
}

test.for([0, 1, 9])(
  "set-block and dump-block at level %d give back what was sent, and zeros behind it",
  async (level) => {
    const place = new Place("spt");
    await place.start();
    writeFileSync(join(place.folder, "content"), content);
    expect(await run(place, "create-block a:disk 2")).toEqual(done("added block device"));
    expect(await run(place, `set-block a:disk content --compression-level ${level}`)).toEqual(done("set block device"));
    for (const back of [0, 1, 9]) {
      const said = await run(place, `dump-block a:disk --compression-level ${back}`);
      expect(said).toMatchObject({ status: 0, stderr: "" });
      expect(saved(place, said).equals(padded(content, 2))).toBe(true);
    }
    writeFileSync(join(place.folder, "short"), "short");
    expect(await run(place, "set-block a:disk short")).toEqual(done("set block device"));
    expect(saved(place, await run(place, "dump-block a:disk")).equals(padded(Buffer.from("short"), 2))).toBe(true);
    const { mode, size, blocks } = statSync(join(place.dbdir, "block", "a:disk"));
    expect([mode & 0o777, size]).toEqual([0o600, 2 * megabyte]);
    expect(blocks).toBeLessThan(200);
  },
);

test.for([0, 1])(
  "no message of a dump at level %d holds more than albatross's client inflates at once",
  async (level) => {
    const place = new Place("spt");
    await place.start();
    writeFileSync(join(place.folder, "content"), randomBytes(2 * megabyte));
    await run(place, "create-block a:disk 2 --data content");
    const caller = await place.call("vmmd");
    caller.say("a:disk", { kind: "command", command: { kind: "block-dump", level, form: "current" } });
    await caller.finish();
    const sizes = caller.wires.flatMap(({ payload }) =>
      payload.kind === "data" && payload.data.kind === "block-bytes" ? [payload.data.bytes.length] : [],
    );
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeGreaterThanOrEqual(2 * megabyte);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(16 * 1024);
  },
);

test("create-block --data fills what it creates", async () => {
  const place = new Place("spt");
  await place.start();
  writeFileSync(join(place.folder, "content"), content);
  const said = await run(place, "create-block a:disk 2 --data content --compression-level 4");
  expect(said.stdout).toBe(done("added block device").stdout + done("set block device").stdout);
  expect(saved(place, await run(place, "dump-block a:disk")).equals(padded(content, 2))).toBe(true);
});

test.for([false, true])(
  "block add, set and dump in the old forms carry the content in one message: compressed %s",
  async (compressed) => {
    const place = new Place("spt");
    await place.start();
    const bytes = compressed ? deflateSync(content) : content;
    const add = { kind: "block-add", size: 2, data: { compressed, bytes }, form: "old" } as const;
    expect(await place.ask("a:disk", add)).toBe("added block device");
    expect(saved(place, await run(place, "dump-block a:disk")).equals(padded(content, 2))).toBe(true);
    const set = { kind: "block-set", compressed: false, data: Buffer.from("new") } as const;
    expect(await place.ask("a:disk", set)).toBe("set block device");
    const large = { kind: "block-add", size: 1, data: { compressed, bytes }, form: "old" } as const;
    expect(await place.ask("a:small", large)).toContain("refused: the content is larger than the block device");
    expect(await place.ask("a:small", { kind: "block-remove" })).toBe("refused: block device a:small not found");
    const caller = await place.call("vmmd");
    caller.say("a:disk", { kind: "command", command: { kind: "block-dump", level: 1, form: "old" } });
    const { payload } = await caller.next();
    if (payload.kind !== "success" || payload.success.kind !== "old-block-device-image") throw new Error(payload.kind);
    const { compressed: deflated, bytes: dumped } = payload.success.image;
    expect([deflated, inflateSync(dumped).equals(padded(Buffer.from("new"), 2))]).toEqual([true, true]);
  },
);

test.for([0, 9])(
  "reference bug 6: a content larger than the device is refused at once, and the old one kept: level %d",
  async (level) => {
    const place = new Place("spt");
    await place.start();
    writeFileSync(join(place.folder, "content"), "old");
    writeFileSync(join(place.folder, "large"), Buffer.concat([randomBytes(500_000), Buffer.alloc(40 * megabyte)]));
    await run(place, "create-block a:disk 1 --data content");
    const begun = performance.now();
    const { status, stderr } = await run(place, `set-block a:disk large --compression-level ${level}`);
    expect(performance.now() - begun).toBeLessThan(5000);
    expect([status, stderr]).toEqual([
      117,
      expect.stringContaining("larger than the block device, which has 1 MB and keeps what it had"),
    ]);
    expect(saved(place, await run(place, "dump-block a:disk")).equals(padded(Buffer.from("old"), 1))).toBe(true);
    expect(readdirSync(join(place.dbdir, "block"))).toEqual(["a:disk"]);
  },
);

test.for([3, 30_000_000])(
  "reference bug 7: a device that is not there is not found, whatever is sent for it: %d bytes",
  async (size) => {
    const place = new Place("spt");
    await place.start();
    writeFileSync(join(place.folder, "content"), Buffer.alloc(size));
    for (const line of ["set-block a:disk content", "dump-block a:disk", "destroy-block a:disk"]) {
      expect(await run(place, line)).toEqual({
        status: 117,
        stdout: "",
        stderr: "error: host [unikernel: a:disk]: command failed: block device a:disk not found\n",
      });
    }
  },
);

scriptTest(
  "a device that a unikernel has is neither filled, read nor removed; afterwards it is",
  "exec sleep 1000",
  async (place) => {
    await place.start();
    writeFileSync(join(place.folder, "content"), "new");
    await run(place, "create-block a:disk 1");
    const attached = create(readGuest("hello_block.spt"), { ...config, blocks: [{ name: "storage", device: "disk" }] });
    expect(await place.ask("a:web", attached)).toBe("created unikernel");
    for (const line of ["set-block a:disk content", "dump-block a:disk", "destroy-block a:disk"]) {
      const { status, stderr } = await run(place, line);
      expect([status, stderr]).toEqual([
        117,
        expect.stringContaining("block device a:disk is in use by unikernel a:web"),
      ]);
    }
    expect(await place.ask("a:web", destroy)).toBe("destroyed unikernel");
    expect(await run(place, "set-block a:disk content")).toEqual(done("set block device"));
    expect(saved(place, await run(place, "dump-block a:disk")).equals(padded(Buffer.from("new"), 1))).toBe(true);
  },
);

scriptTest("get gives back the image, at every level", "exec sleep 1000", async (place) => {
  await place.start();
  const image = readGuest("hello.spt");
  expect(await place.ask("a:web", create(deflateSync(image), {}, { compressed: true }))).toBe("created unikernel");
  for (const level of [0, 1, 9]) {
    const said = await run(place, `get a:web --compression-level ${level}`);
    expect(said.stdout).toContain(`host [unikernel: a:web]: image (compression ${level > 0}) `);
    expect(saved(place, said).equals(image)).toBe(true);
  }
  expect((await run(place, "get a:none")).stderr).toContain("unikernel a:none not found");
});

test("a device is busy while it is filled, and two that fill it at once do not mix", async () => {
  const place = new Place("spt");
  await place.start();
  expect(await place.ask("a:disk", { kind: "block-add", size: 1, form: "current" })).toBe("added block device");
  const first = await place.call("vmmd");
  first.say("a:disk", { kind: "command", command: { kind: "block-set", compressed: false } });
  first.socket.write(Buffer.from("0000000161", "hex"));
  const busy = "refused: block device a:disk is just being made, filled or removed, try again once that is done";
  await expect.poll(() => place.ask("a:disk", { kind: "block-set", compressed: false })).toBe(busy);
  first.socket.write(Buffer.from("00000000", "hex"));
  expect(told(await first.next())).toBe("set block device");
  expect(saved(place, await run(place, "dump-block a:disk")).equals(padded(Buffer.from("a"), 1))).toBe(true);
});

test("an answer comes to its end also where the client has ended its side and reads late", async () => {
  const place = new Place("spt");
  await place.start();
  const bytes = randomBytes(900_000);
  const add = { kind: "block-add", size: 1, data: { compressed: false, bytes }, form: "old" } as const;
  expect(await place.ask("a:disk", add)).toBe("added block device");
  const caller = await place.call("vmmd");
  caller.socket.pause();
  caller.say("a:disk", { kind: "command", command: { kind: "block-dump", level: 1, form: "old" } });
  caller.socket.end();
  await new Promise((resolve) => setTimeout(resolve, 500));
  caller.socket.resume();
  await caller.closed;
  expect(caller.wires.map(({ payload }) => payload.kind === "success" && payload.success.kind)).toEqual([
    "old-block-device-image",
  ]);
});
