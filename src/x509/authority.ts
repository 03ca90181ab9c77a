/**
 * What a verified path allows and asks for: its delegations, its name, its command.
 *
 * The path of names comes from the intermediates that carry a policy, the
 * anchor's end first; one that the CA made without a policy adds nothing.
 *
 * @module
 */
import type { DerError } from "../codec/der.ts";
import { decodeExtension } from "../codec/extension.ts";
import { allowedInLeaf, type ChainRequest, type Command, type Level, subjectOf } from "../core/command.ts";
import { type Label, type NameError, parseLabel } from "../core/name.ts";
import { bothPermit, type Permission } from "../core/permission.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { Certificate } from "./certificate.ts";
import { certificateId } from "./certificate_id.ts";
import type { VerifiedPath } from "./path.ts";

/** A chain's request, but for what follows on its connection. */
export type Authority = Omit<ChainRequest, "imageFollows">;

/** `at` counts along the path: 0 is the leaf. */
export type AuthorityError =
  | { readonly kind: "extension-missing" }
  | { readonly kind: "extension-undecodable"; readonly at: number; readonly error: DerError }
  | { readonly kind: "command-not-allowed"; readonly command: Command["kind"] }
  /** A delegation carries a policy and nothing else. */
  | { readonly kind: "not-a-policy"; readonly at: number; readonly command: Command["kind"] }
  | { readonly kind: "common-name-missing"; readonly at: number }
  | { readonly kind: "common-name-bad"; readonly at: number; readonly error: NameError }
  /** Block devices other than all of them have a name. */
  | { readonly kind: "label-needed"; readonly command: Command["kind"] };

export function readAuthority(path: VerifiedPath): Result<Authority, AuthorityError> {
  const levels: Level[] = [];
  const certificates = [certificateId(path.leaf, path.intermediates[0] ?? path.anchor)];
  let { permissions } = path.leaf.extensions;
  // What one that is no level permits holds for what is below it: the last level that was met, or the leaf.
  const narrow = (permitted: readonly Permission[] | undefined): void => {
    const [below] = levels;
    if (below === undefined) permissions = bothPermit(permissions, permitted);
    else levels[0] = permit(below, bothPermit(below.permissions, permitted));
  };
  for (const [index, certificate] of path.intermediates.entries()) {
    const level = readLevel(certificate, index + 1);
    if (!level.ok) return level;
    const id = certificateId(certificate, path.intermediates[index + 1] ?? path.anchor);
    if (level.value === undefined) certificates.push(id);
    else levels.unshift({ ...level.value, certificate: id });
    narrow(certificate.extensions.permissions);
  }
  narrow(path.anchor.extensions.permissions);
  const command = readCommand(path.leaf);
  if (!command.ok) return command;
  const label = readLeafLabel(path.leaf, command.value);
  if (!label.ok) return label;
  const rest = { leaf: path.leaf.fingerprint, expires: path.notAfter, command: command.value, certificates };
  const request = label.value === undefined ? { levels, ...rest } : { levels, label: label.value, ...rest };
  return ok(permit(request, permissions));
}

function permit<T>(value: T, permissions: readonly Permission[] | undefined): T {
  return permissions === undefined ? value : { ...value, permissions };
}

function readLevel(certificate: Certificate, at: number): Result<Level | undefined, AuthorityError> {
  const { extensions, subject, notBefore, notAfter, fingerprint } = certificate;
  if (extensions.command === undefined) return ok(undefined);
  const command = decodeExtension(extensions.command);
  if (!command.ok) return err({ kind: "extension-undecodable", at, error: command.error });
  if (command.value.kind !== "policy-add") return err({ kind: "not-a-policy", at, command: command.value.kind });
  if (subject.commonName === undefined) return err({ kind: "common-name-missing", at });
  const label = parseLabel(subject.commonName);
  if (!label.ok) return err({ kind: "common-name-bad", at, error: label.error });
  return ok({ label: label.value, policy: command.value.policy, notBefore, notAfter, fingerprint });
}

function readCommand(leaf: Certificate): Result<Command, AuthorityError> {
  if (leaf.extensions.command === undefined) return err({ kind: "extension-missing" });
  const command = decodeExtension(leaf.extensions.command);
  if (!command.ok) return err({ kind: "extension-undecodable", at: 0, error: command.error });
  return allowedInLeaf(command.value) ? command : err({ kind: "command-not-allowed", command: command.value.kind });
}

/** Absent: the path itself is meant. `policy info` is always about the path, but keeps a label, which its reply repeats. */
function readLeafLabel(leaf: Certificate, command: Command): Result<Label | undefined, AuthorityError> {
  const { commonName = "" } = leaf.subject;
  if (pathNames.has(commonName)) {
    return namesBlock(command) ? err({ kind: "label-needed", command: command.kind }) : ok(undefined);
  }
  const label = parseLabel(commonName);
  return label.ok ? label : err({ kind: "common-name-bad", at: 0, error: label.error });
}

function namesBlock(command: Command): boolean {
  switch (subjectOf(command).kind) {
    case "block-add":
    case "block-set":
    case "block-dump":
    case "block-remove":
      return true;
    default:
      return false;
  }
}

/** Common names of a leaf that is about its path; albatross-client writes any of them. */
export const pathNames: ReadonlySet<string> = new Set(["", ".", ":"]);
