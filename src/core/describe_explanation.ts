/**
 * The English of explanations.
 *
 * @module
 */
import { describePath } from "./describe.ts";
import type { Explanation, Room, Unchecked } from "./explanation.ts";
import { unlimited } from "./policy.ts";
import type { Resource } from "./refusal.ts";
import { unreachable } from "./result.ts";

export function describeVerdict({ command, refused }: Explanation): string {
  return refused === undefined ? `${command} would be done` : `${command} would be refused: ${refused.text}`;
}

/** `at most 64 MB of memory more at alice:bob`. */
export function describeRoom({ resource, left, path }: Room): string {
  const at = describePath(path);
  const { unit, name } = nouns[resource];
  if (left === 0) return `no more ${name} at ${at}`;
  if (left === unlimited) return `any number of ${name} more`;
  return `at most ${left} ${left === 1 ? unit.replace(/s$/, "") : unit} more at ${at}`;
}

/** What was not looked at, as it stands behind "not checked:". */
export function describeUnchecked(what: Unchecked): string {
  switch (what) {
    case "usage":
      return "what is used, exists, is locked or revoked, which only the server knows";
    case "image":
      return "the image";
    case "devices":
      return "whether its manifest wants the devices that are given";
    case "tender":
      return "whether there is a tender for it";
    case "addresses":
      return "whether its MAC addresses are free";
    case "disk":
      return "room on the host's disk";
    case "content":
      return "the content";
    case "console":
      return "whether there is such a console";
    case "list":
      return "the revocation list";
    default:
      return unreachable(what);
  }
}

const nouns: Readonly<Record<Resource, { readonly unit: string; readonly name: string }>> = {
  unikernels: { unit: "unikernels", name: "unikernels" },
  memory: { unit: "MB of memory", name: "memory" },
  block: { unit: "MB of block storage", name: "block storage" },
};
