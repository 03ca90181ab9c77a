/**
 * What a daemon writes down about a guest for the daemon that adopts it.
 *
 * The two may be of different versions: a note is JSON whose fields a later
 * version only adds to, and each is read for itself, so that of a note that
 * says less, or more, all is used that is understood.
 *
 * @module
 */
import type { TenderKind } from "../core/manifest.ts";
import { parseName, printName } from "../core/name.ts";
import type { Attached, Incarnation, Tender } from "../core/state.ts";
import { decodeUnikernel, encodeUnikernel } from "./record.ts";

export interface Note {
  /** What runs; absent where the note does not tell it whole. */
  readonly incarnation?: Incarnation;
  /** Ms since the Unix epoch. */
  readonly started?: number;
  /** Of the user that the guest has for itself. */
  readonly uid?: number;
  readonly taps: readonly string[];
}

export function encodeNote({ incarnation, started, uid, taps }: Note): string {
  const what = incarnation === undefined ? {} : spellIncarnation(incarnation);
  return JSON.stringify({ version: noteVersion, started, uid, taps, ...what });
}

export function decodeNote(text: string): Note {
  const fields = readFields(text);
  const incarnation = readIncarnation(fields);
  const { started, uid, taps } = fields;
  return {
    ...(incarnation === undefined ? {} : { incarnation }),
    ...(typeof started === "number" ? { started } : {}),
    ...(typeof uid === "number" ? { uid } : {}),
    taps: readWords(taps),
  };
}

type Fields = Readonly<Record<string, unknown>>;

function spellIncarnation({ config, digest, tender, devices }: Incarnation): Fields {
  const record = Buffer.from(encodeUnikernel({ config, digest })).toString("base64");
  const { kind, path, accel } = tender;
  return { record, tender: kind, program: path, accel, devices: devices.map(spellDevice) };
}

function spellDevice(attached: Attached): readonly string[] {
  if (attached.kind === "net") {
    const { device, bridge, mac } = attached;
    return ["net", device, bridge, Buffer.from(mac).toString("hex")];
  }
  const { device, name, sectorSize } = attached;
  return ["block", device, printName(name), ...(sectorSize === undefined ? [] : [`${sectorSize}`])];
}

function readFields(text: string): Fields {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

function readIncarnation(fields: Fields): Incarnation | undefined {
  const { record, devices } = fields;
  const tender = readTender(fields);
  if (typeof record !== "string" || tender === undefined || !Array.isArray(devices)) return undefined;
  const unikernel = decodeUnikernel(Uint8Array.from(Buffer.from(record, "base64")));
  const attached = devices.map((device: unknown) => readDevice(readWords(device)));
  const known = attached.filter((device) => device !== undefined);
  return unikernel.ok && known.length === attached.length ? { ...unikernel.value, tender, devices: known } : undefined;
}

function readTender({ tender, program, accel }: Fields): Tender | undefined {
  if (!isTenderKind(tender) || typeof program !== "string") return undefined;
  return accel === "kvm" || accel === "tcg" ? { kind: tender, path: program, accel } : { kind: tender, path: program };
}

function isTenderKind(value: unknown): value is TenderKind {
  return value === "hvt" || value === "spt" || value === "virtio";
}

function readDevice([kind, device = "", at = "", detail]: readonly string[]): Attached | undefined {
  if (kind === "net") return { kind, device, bridge: at, mac: Uint8Array.from(Buffer.from(detail ?? "", "hex")) };
  const name = parseName(at);
  if (kind !== "block" || !name.ok) return undefined;
  return { kind, device, name: name.value, ...(detail === undefined ? {} : { sectorSize: Number(detail) }) };
}

function readWords(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((word) => typeof word === "string") : [];
}

/** Of the form that this version writes; nothing depends on it yet. */
const noteVersion = 1;
