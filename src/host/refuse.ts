/**
 * What the host could not do, as a refusal for whoever asked.
 *
 * A tenant is told what failed and the system's word for it, not where on the
 * host that was: paths stay in the log.
 *
 * @module
 */
import { describeElf } from "../codec/describe.ts";
import type { ElfError } from "../codec/elf.ts";
import type { TenderKind } from "../core/manifest.ts";
import type { Refusal } from "../core/refusal.ts";
import type { ImageError } from "./image.ts";
import type { StreamError } from "./stream.ts";
import type { TenderError } from "./tender.ts";

/** An error value of this folder: its kind, and fields that say how far it got. */
interface HostError {
  readonly kind: string;
}

export function refuseHost(doing: string, error: HostError): Refusal {
  return { kind: "host-failed", doing, problem: spell(error) };
}

/** @param memory - bytes that the image's unikernel asks for */
export function refuseImage(error: ImageError, memory: number): Refusal {
  switch (error.kind) {
    case "stream-too-large":
      return error.limit < memory
        ? { kind: "image-broken", problem: spell(error) }
        : { kind: "image-too-large", limit: error.limit };
    case "stream-broken":
      return { kind: "image-broken", problem: error.reason };
    case "stream-corrupt":
    case "stream-trailing":
    case "stream-inflates-too-much":
      return { kind: "image-broken", problem: spell(error) };
    default:
      return refuseHost("storing the image", error);
  }
}

/** @param size - of the device, MB */
export function refuseContent(error: StreamError, size: number): Refusal {
  switch (error.kind) {
    case "stream-too-large":
      return { kind: "block-too-small", size };
    case "stream-broken":
      return { kind: "block-content-broken", problem: error.reason };
    case "stream-corrupt":
    case "stream-trailing":
    case "stream-inflates-too-much":
      return { kind: "block-content-broken", problem: spell(error) };
    default:
      return refuseHost("filling the block device", error);
  }
}

export function refuseElf(error: ElfError): Refusal {
  return { kind: "image-not-solo5", problem: describeElf(error) };
}

export function refuseTender(error: TenderError, tender: TenderKind, abi: number): Refusal {
  switch (error.kind) {
    case "tender-not-offered":
      return error;
    case "tender-missing":
    case "tender-wrong-abi":
      return { kind: error.kind, tender, abi };
    default:
      return { kind: "tender-unusable", tender, problem: spell(error) };
  }
}

/** `taps exhausted, limit 100000`: the kind as words, then the fields that are numbers or short words, without paths. */
function spell(error: HostError): string {
  const fields = Object.entries(error).flatMap(([field, value]) => {
    if (field === "kind" || field === "path") return [];
    if (typeof value === "object" && value !== null && "kind" in value)
      return [spell({ kind: String(value.kind), ...value })];
    const word = typeof value === "number" || (typeof value === "string" && !value.startsWith("/"));
    return word ? [`${field} ${value}`] : [];
  });
  return [error.kind.replaceAll("-", " "), ...fields].join(", ");
}
