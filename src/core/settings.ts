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
  const words = guestArguments(name.label, config.addName, config.arguments);
  const index = words.findIndex(isUnspeakable);
  if (index >= 0) return err({ kind: "argument-not-text", index });
  const { length } = words.join(" ");
  return length > maxGuestArguments
    ? err({ kind: "arguments-too-long", length, limit: maxGuestArguments })
    : ok(undefined);
}

/** What no process can be given as a word: NUL, and bytes that were no UTF-8 (see codec/text). */
function isUnspeakable(word: string): boolean {
  return word.includes("\0") || /[\udc80-\udcff]/u.test(word);
}
