/**
 * The descriptors of Solo5's two notes: the ABI and the manifest (Solo5 0.12, `elf_abi.h` and `mft_abi.h`).
 *
 * @module
 */
import type { Device, DeviceType, Target } from "../core/manifest.ts";
import { err, ok, type Result } from "../core/result.ts";

export type Note = "abi" | "manifest";

export type NoteError =
  /** A descriptor's size is none that the note can have. */
  | { readonly kind: "note-size"; readonly note: Note; readonly size: number; readonly limit: number }
  | { readonly kind: "abi-target-unknown"; readonly target: number }
  | { readonly kind: "manifest-version-unknown"; readonly version: number }
  | { readonly kind: "manifest-entries"; readonly entries: number; readonly limit: number }
  /** Its first entry is reserved, and this one's is not. */
  | { readonly kind: "manifest-not-reserved" }
  | { readonly kind: "device-type-unknown"; readonly index: number; readonly type: number }
  | { readonly kind: "device-name-malformed"; readonly index: number }
  | { readonly kind: "device-name-repeated"; readonly name: string }
  /** Only a tender says that a device is attached. */
  | { readonly kind: "device-attached"; readonly index: number };

/** Reads the ABI note: which tender, which version of its ABI. The reserved words are ignored, as Solo5 does. */
export function decodeAbi(content: Uint8Array): Result<{ readonly target: Target; readonly abi: number }, NoteError> {
  if (content.length < abiSize || content.length > maxAbiSize) {
    return err({ kind: "note-size", note: "abi", size: content.length, limit: maxAbiSize });
  }
  const view = viewOf(content);
  const id = view.getUint32(0, true);
  const target = targets[id - 1];
  return target === undefined
    ? err({ kind: "abi-target-unknown", target: id })
    : ok({ target, abi: view.getUint32(4, true) });
}

/** Reads the manifest note: the devices, without the reserved first entry. */
export function decodeManifest(content: Uint8Array): Result<readonly Device[], NoteError> {
  if (content.length < padding + headSize) {
    return err({ kind: "note-size", note: "manifest", size: content.length, limit: maxDescriptor });
  }
  const view = viewOf(content);
  const version = view.getUint32(padding, true);
  if (version !== 1) return err({ kind: "manifest-version-unknown", version });
  const entries = view.getUint32(padding + 4, true);
  if (entries < 1 || entries > maxEntries) return err({ kind: "manifest-entries", entries, limit: maxEntries });
  const expected = padding + headSize + entries * entrySize;
  if (content.length !== expected) {
    return err({ kind: "note-size", note: "manifest", size: content.length, limit: expected });
  }
  const first = content.subarray(padding + headSize, padding + headSize + entrySize);
  if (viewOf(first).getUint32(typeAt, true) !== reservedFirst || first[0] !== 0) {
    return err({ kind: "manifest-not-reserved" });
  }
  return decodeDevices(content.subarray(padding + headSize), entries);
}

function decodeDevices(table: Uint8Array, entries: number): Result<readonly Device[], NoteError> {
  const devices: Device[] = [];
  const names = new Set<string>();
  for (let index = 0; index < entries; index++) {
    const entry = table.subarray(index * entrySize, (index + 1) * entrySize);
    if (entry[nameSize - 1] !== 0) return err({ kind: "device-name-malformed", index });
    if (entry[attachedAt] !== 0) return err({ kind: "device-attached", index });
    if (index === 0) continue;
    const device = decodeDevice(entry, index);
    if (!device.ok) return device;
    const { name } = device.value;
    if (names.has(name)) return err({ kind: "device-name-repeated", name });
    names.add(name);
    devices.push(device.value);
  }
  return ok(devices);
}

function decodeDevice(entry: Uint8Array, index: number): Result<Device, NoteError> {
  const code = viewOf(entry).getUint32(typeAt, true);
  const type = deviceTypes.get(code);
  if (type === undefined) return err({ kind: "device-type-unknown", index, type: code });
  const name = String.fromCharCode(...entry.subarray(0, entry.indexOf(0)));
  return /^[A-Za-z0-9]+$/.test(name) ? ok({ name, type }) : err({ kind: "device-name-malformed", index });
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** In the order of their numbers, from 1. */
const targets: readonly Target[] = ["hvt", "spt", "virtio", "muen", "genode", "xen"];

const deviceTypes: ReadonlyMap<number, DeviceType> = new Map([
  [1, "block"],
  [2, "net"],
]);

const reservedFirst = 0x40000000;

const abiSize = 16;

/** What Solo5's loader reads at most. */
const maxAbiSize = 32;

/** In front of the manifest, which is aligned to 8 bytes. */
const padding = 4;

/** version, entries. */
const headSize = 8;
const entrySize = 104;

/** Offsets in an entry: a name, its NUL at the latest at 67, then type and (much later) attached. */
const nameSize = 68;
const typeAt = 68;
const attachedAt = 96;

/** The reserved entry and 63 devices. */
const maxEntries = 64;

/** Bytes of the largest descriptor: a full manifest's. */
export const maxDescriptor: number = padding + headSize + maxEntries * entrySize;
