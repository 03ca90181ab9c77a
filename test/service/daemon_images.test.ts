import { createHash } from "node:crypto";
import { chmodSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { expect, vi } from "vitest";
import { encodeFrame, frameHeader } from "../../src/codec/frame.ts";
import { encodeWire } from "../../src/codec/wire.ts";
import type { Command } from "../../src/core/command.ts";
import { openStore } from "../../src/host/store.ts";
import { expectOk, name } from "../host/folder.ts";
import { told, until } from "./caller.ts";
import { create, destroy, guestTest, level, readGuest, scriptTest } from "./lab.ts";

vi.setConfig({ testTimeout: 60_000 });

const hello = readGuest("hello.spt");
const digest = createHash("sha256").update(hello).digest("hex");
const long = "while :; do sleep 1; done";

scriptTest("an image that cannot run is refused with the reason, and leaves no file", long, async (place) => {
  await place.start();
  const cases: readonly (readonly [Command, RegExp])[] = [
    [create(Buffer.alloc(0)), /no Solo5 unikernel/],
    [create(Buffer.from("#!/bin/sh\necho no image\n")), /no Solo5 unikernel/],
    [create(hello.subarray(0, 4000)), /no Solo5 unikernel/],
    [create(readGuest("hello.virtio")), /is for virtio, this host offers spt$/],
    [create(deflateSync(hello)), /no Solo5 unikernel/],
    [create(hello, {}, { compressed: true }), /stream corrupt/],
    [create(deflateSync(hello).subarray(0, -100), {}, { compressed: true }), /stream corrupt/],
    [create(Buffer.concat([deflateSync(hello), Buffer.from("more")]), {}, { compressed: true }), /trailing/],
    [create(deflateSync(Buffer.alloc(17 * 1024 * 1024)), { memory: 16 }, { compressed: true }), /the 16777216 bytes/],
    [create(Buffer.alloc(17 * 1024 * 1024), { memory: 16 }), /larger than the 16777216 bytes/],
    [create(hello, { typ: "bhyve" }), /type bhyve/],
    [create(hello, { blocks: [{ name: "storage" }] }), /block device :storage not found/],
    [create(hello, { arguments: ["a\0b"] }), /argument 2 holds a byte/],
    [create(hello, { arguments: ["x".repeat(9000)] }), /a tender takes 8191/],
    [create(hello, { memory: 0 }), /some memory/],
    [create(hello, { cpuids: [] }), /at least one CPU/],
    [create(hello, { cpuids: [4095] }), /CPU 4095 asked for/],
  ];
  for (const [command, reason] of cases) {
    const answer = await place.ask("vm", command);
    expect(answer).toMatch(/^refused: /);
    expect(answer).toMatch(reason);
    expect(place.images()).toEqual([]);
  }
  expect(await place.infos()).toEqual([]);
  expect(await place.ask("vm", create(hello))).toBe("created unikernel");
});

scriptTest("images go with their unikernels while another one is still coming", long, async (place) => {
  await place.start();
  const slow = await place.call("chain");
  slow.ask([level("mallory")], "slow", create(new Uint8Array(0)), { imageFollows: true });
  slow.socket.write(Buffer.concat([frameHeader(hello.length), hello.subarray(0, 1000)]));
  await until(() => place.images().length === 1, "the beginning of an upload");
  for (const memory of [32, 33]) {
    expect(await place.ask("vm", create(hello, { memory }))).toBe("created unikernel");
    expect(place.images()).toHaveLength(2);
    expect(await place.ask("vm", destroy)).toBe("destroyed unikernel");
    expect(await place.ask("vm", create(Buffer.from("no image")))).toMatch(/^refused: /);
    await until(() => place.images().length === 1, "the upload alone");
  }
  slow.socket.write(Buffer.concat([hello.subarray(1000), frameHeader(0)]));
  expect(told(await slow.next())).toBe("created unikernel");
  expect(place.images()).toEqual([digest]);
});

scriptTest("a tender that is missing or does not work refuses a create", long, async (place) => {
  await place.start();
  const tender = join(place.dbdir, "solo5-spt");
  for (const [script, reason] of [
    ["echo ABI version 9", /needs a spt tender for ABI 2, the one on this host speaks another$/],
    ["echo some failure >&2; exit 1", /the spt tender of this host does not work: .*, output some failure$/],
  ] as const) {
    writeFileSync(tender, `#!/bin/sh\n${script}\n`);
    const answer = await place.ask("vm", create(hello));
    expect(answer).toMatch(reason);
    expect(answer).not.toContain(place.folder);
    expect(place.images()).toEqual([]);
  }
  rmSync(tender);
  // Where solo5-spt is on PATH, that one is taken now.
  expect(await place.ask("vm", create(hello))).toMatch(/needs a spt tender for ABI 2, and none is|^created/);
});

scriptTest("reference bug 17: an image of several unikernels lies once, goes with the last", long, async (place) => {
  const daemon = await place.start();
  await Promise.all(["a", "b", "c"].map((label) => place.ask(label, create(hello, { memory: 16 }))));
  const compressed = create(deflateSync(hello), { memory: 16 }, { compressed: true });
  expect(await place.ask("d", compressed)).toBe("created unikernel");
  expect(Buffer.from((await place.info("d"))?.digest ?? []).toString("hex")).toBe(digest);
  expect(place.images()).toEqual([digest]);
  await place.ask("a", destroy);
  await place.ask("a", create(Buffer.from("no image")));
  await place.ask("b", create(hello, { memory: 16, bridges: [{ netif: "x" }] }, { replace: true }));
  await place.ask("b", { kind: "unikernel-restart" });
  await Promise.all([place.ask("b", destroy), place.ask("c", destroy)]);
  expect(place.images()).toEqual([digest]);
  await daemon.stop("stop");
  await place.start();
  await place.running(1);
  await place.ask("d", destroy);
  expect(place.images()).toEqual([]);
});

scriptTest("a create whose connection ends in the middle of the image leaves nothing", long, async (place) => {
  await place.start();
  const header = { version: 5, sequence: 0n, name: name("vm") } as const;
  const frame = encodeFrame(encodeWire({ header, payload: { kind: "command", command: create(hello) } }));
  for (const cut of [1, 4, 100, frame.length - 1]) {
    const caller = await place.call("vmmd");
    caller.socket.write(frame.subarray(0, cut));
    await new Promise((resolve) => setTimeout(resolve, 10));
    caller.close();
  }
  for (const leave of ["end", "destroy"] as const) {
    const caller = await place.call("chain");
    caller.ask([level("alice")], "vm", create(Buffer.alloc(0)), { imageFollows: true });
    caller.socket.write(Buffer.concat([Buffer.from([0, 0, 0x20, 0]), hello.subarray(0, 4000)]));
    await until(() => place.images().length === 1, "an upload");
    if (leave === "end") expect((await caller.finish()).at(-1)).toMatch(/refused: the image did not arrive whole/);
    caller.close();
    await until(() => place.images().length === 0, "no upload");
  }
  expect(await place.infos()).toEqual([]);
  expect(await place.ask("alice:vm", create(hello))).toBe("created unikernel");
});

scriptTest("an image that is not what it was is not started, by whoever", long, async (place) => {
  const daemon = await place.start();
  await place.ask("vm", create(hello, { failBehaviour: { kind: "restart", codes: [] } }));
  await place.running(1);
  const file = join(place.dbdir, "images", digest);
  expect(statSync(file).mode & 0o777).toBe(0o444);
  const damage = (): void => {
    chmodSync(file, 0o644);
    writeFileSync(file, Buffer.concat([hello.subarray(0, -1), Buffer.from([~(hello.at(-1) ?? 0) & 0xff])]));
  };
  damage();
  expect(await place.ask("vm", { kind: "unikernel-restart" })).toMatch(/the stored image is damaged/);
  expect((await place.infos()).map(([label]) => label)).toEqual(["vm"]);
  await daemon.stop();
  await place.start();
  await until(() => (place.log.match(/image-damaged/g)?.length ?? 0) > 1, "the refusal of the next daemon");
  expect(place.tenders()).toEqual([]);
  const again = create(hello, {}, { replace: true });
  await until(async () => (await place.ask("vm", again)) === "created unikernel", "a new image");
  await place.running(1);
});

scriptTest("no image is swept while a stored unikernel cannot be read", long, async (place) => {
  const daemon = await place.start();
  await place.ask("vm", create(hello));
  await daemon.stop();
  const store = expectOk(await openStore(place.dbdir));
  const [record] = store.load("unikernel");
  expectOk(await store.commit([{ table: "unikernel", key: ":vm", value: Buffer.from("of a later version") }]));
  await store.close();
  const later = await place.start();
  expect(place.images()).toEqual([digest]);
  expect(place.log).toContain("images that nothing needs are left");
  await later.stop();
  const again = expectOk(await openStore(place.dbdir));
  expectOk(await again.commit([{ table: "unikernel", key: ":vm", ...record }]));
  await again.close();
  await place.start();
  await place.running(1);
});

guestTest("reference bug 8: a block device is attached once, to one unikernel", async (place) => {
  const image = readGuest(`hello_block.${place.tender}`);
  const add: Command = { kind: "block-add", size: 1, form: "current" };
  await place.start();
  expect(await place.ask("alice:storage", add)).toBe("added block device");
  expect(await place.ask("alice:storage", add)).toBe(
    "refused: block device alice:storage exists already: give another name, or remove it first",
  );
  expect(await place.ask("alice:none", { kind: "block-remove" })).toBe("refused: block device alice:none not found");
  const blocks = [{ name: "storage" }];
  const twice = [{ name: "storage" }, { name: "other", device: "storage" }];
  expect(await place.ask("alice:vm", create(image, { blocks: twice }))).toMatch(/storage is attached twice/);
  expect(await place.ask("alice:vm", create(image))).toMatch(/declares block storage, given is no block device/);
  expect(await place.ask("vm", create(image, { blocks }))).toMatch(/block device :storage not found/);
  expect([place.tenders(), place.images()]).toEqual([[], []]);
  expect(await place.blocks()).toEqual([["alice:storage", { size: 1, active: false }]]);
  expect(await place.ask("alice:vm", create(image, { blocks, arguments: ["write=fulmar"] }))).toBe("created unikernel");
  await (await place.listen("alice:vm")).line(/^storage: 1048576 bytes, sector 512, starts with: fulmar/);
  expect(await place.blocks()).toEqual([["alice:storage", { size: 1, active: true }]]);
  expect((await place.info("alice:vm"))?.blocks).toEqual([
    { unikernelDevice: "storage", hostDevice: "storage", sectorSize: 512, size: 1 },
  ]);
  const inUse =
    "refused: block device alice:storage is in use by unikernel alice:vm, which must be destroyed, or restarted without it";
  expect(await place.ask("alice:storage", { kind: "block-remove" })).toBe(inUse);
  expect(await place.ask("alice:second", create(image, { blocks }))).toBe(inUse);
  expect(await place.ask("alice:vm", create(image, { blocks }, { replace: true }))).toBe("created unikernel");
  await (await place.listen("alice:vm", { kind: "count", count: 1 })).line(/starts with: fulmar/);
  await place.ask("alice:vm", destroy);
  expect(await place.ask("alice:storage", { kind: "block-remove" })).toBe("removed block");
  expect(await place.blocks()).toEqual([]);
});
