/**
 * Explanations for programs.
 *
 * @module
 */
import type { Command } from "../core/command.ts";
import { describeUnchecked } from "../core/describe_explanation.ts";
import { type ExplainedLevel, type Explanation, roomIn } from "../core/explanation.ts";
import { printPath } from "../core/name.ts";
import type { Permission } from "../core/permission.ts";
import type { Policy } from "../core/policy.ts";
import type { Resource } from "../core/refusal.ts";
import { unreachable } from "../core/result.ts";
import type { Usage } from "../core/trie.ts";
import { type SettingsOptions, settingsOf } from "./values.ts";

/** What a client can have explained. */
export type Explainable =
  | { readonly command: "create"; readonly settings?: SettingsOptions; readonly replace?: boolean }
  | { readonly command: "restart"; readonly settings?: SettingsOptions }
  | { readonly command: "destroy" | "get" | "console" | "removeBlock" | "setBlock" | "dumpBlock" }
  /** MB. */
  | { readonly command: "createBlock"; readonly size: number };

export interface ExplainedCommand {
  readonly wouldBe: "done" | "refused";
  /** The refusal's sentence, and the path of the level that refuses, where it is one. */
  readonly reason?: string;
  readonly at?: string;
  /** From the top; the root's path is empty. */
  readonly levels: readonly PathExplanation[];
  /** How much more of each resource fits, and where that is said; unlimited is Infinity. */
  readonly fits: readonly { readonly resource: Resource; readonly left: number; readonly path: string }[];
  /** What only doing it finds out. */
  readonly unchecked: readonly string[];
}

export interface PathExplanation {
  readonly path: string;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** In force. */
  readonly policy?: Policy;
  /** What the certificate says, where that is not in force. */
  readonly given?: Policy;
  readonly used?: Usage;
  readonly after?: Usage;
  /** Absent: everything. */
  readonly permissions?: readonly Permission[];
  /** The path of whoever locked it. */
  readonly lockedBy?: string;
}

export function commandOf(what: Explainable): Command {
  switch (what.command) {
    case "create": {
      const config = { ...settingsOf(what.settings ?? {}), typ: "solo5" } as const;
      const image = { compressed: false, bytes: new Uint8Array(0) };
      return { kind: "unikernel-create", config, image, replace: what.replace ?? false };
    }
    case "restart":
      return what.settings === undefined
        ? { kind: "unikernel-restart" }
        : { kind: "unikernel-restart", settings: settingsOf(what.settings) };
    case "destroy":
      return { kind: "unikernel-destroy" };
    case "get":
      return { kind: "unikernel-get", level: 0 };
    case "console":
      return { kind: "console-subscribe", from: { kind: "count", count: 0 } };
    case "createBlock":
      return { kind: "block-add", size: what.size, form: "current" };
    case "removeBlock":
      return { kind: "block-remove" };
    case "setBlock":
      return { kind: "block-set", compressed: false };
    case "dumpBlock":
      return { kind: "block-dump", level: 0, form: "current" };
    default:
      return unreachable(what);
  }
}

export function explainedOf({ levels, refused, unchecked }: Explanation): ExplainedCommand {
  return {
    wouldBe: refused === undefined ? "done" : "refused",
    ...(refused === undefined ? {} : { reason: refused.text }),
    ...(refused?.path === undefined ? {} : { at: printPath(refused.path) }),
    levels: levels.map(levelOf),
    fits: roomIn(levels).map((room) => ({ ...room, path: printPath(room.path) })),
    unchecked: unchecked.map(describeUnchecked),
  };
}

function levelOf({ path, certificate, usage, lockedBy, ...rest }: ExplainedLevel): PathExplanation {
  return {
    path: printPath(path),
    ...rest,
    ...(certificate === undefined
      ? {}
      : { notBefore: new Date(certificate.notBefore), notAfter: new Date(certificate.notAfter) }),
    ...usage,
    ...(lockedBy === undefined ? {} : { lockedBy: printPath(lockedBy) }),
  };
}
