import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeNote, encodeNote, type Note } from "../../src/codec/note.ts";
import { decodeUnikernel, encodeUnikernel } from "../../src/codec/record.ts";
import { name } from "../core/fixture.ts";
import { property } from "../core/property.ts";
import { expectOk } from "../host/folder.ts";
import { config } from "./arbitrary.ts";

const mac = Uint8Array.of(0, 0x80, 0x41, 1, 2, 3);
const full: Note = {
  incarnation: {
    config: {
      typ: "solo5",
      failBehaviour: { kind: "restart", codes: [3] },
      addName: true,
      cpuids: [0, 1],
      memory: 32,
      blocks: [{ name: "storage", device: "data" }],
      bridges: [{ netif: "service", bridge: "br0" }],
      arguments: ["--ä=\udc80"],
      cpus: 1,
    },
    digest: new Uint8Array(32).fill(7),
    tender: { kind: "virtio", path: "/usr/bin/qemu-system-x86_64", accel: "tcg" },
    devices: [
      { kind: "net", device: "service", bridge: "br0", mac },
      { kind: "block", device: "storage", name: name("alice/data"), sectorSize: 4096 },
      { kind: "block", device: "other", name: name("data") },
    ],
  },
  started: 1_700_000_000_123,
  uid: 1_900_000_001,
  taps: ["fulmar0"],
};

test("decodeNote reads what encodeNote wrote", () => {
  expect(decodeNote(encodeNote(full))).toEqual(full);
  expect(decodeNote(encodeNote({ taps: [] }))).toEqual({ taps: [] });
});

property("decodeNote reads any settings as the store does", config, (settings) => {
  const record = { config: settings, digest: Uint8Array.of(1) };
  const rest = { tender: { kind: "hvt", path: "/t" }, devices: [] } as const;
  const { incarnation } = decodeNote(encodeNote({ taps: [], incarnation: { ...record, ...rest } }));
  expect(incarnation).toEqual({ ...expectOk(decodeUnikernel(encodeUnikernel(record))), ...rest });
});

test("decodeNote takes of a later version's note what it knows, and of version 0.1.0's what there is", () => {
  const later = { ...JSON.parse(encodeNote(full)), version: 9, novelty: { a: 1 } };
  expect(decodeNote(JSON.stringify(later))).toEqual(full);
  expect(decodeNote('{"uid":1900000003,"taps":["fulmar1","fulmar2"]}')).toEqual({
    uid: 1_900_000_003,
    taps: ["fulmar1", "fulmar2"],
  });
});

test.for(["tender", "devices", "record", "program"])("decodeNote knows no incarnation without its %s", (field) => {
  for (const value of [undefined, 1, "x", [["net"], ["usb", "x", "y"]]]) {
    if (field === "program" && value === "x") continue;
    const { incarnation, ...rest } = full;
    expect(incarnation).toBeDefined();
    expect(decodeNote(JSON.stringify({ ...JSON.parse(encodeNote(full)), [field]: value }))).toEqual(rest);
  }
});

property("decodeNote takes any text", fc.oneof(fc.string(), fc.json()), (text) => {
  expect(decodeNote(text).taps).toBeInstanceOf(Array);
});
