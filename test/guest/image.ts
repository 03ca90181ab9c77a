/**
 * Reads what the tests need of a guest image: segments, notes and manifest.
 *
 * It is a second reader beside the one of the product, strict enough that an
 * image it accepts has the layout every tender expects. It throws on anything else.
 *
 * @module
 */

import assert from "node:assert/strict";

interface Segment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly address: number;
  readonly fileSize: number;
  readonly memorySize: number;
}

interface Note {
  readonly name: string;
  readonly type: number;
  readonly description: Buffer;
}

interface Device {
  readonly name: string;
  readonly type: number;
}

interface Image {
  readonly entry: number;
  readonly interpreter: string;
  readonly loads: readonly Segment[];
  readonly notes: readonly Note[];
}

export function readImage(file: Buffer): Image {
  assert.equal(file.toString("latin1", 0, 4), "\x7fELF");
  assert.equal(file.readUInt8(4), 2, "64 bits");
  assert.equal(file.readUInt16LE(16), 2, "not relocatable");
  assert.equal(file.readUInt16LE(18), 62, "x86-64");
  const segments = readSegments(file);
  const bytes = (type: number) =>
    segments.filter((s) => s.type === type).map((s) => file.subarray(s.offset, s.offset + s.fileSize));
  return {
    entry: Number(file.readBigUInt64LE(24)),
    interpreter: readString(Buffer.concat(bytes(segmentInterpreter))),
    loads: segments.filter((s) => s.type === segmentLoad),
    notes: bytes(segmentNote).map(readNote),
  };
}

/** Target number and ABI version. */
export function readAbi(note: Note): readonly [number, number] {
  assert.deepEqual([note.name, note.type, note.description.length], ["Solo5", 0x31494241, 16]);
  assert.ok(note.description.subarray(8).every((byte) => byte === 0));
  return [note.description.readUInt32LE(0), note.description.readUInt32LE(4)];
}

/** All devices, the reserved first entry included. */
export function readManifest(note: Note): readonly Device[] {
  assert.deepEqual([note.name, note.type, note.description.readUInt32LE(4)], ["Solo5", 0x3154464d, 1]);
  const count = note.description.readUInt32LE(8);
  assert.equal(note.description.length, manifestHeader + count * entrySize);
  return Array.from({ length: count }, (_, at) => {
    const start = manifestHeader + at * entrySize;
    const entry = note.description.subarray(start, start + entrySize);
    assert.ok(
      entry.subarray(entryType + 4).every((byte) => byte === 0),
      "the rest is for the tender",
    );
    return { name: readString(entry.subarray(0, entryType)), type: entry.readUInt32LE(entryType) };
  });
}

function readSegments(file: Buffer): readonly Segment[] {
  const table = Number(file.readBigUInt64LE(32));
  assert.equal(file.readUInt16LE(54), 56);
  return Array.from({ length: file.readUInt16LE(56) }, (_, at) => {
    const header = file.subarray(table + at * 56);
    return {
      type: header.readUInt32LE(0),
      flags: header.readUInt32LE(4),
      offset: Number(header.readBigUInt64LE(8)),
      address: Number(header.readBigUInt64LE(16)),
      fileSize: Number(header.readBigUInt64LE(32)),
      memorySize: Number(header.readBigUInt64LE(40)),
    };
  });
}

/** One note that fills its segment. The header is 12 bytes, then the name in 8, whatever its length says. */
function readNote(bytes: Buffer): Note {
  const description = bytes.subarray(20);
  assert.equal(bytes.readUInt32LE(4), description.length, "one note fills the segment");
  const name = readString(bytes.subarray(12, 20));
  assert.equal(bytes.readUInt32LE(0), name.length + 1);
  return { name, type: bytes.readUInt32LE(8), description };
}

function readString(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  assert.ok(end >= 0 && bytes.subarray(end).every((byte) => byte === 0), "zeros after the text");
  return bytes.toString("latin1", 0, end);
}

const segmentLoad = 1;
const segmentInterpreter = 3;
const segmentNote = 4;
const manifestHeader = 12;
const entrySize = 104;
const entryType = 68;
