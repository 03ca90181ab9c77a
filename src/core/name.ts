/**
 * Labels, paths and names: where in the tree of delegations something is.
 *
 * A path is what the delegating certificates spell, one label each; a name is a
 * path and optionally the label of one unikernel or block device in it. `a:b`
 * names `b` below the path `a`, `a:b:` names the path `a:b`: the two never
 * stand for the same thing.
 *
 * @module
 */
import { err, ok, type Result } from "./result.ts";

declare const brand: unique symbol;

/** One certificate's common name: lower case, 1 to 63 of `a-z 0-9 - .`, not led by `-`. */
export type Label = string & { readonly [brand]: "Label" };

/** The labels from the trust anchor downwards; the root path has none. */
export type Path = readonly Label[];

/** A path, or with a label one unikernel or block device at that path. */
export interface Name {
  readonly path: Path;
  readonly label?: Label;
}

export type NameError =
  | { readonly kind: "label-empty" }
  | { readonly kind: "label-too-long"; readonly length: number }
  | { readonly kind: "label-bad-character"; readonly label: string; readonly at: number }
  | { readonly kind: "name-empty" }
  | { readonly kind: "path-too-deep"; readonly depth: number };

export const root: Path = [];

/** Longest label, characters (a DNS label, RFC 1035 section 2.3.4). */
export const maxLabelLength = 63;

/** Most labels of a path. A chain gives at most 8; the rest is room for local names, bounded because walks recurse. */
export const maxDepth = 64;

/**
 * Reads one label, folding it to lower case.
 *
 * The letter-digit-hyphen rule is RFC 1123 section 2.1, widened by `.` and by a trailing `-`.
 */
export function parseLabel(text: string): Result<Label, NameError> {
  if (text === "") return err({ kind: "label-empty" });
  if (text.length > maxLabelLength) return err({ kind: "label-too-long", length: text.length });
  const at = text.startsWith("-") ? 0 : text.search(/[^a-z0-9.-]/i);
  if (at >= 0) return err({ kind: "label-bad-character", label: text, at });
  return ok(text.toLowerCase() as Label);
}

/** Reads `alice:bob`, with or without one leading colon; the empty text is the root path. */
export function parsePath(text: string): Result<Path, NameError> {
  if (text === "") return ok(root);
  const labels = (text.startsWith(":") ? text.slice(1) : text).split(":");
  if (labels.length > maxDepth) return err({ kind: "path-too-deep", depth: labels.length });
  const path: Label[] = [];
  for (const label of labels) {
    const parsed = parseLabel(label);
    if (!parsed.ok) return parsed;
    path.push(parsed.value);
  }
  return ok(path);
}

/** Reads `alice:bob:vm` (a label), `alice:bob:` (a path), `vm` or `:vm` (a label at the root), `:` (the root path). */
export function parseName(text: string): Result<Name, NameError> {
  if (text === "") return err({ kind: "name-empty" });
  const cut = text.lastIndexOf(":");
  const above = text.slice(0, Math.max(cut, 0));
  const path = parsePath(above);
  if (!path.ok) return path;
  const last = text.slice(cut + 1);
  if (last === "") return ok({ path: path.value });
  const label = parseLabel(last);
  return label.ok ? ok({ path: path.value, label: label.value }) : label;
}

/** `alice:bob`; the root path is the empty text. */
export function printPath(path: Path): string {
  return path.join(":");
}

/** As on the wire: always with a colon, so that `:vm` is a label and `vm:` a path. */
export function printName(name: Name): string {
  return `${printPath(name.path)}:${name.label ?? ""}`;
}

/** The name as seen from `path`, which must be at or above it. */
export function relativeTo(path: Path, name: Name): Name {
  return { ...name, path: name.path.slice(path.length) };
}

/** Whether `path` is `above` itself or lies below it. */
export function isWithin(above: Path, path: Path): boolean {
  return above.length <= path.length && above.every((label, index) => label === path[index]);
}

export function sameName(a: Name, b: Name): boolean {
  return a.label === b.label && a.path.length === b.path.length && isWithin(a.path, b.path);
}

/** The order of lists that are not trees, as of albatross's consoles: a path's own before what lies below it, siblings by descending label. For `sort`. */
export function compareListed(a: Name, b: Name): number {
  const common = Math.min(a.path.length, b.path.length);
  const at = a.path.slice(0, common).findIndex((label, index) => label !== b.path[index]);
  if (at >= 0) return descend(a.path[at], b.path[at]);
  return a.path.length - b.path.length || descend(a.label, b.label);
}

function descend(one: Label | undefined, other: Label | undefined): number {
  const [left, right] = [one ?? "", other ?? ""];
  return left === right ? 0 : left < right ? 1 : -1;
}
