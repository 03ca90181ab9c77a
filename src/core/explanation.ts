/**
 * What would become of a command, level by level: the value that `explain` makes.
 *
 * @module
 */
import type { Path } from "./name.ts";
import type { Permission } from "./permission.ts";
import type { Policy } from "./policy.ts";
import type { Resource } from "./refusal.ts";
import type { Usage } from "./trie.ts";

export interface Explanation {
  /** Its kind. */
  readonly command: string;
  /** From the top; without the host's own, unless it is what refuses or somebody of the host asks. */
  readonly levels: readonly ExplainedLevel[];
  /** What the leaf permits; absent: everything. */
  readonly permissions?: readonly Permission[];
  /** Absent: it would be done. */
  readonly refused?: Refused;
  /** What only doing it finds out. */
  readonly unchecked: readonly Unchecked[];
}

/** Why it would be refused, in the words of the refusal itself. */
export interface Refused {
  readonly kind: string;
  readonly text: string;
  /** The level that refuses; absent: none of the levels. */
  readonly path?: Path;
}

export interface ExplainedLevel {
  readonly path: Path;
  /** Of the chain; times in ms since the Unix epoch. */
  readonly certificate?: {
    readonly notBefore: number;
    readonly notAfter: number;
    /** SHA-256. */
    readonly fingerprint: Uint8Array;
  };
  /** What is in force. */
  readonly policy?: Policy;
  /** What the certificate says, where that is not in force: a newer one counts, or it may not. */
  readonly given?: Policy;
  /** What is used at and below the path, and would be; absent where the asker may not know, or nobody does. */
  readonly usage?: { readonly used: Usage; readonly after: Usage };
  /** Absent: everything. */
  readonly permissions?: readonly Permission[];
  /** Whose lock is on the path. */
  readonly lockedBy?: Path;
}

/** What the host alone finds out, or (`usage`) only a daemon knows. */
export const uncheckable = [
  "usage",
  "image",
  "devices",
  "tender",
  "addresses",
  "disk",
  "content",
  "console",
  "list",
] as const;

export type Unchecked = (typeof uncheckable)[number];

/** How much more of a resource fits, and the first level that says so; unlimited where none does. */
export interface Room {
  readonly resource: Resource;
  readonly left: number;
  readonly path: Path;
}

/** What fits in all levels together. A level that is over its policy leaves nothing. */
export function roomIn(levels: readonly ExplainedLevel[]): readonly Room[] {
  return (["unikernels", "memory", "block"] as const).flatMap((resource): readonly Room[] => {
    const rooms = levels.flatMap(({ path, policy, usage }): readonly Room[] => {
      if (policy === undefined || usage === undefined) return [];
      return [{ resource, path, left: Math.max(0, (policy[resource] ?? 0) - usage.used[resource]) }];
    });
    const left = Math.min(...rooms.map((room) => room.left));
    return rooms.filter((room) => room.left === left).slice(0, 1);
  });
}
