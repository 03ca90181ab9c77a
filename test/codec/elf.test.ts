import fc from "fast-check";
import { expect, test } from "vitest";
import { type ByteSource, bytesSource, decodeSolo5 } from "../../src/codec/elf.ts";
import { mutated } from "./arbitrary.ts";
import { readImage } from "./vectors.ts";

// Offsets in the images none.hvt and full.hvt: program headers at 0x40 and 0x78, manifest note at 0xb0.
const none = readImage("none.hvt");
const full = readImage("full.hvt");
const manifestNote = 0xb0;
const abiNote = 0x138;
const entries = manifestNote + 20 + 12;

/** `none.hvt` with a few numbers written over it, little endian. */
function patched(...patches: readonly (readonly [at: number, bytes: number, value: number | bigint])[]): Uint8Array {
  return patch(none, patches);
}

function patch(
  image: Uint8Array,
  patches: readonly (readonly [at: number, bytes: number, value: number | bigint])[],
): Uint8Array {
  const copy = image.slice();
  for (const [at, bytes, value] of patches) {
    for (let index = 0; index < bytes; index++) copy[at + index] = Number((BigInt(value) >> BigInt(8 * index)) & 0xffn);
  }
  return copy;
}

const net = { name: "service0", type: "net" };
const storage = { name: "storage", type: "block" };

test.for([
  ["none.hvt", { target: "hvt", abi: 2, devices: [] }],
  ["net.hvt", { target: "hvt", abi: 2, devices: [{ name: "service0", type: "net" }] }],
  ["blk.hvt", { target: "hvt", abi: 2, devices: [storage] }],
  ["none.spt", { target: "spt", abi: 2, devices: [] }],
  ["none.virtio", { target: "virtio", abi: 2, devices: [] }],
  ["none.muen", { target: "muen", abi: 2, devices: [] }],
  ["version1.hvt", { target: "hvt", abi: 1, devices: [] }],
] as const)("decodeSolo5 reads %s", ([file, manifest]) => {
  expect(decodeSolo5(bytesSource(readImage(file)))).toEqual({ ok: true, value: manifest });
});

test("decodeSolo5 goes by program headers as the tender does: no-notes.elf renames the notes' sections alone", () => {
  const decoded = decodeSolo5(bytesSource(readImage("no-notes.elf")));
  expect(decoded).toEqual({ ok: true, value: { target: "hvt", abi: 2, devices: [] } });
});

test("decodeSolo5 reads full.hvt", () => {
  const decoded = decodeSolo5(bytesSource(full));
  expect(decoded.ok && [...decoded.value.devices].sort((a, b) => (a.name < b.name ? -1 : 1))).toEqual([
    { name: "data", type: "block" },
    { name: "management", type: "net" },
    { name: "service", type: "net" },
  ]);
});

test.for([
  ["abi9.hvt", { kind: "abi-target-unknown", target: 9 }],
  ["not-an-elf", { kind: "elf-not-elf" }],
] as const)("decodeSolo5 refuses %s", ([file, error]) => {
  expect(decodeSolo5(bytesSource(readImage(file)))).toEqual({ ok: false, error });
});

