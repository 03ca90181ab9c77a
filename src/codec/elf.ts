/**
 * The ELF64 file that a Solo5 image is, as far as its notes: read by ranges,
 * so that an image of any size costs a few small reads.
 *
 * As Solo5's own loader, goes by program headers and reads the first note of
 * each PT_NOTE. Stricter than it: a Solo5 note that comes twice is refused, so
 * that a tender cannot see another one than we do.
 *
 * @module
 */
import type { Manifest } from "../core/manifest.ts";
import { err, ok, type Result } from "../core/result.ts";
import { decodeAbi, decodeManifest, maxDescriptor, type Note, type NoteError } from "./solo5_note.ts";

/** Something that is read by ranges. */
export interface ByteSource {
  /** Bytes. */
  readonly size: number;
  /** The bytes from `offset`; undefined where they cannot be had. */
  read(offset: number, length: number): Uint8Array | undefined;
}

export type ElfError =
  | { readonly kind: "elf-not-elf" }
  /** Not what a Solo5 image is: 64-bit, little endian, executable, x86-64. */
  | { readonly kind: "elf-unsupported"; readonly field: ElfField; readonly value: number }
  | { readonly kind: "elf-program-headers"; readonly count: number; readonly entrySize: number }
  | { readonly kind: "elf-outside"; readonly offset: number; readonly length: number; readonly size: number }
  | { readonly kind: "elf-unreadable"; readonly offset: number; readonly length: number }
  | { readonly kind: "note-truncated"; readonly length: number; readonly needed: number }
  | { readonly kind: "note-missing"; readonly note: Note }
  | { readonly kind: "note-repeated"; readonly note: Note }
  | { readonly kind: "notes-overlap"; readonly offset: number }
  | NoteError;

/** The fields that say what kind of ELF file it is. */
type ElfField = "class" | "encoding" | "version" | "type" | "machine";

/** An image in memory. */
export function bytesSource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read: (offset, length) => (offset + length <= bytes.length ? bytes.subarray(offset, offset + length) : undefined),
  };
}

/** The manifest of an image. */
export function decodeSolo5(image: ByteSource): Result<Manifest, ElfError> {
  const headers = readProgramHeaders(image);
  if (!headers.ok) return headers;
  const found = new Map<Note, Found>();
  for (const header of headers.value) {
    const note = readNote(image, header);
    if (!note.ok) return note;
    if (note.value === undefined) continue;
    if (found.has(note.value.note)) return err({ kind: "note-repeated", note: note.value.note });
    found.set(note.value.note, note.value);
  }
  const abiNote = found.get("abi");
  if (abiNote === undefined) return err({ kind: "note-missing", note: "abi" });
  const manifestNote = found.get("manifest");
  if (manifestNote === undefined) return err({ kind: "note-missing", note: "manifest" });
  const overlap = Math.max(abiNote.offset, manifestNote.offset);
  if (overlap < Math.min(endOf(abiNote), endOf(manifestNote))) return err({ kind: "notes-overlap", offset: overlap });
  const abi = decodeAbi(abiNote.content);
  if (!abi.ok) return abi;
  const devices = decodeManifest(manifestNote.content);
  return devices.ok ? ok({ ...abi.value, devices: devices.value }) : devices;
}

/** A Solo5 note: where its descriptor lies, and the descriptor itself. */
interface Found {
  readonly note: Note;
  readonly offset: number;
  readonly content: Uint8Array;
}

interface Segment {
  readonly offset: number;
  readonly length: number;
}

