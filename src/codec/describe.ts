/**
 * The English of bytes that are not what they should be: one phrase each.
 *
 * @module
 */
import { unreachable } from "../core/result.ts";
import type { DerError } from "./der.ts";
import type { ElfError } from "./elf.ts";
import type { InflateError } from "./zlib.ts";

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

/** Without its subject: `is no zlib stream`. */
export function describeInflate(error: InflateError): string {
  switch (error.kind) {
    case "inflate-too-large":
      return `is more than ${error.limit} bytes once inflated`;
    case "inflate-truncated":
      return "is a zlib stream that ends too early";
    case "inflate-trailing":
      return `is a zlib stream with ${error.length} bytes behind it`;
    case "inflate-corrupt":
      return "is no zlib stream";
    default:
      return unreachable(error);
  }
}
