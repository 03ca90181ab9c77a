/**
 * The English of bytes that are not what they should be: one phrase each.
 *
 * @module
 */
import type { DerError } from "./der.ts";
import type { ElfError } from "./elf.ts";

/** `length not minimal at byte 3` */
export function describeDer({ problem, at }: DerError): string {
  return `${problem.replaceAll("-", " ")} at byte ${at}`;
}

/** `note missing, note manifest` */
export function describeElf(error: ElfError): string {
  switch (error.kind) {
    case "elf-not-elf":
      return "it is no ELF file";
    case "note-missing":
      return error.note === "manifest" ? "manifest not found" : "no ABI note in it";
    default: {
      const { kind, ...fields } = error;
      const details = Object.entries(fields).map(([field, value]) => `${field} ${value}`);
      return [kind.replaceAll("-", " "), ...details].join(", ");
    }
  }
}