/** The PT_NOTE segments. */
function readProgramHeaders(image: ByteSource): Result<readonly Segment[], ElfError> {
  const header = readRange(image, 0, fileHeaderSize);
  if (!header.ok) return err(image.size < fileHeaderSize ? { kind: "elf-not-elf" } : header.error);
  const view = viewOf(header.value);
  if (view.getUint32(0) !== 0x7f454c46) return err({ kind: "elf-not-elf" });
  for (const [field, value, expected] of identify(view)) {
    if (value !== expected) return err({ kind: "elf-unsupported", field, value });
  }
  const entrySize = view.getUint16(54, true);
  const count = view.getUint16(56, true);
  if (entrySize !== programHeaderSize || count > maxProgramHeaders) {
    return err({ kind: "elf-program-headers", count, entrySize });
  }
  const table = readRange(image, Number(view.getBigUint64(32, true)), count * programHeaderSize);
  if (!table.ok) return table;
  const entries = viewOf(table.value);
  const notes: Segment[] = [];
  for (let at = 0; at < table.value.length; at += programHeaderSize) {
    if (entries.getUint32(at, true) !== noteSegment) continue;
    // Beyond 2^53 a number is not exact, but far outside any image all the same.
    const offset = Number(entries.getBigUint64(at + 8, true));
    notes.push({ offset, length: Number(entries.getBigUint64(at + 32, true)) });
  }
  return ok(notes);
}

function identify(view: DataView): readonly (readonly [ElfField, number, number])[] {
  return [
    ["class", view.getUint8(4), 2],
    ["encoding", view.getUint8(5), 1],
    ["version", view.getUint8(6), 1],
    ["type", view.getUint16(16, true), 2],
    ["machine", view.getUint16(18, true), 62],
  ];
}

/** The segment's first note, if it is one of Solo5's. */
function readNote(image: ByteSource, segment: Segment): Result<Found | undefined, ElfError> {
  if (segment.length < noteHeaderSize) {
    return err({ kind: "note-truncated", length: segment.length, needed: noteHeaderSize });
  }
  const inside = checkRange(image, segment.offset, segment.length);
  if (!inside.ok) return inside;
  const header = readRange(image, segment.offset, Math.min(segment.length, solo5HeaderSize));
  if (!header.ok) return header;
  const view = viewOf(header.value);
  const note = noteTypes.get(view.getUint32(8, true));
  if (note === undefined || !isSolo5(header.value, view)) return ok(undefined);
  const size = view.getUint32(4, true);
  if (size > maxDescriptor) return err({ kind: "note-size", note, size, limit: maxDescriptor });
  if (segment.length < solo5HeaderSize + size) {
    return err({ kind: "note-truncated", length: segment.length, needed: solo5HeaderSize + size });
  }
  const offset = segment.offset + solo5HeaderSize;
  const content = readRange(image, offset, size);
  return content.ok ? ok({ note, offset, content: content.value }) : content;
}

/** Owner `Solo5`, padded to 8 bytes. */
function isSolo5(header: Uint8Array, view: DataView): boolean {
  return (
    header.length === solo5HeaderSize &&
    view.getUint32(0, true) === 6 &&
    view.getUint32(12) === 0x536f6c6f &&
    view.getUint16(16) === 0x3500
  );
}

function readRange(image: ByteSource, offset: number, length: number): Result<Uint8Array, ElfError> {
  const inside = checkRange(image, offset, length);
  if (!inside.ok) return inside;
  const bytes = image.read(offset, length);
  return bytes?.length === length ? ok(bytes) : err({ kind: "elf-unreadable", offset, length });
}

function checkRange(image: ByteSource, offset: number, length: number): Result<void, ElfError> {
  if (length <= image.size && offset <= image.size - length) return ok(undefined);
  return err({ kind: "elf-outside", offset, length, size: image.size });
}

function endOf(found: Found): number {
  return found.offset + found.content.length;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

const noteTypes: ReadonlyMap<number, Note> = new Map([
  [0x31494241, "abi"],
  [0x3154464d, "manifest"],
]);

const fileHeaderSize = 64;
const programHeaderSize = 56;

/** A linked unikernel has about ten; the loader's time is bounded by this. */
const maxProgramHeaders = 64;

/** PT_NOTE. */
const noteSegment = 4;

/** namesz, descsz, type. */
const noteHeaderSize = 12;

/** The same and the owner, padded. */
const solo5HeaderSize = 20;
