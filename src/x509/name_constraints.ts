/**
 * Name constraints (RFC 5280 sections 4.2.1.10 and 6.1): which names may stand
 * below an authority.
 *
 * Invariant: below an authority with constraints no name of a constrained form
 * passes that is not seen to be inside one of the permitted subtrees and outside
 * all of the excluded ones. What cannot be compared is refused.
 *
 * @module
 */
import type { Reader } from "../codec/der.ts";
import { err, ok, type Result } from "../core/result.ts";
import { emailsOf } from "./distinguished_name.ts";
import { directoryName, emailName, type GeneralName, maxNames, readSubtree } from "./general_name.ts";

export interface NameConstraints {
  readonly permitted: readonly GeneralName[];
  readonly excluded: readonly GeneralName[];
}

/** What of a certificate its issuers' constraints are about. */
export interface Named {
  readonly subject: { readonly bytes: Uint8Array };
  readonly extensions: {
    readonly alternativeNames?: readonly GeneralName[];
    readonly nameConstraints?: NameConstraints;
  };
}

/** `at` and `by` count along the path. */
export type NameConstraintError =
  | { readonly kind: "name-not-permitted"; readonly at: number; readonly by: number }
  | { readonly kind: "comparisons-too-many"; readonly limit: number };

export function readNameConstraints(reader: Reader): NameConstraints {
  return reader.sequence((inside) => {
    const permitted = inside.optional(permittedTag, (it) => it.constructed(permittedTag, readSubtrees)) ?? [];
    const excluded = inside.optional(excludedTag, (it) => it.constructed(excludedTag, readSubtrees)) ?? [];
    const count = permitted.length + excluded.length;
    return count > 0 && count <= maxNames ? { permitted, excluded } : inside.fail("value-refused");
  });
}

/**
 * Holds every certificate's names against the constraints of all above it.
 *
 * @param path - leaf first, the anchor last
 * @param exempt - whether the one at that place is an authority that issued itself, which no constraint is about
 */
export function checkNames(
  path: readonly Named[],
  exempt: (at: number) => boolean,
): Result<undefined, NameConstraintError> {
  let left = maxComparisons;
  for (const [by, { extensions }] of path.entries()) {
    const { nameConstraints } = extensions;
    if (nameConstraints === undefined) continue;
    for (const [at, below] of path.slice(0, by).entries()) {
      if (exempt(at)) continue;
      const names = namesOf(below);
      left -= names.length * (nameConstraints.permitted.length + nameConstraints.excluded.length);
      if (left < 0) return err({ kind: "comparisons-too-many", limit: maxComparisons });
      if (!names.every((name) => isPermitted(name, nameConstraints)))
        return err({ kind: "name-not-permitted", at, by });
    }
  }
  return ok(undefined);
}

/** The subject, unless it is empty, its mail addresses, and the alternatives. */
function namesOf({ subject, extensions }: Named): readonly GeneralName[] {
  const { alternativeNames = [] } = extensions;
  const directory = directoryName(subject.bytes);
  const emails = emailsOf(subject.bytes).map(emailName);
  return [...(directory.key === "" ? [] : [directory]), ...emails, ...alternativeNames];
}

function isPermitted(name: GeneralName, { permitted, excluded }: NameConstraints): boolean {
  const allowed = permitted.filter(({ form }) => form === name.form);
  const forbidden = excluded.filter(({ form }) => form === name.form);
  return (
    (allowed.length === 0 || allowed.some((subtree) => isInside(name, subtree))) &&
    forbidden.every((subtree) => isOutside(name, subtree))
  );
}

function isInside(name: GeneralName, subtree: GeneralName): boolean {
  return name.key !== undefined && subtree.key !== undefined && name.key.startsWith(subtree.key);
}

/** A wildcard is outside only where everything that it may stand for is. */
function isOutside({ key, reach }: GeneralName, subtree: GeneralName): boolean {
  if (key === undefined || subtree.key === undefined || key.startsWith(subtree.key)) return false;
  return reach === undefined || !subtree.key.startsWith(reach);
}

/** With the minimum that is the default, which DER leaves out, and no maximum: RFC 5280 allows nothing else. */
function readSubtrees(reader: Reader): readonly GeneralName[] {
  const subtrees: GeneralName[] = [];
  while (!reader.done) subtrees.push(reader.sequence(readSubtree));
  return subtrees.length > 0 ? subtrees : reader.fail("value-refused");
}

/** `[0]` and `[1] IMPLICIT GeneralSubtrees`. */
const permittedTag = 0xa0;
const excludedTag = 0xa1;

/** Names held against subtrees, for a whole path: some milliseconds, even where all keys are as long as they may be. */
const maxComparisons = 10_000;
