/**
 * What can be said against a unikernel's settings without looking at the host.
 *
 * @module
 */
import type { Name } from "./name.ts";
import type { Refusal } from "./refusal.ts";
import { err, ok, type Result } from "./result.ts";
import { guestArguments, maxGuestArguments } from "./tender.ts";
import type { UnikernelConfig } from "./unikernel.ts";

export function checkSettings(name: Name, config: UnikernelConfig): Result<void, Refusal> {
  if (name.label === undefined) return err({ kind: "label-needed", path: name.path });
  if (config.typ !== "solo5") return err({ kind: "typ-unsupported", typ: config.typ });
  if (config.cpuids.length === 0) return err({ kind: "cpuids-empty" });
  if (config.memory <= 0) return err({ kind: "memory-zero" });
  const size = checkSize(config);
  if (!size.ok) return size;
  // The name alone can be spoken, and is short.
  if (config.arguments === undefined || config.arguments.length === 0) return size;
  const words = guestArguments(name.label, config.addName, config.arguments);
  const index = words.findIndex(isUnspeakable);
  if (index >= 0) return err({ kind: "argument-not-text", index });
  const { length } = words.join(" ");
  return length > maxGuestArguments
    ? err({ kind: "arguments-too-long", length, limit: maxGuestArguments })
    : ok(undefined);
}

/** Settings are stored, and told whoever asks: what no unikernel needs is not taken. */
function checkSize({
  blocks,
  bridges,
  failBehaviour,
  linuxBootPartition = "",
}: UnikernelConfig): Result<void, Refusal> {
  const devices = blocks.length + bridges.length;
  if (devices > maxDevices)
    return err({ kind: "settings-too-many", what: "devices", count: devices, limit: maxDevices });
  const codes = failBehaviour.kind === "restart" ? failBehaviour.codes.length : 0;
  if (codes > maxCodes) return err({ kind: "settings-too-many", what: "codes", count: codes, limit: maxCodes });
  const { length } = linuxBootPartition;
  return length > maxPartition ? err({ kind: "boot-partition-too-long", length, limit: maxPartition }) : ok(undefined);
}

/** Devices of a manifest (Solo5: 64 entries, the first of them reserved). */
const maxDevices = 63;

/** Exit codes that there are. */
const maxCodes = 256;

/** Characters: far more than a partition's name has. */
const maxPartition = 255;

/** What no process can be given as a word: NUL, and bytes that were no UTF-8 (see codec/text). */
function isUnspeakable(word: string): boolean {
  return word.includes("\0") || /[\udc80-\udcff]/u.test(word);
}