test.for([
  ["another magic", patched([0, 1, 0]), { kind: "elf-not-elf" }],
  ["32 bits", patched([4, 1, 1]), { kind: "elf-unsupported", field: "class", value: 1 }],
  ["big endian", patched([5, 1, 2]), { kind: "elf-unsupported", field: "encoding", value: 2 }],
  ["ELF version 2", patched([6, 1, 2]), { kind: "elf-unsupported", field: "version", value: 2 }],
  ["a shared object", patched([16, 2, 3]), { kind: "elf-unsupported", field: "type", value: 3 }],
  ["another machine", patched([18, 2, 183]), { kind: "elf-unsupported", field: "machine", value: 183 }],
  ["many program headers", patched([56, 2, 0xffff]), { kind: "elf-program-headers", count: 0xffff, entrySize: 56 }],
  ["small program headers", patched([54, 2, 1]), { kind: "elf-program-headers", count: 2, entrySize: 1 }],
  ["no program headers", patched([56, 2, 0]), { kind: "note-missing", note: "abi" }],
  [
    "program headers outside",
    patched([32, 8, 0xffff_ffff_ffff_ffffn]),
    { kind: "elf-outside", offset: 2 ** 64, length: 112, size: none.length },
  ],
  [
    "program headers at the very end",
    patched([32, 8, none.length - 111]),
    {
      kind: "elf-outside",
      offset: none.length - 111,
      length: 112,
      size: none.length,
    },
  ],
  [
    "a note outside",
    patched([0x40 + 8, 8, none.length]),
    {
      kind: "elf-outside",
      offset: none.length,
      length: 0x88,
      size: none.length,
    },
  ],
  [
    "a note longer than the file",
    patched([0x40 + 32, 8, 2n ** 63n]),
    {
      kind: "elf-outside",
      offset: manifestNote,
      length: 2 ** 63,
      size: none.length,
    },
  ],
  ["a note too short for its header", patched([0x40 + 32, 8, 11]), { kind: "note-truncated", length: 11, needed: 12 }],
  ["a note of header alone", patched([0x40 + 32, 8, 12]), { kind: "note-missing", note: "manifest" }],
  [
    "a descriptor longer than its note",
    patched([manifestNote + 4, 4, 0x75]),
    {
      kind: "note-truncated",
      length: 0x88,
      needed: 0x89,
    },
  ],
  [
    "a huge descriptor",
    patched([manifestNote + 4, 4, 0xffffffff]),
    {
      kind: "note-size",
      note: "manifest",
      size: 0xffffffff,
      limit: 6668,
    },
  ],
  [
    "the same note twice",
    patched([0x78 + 8, 8, manifestNote], [0x78 + 32, 8, 0x88]),
    {
      kind: "note-repeated",
      note: "manifest",
    },
  ],
  ["an ABI of 4 bytes", patched([abiNote + 4, 4, 4]), { kind: "note-size", note: "abi", size: 4, limit: 32 }],
  ["an ABI for target 0", patched([abiNote + 20, 4, 0]), { kind: "abi-target-unknown", target: 0 }],
  [
    "a manifest of 8 bytes",
    patched([manifestNote + 4, 4, 8]),
    {
      kind: "note-size",
      note: "manifest",
      size: 8,
      limit: 6668,
    },
  ],
  ["a manifest of version 2", patched([manifestNote + 24, 4, 2]), { kind: "manifest-version-unknown", version: 2 }],
  [
    "a manifest without entries",
    patched([manifestNote + 28, 4, 0]),
    {
      kind: "manifest-entries",
      entries: 0,
      limit: 64,
    },
  ],
  [
    "a manifest of 65 entries",
    patched([manifestNote + 28, 4, 65]),
    {
      kind: "manifest-entries",
      entries: 65,
      limit: 64,
    },
  ],
  [
    "more entries than the descriptor holds",
    patched([manifestNote + 28, 4, 2]),
    {
      kind: "note-size",
      note: "manifest",
      size: 0x74,
      limit: 0xdc,
    },
  ],
  ["a first entry with a name", patched([entries, 1, 0x61]), { kind: "manifest-not-reserved" }],
  ["a first entry of another type", patched([entries + 68, 4, 1]), { kind: "manifest-not-reserved" }],
  ["a first entry that is attached", patched([entries + 96, 1, 1]), { kind: "device-attached", index: 0 }],
  [
    "a name that does not end",
    patch(full, [[entries + 104 + 67, 1, 0x61]]),
    { kind: "device-name-malformed", index: 1 },
  ],
  ["a device without a name", patch(full, [[entries + 104, 1, 0]]), { kind: "device-name-malformed", index: 1 }],
  ["a name with a slash", patch(full, [[entries + 104, 1, 0x2f]]), { kind: "device-name-malformed", index: 1 }],
  ["an attached device", patch(full, [[entries + 208 + 96, 1, 1]]), { kind: "device-attached", index: 2 }],
  [
    "a second reserved entry",
    patch(full, [[entries + 104 + 68, 4, 0x40000000]]),
    {
      kind: "device-type-unknown",
      index: 1,
      type: 0x40000000,
    },
  ],
] as const)("decodeSolo5 refuses %s", ([_, image, error]) => {
  expect(decodeSolo5(bytesSource(image))).toEqual({ ok: false, error });
});

test("decodeSolo5 refuses a device named twice", () => {
  const twice = full.slice();
  twice.copyWithin(entries + 208, entries + 104, entries + 208);
  const decoded = decodeSolo5(bytesSource(twice));
  expect(!decoded.ok && decoded.error.kind).toBe("device-name-repeated");
});

test("decodeSolo5 refuses notes that overlap", () => {
  // An ABI note in the middle of the manifest's zeros.
  const at = manifestNote + 0x40;
  const image = patched([0x78 + 8, 8, at]);
  image.copyWithin(at, abiNote, abiNote + 36);
  expect(decodeSolo5(bytesSource(image))).toEqual({ ok: false, error: { kind: "notes-overlap", offset: at + 20 } });
});

test("decodeSolo5 tells what the source could not read", () => {
  const source: ByteSource = { size: none.length, read: () => undefined };
  expect(decodeSolo5(source)).toEqual({ ok: false, error: { kind: "elf-unreadable", offset: 0, length: 64 } });
});

test("decodeSolo5 refuses every image that is cut short before the end of its notes", () => {
  for (let length = 0; length < abiNote + 36; length++) {
    expect(decodeSolo5(bytesSource(none.subarray(0, length))).ok).toBe(false);
  }
});

test("decodeSolo5 never throws, and its work is bounded", () => {
  const hostile = fc.oneof(
    mutated(fc.constantFrom(none, full)),
    fc
      .array(fc.tuple(fc.nat(abiNote + 36), fc.constantFrom(1, 2, 4, 8), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })))
      .map((patches) => patch(full, patches)),
  );
  fc.assert(
    fc.property(hostile, (bytes) => {
      let read = 0;
      const whole = bytesSource(bytes);
      decodeSolo5({
        size: whole.size,
        read: (offset, length) => {
          read += length;
          return whole.read(offset, length);
        },
      });
      expect(read).toBeLessThan(64 + 64 * (56 + 20 + 6668));
    }),
    { numRuns: 3000 },
  );
});

test("decodeSolo5 does not read the body of a large image", () => {
  const image = readImage("net.hvt");
  let read = 0;
  const decoded = decodeSolo5({
    size: 2 ** 40,
    read: (offset, length) => {
      read += length;
      return image.subarray(offset, offset + length);
    },
  });
  expect(decoded).toEqual({ ok: true, value: { target: "hvt", abi: 2, devices: [net] } });
  expect(read).toBeLessThan(1000);
});
