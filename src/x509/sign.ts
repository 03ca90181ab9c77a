/**
 * Signing requests: what an authority makes of what it is asked for.
 *
 * Of a request only the name, the key and the command count; the command is
 * encoded anew, in today's form.
 *
 * @module
 */
import { createPublicKey, type KeyObject } from "node:crypto";
import type { DerError } from "../codec/der.ts";
import { decodeExtension, encodeExtension } from "../codec/extension.ts";
import { allowedInLeaf, type Command } from "../core/command.ts";
import { type NameError, parseLabel } from "../core/name.ts";
import { bothPermit, type Permission, permissionOf } from "../core/permission.ts";
import {
  checkUsable,
  excess,
  missing,
  type Policy,
  type PolicyExcess,
  sortedSet,
  type Unusable,
} from "../core/policy.ts";
import { err, ok, type Result } from "../core/result.ts";
import { hostBridge, type Settings } from "../core/unikernel.ts";
import { pathNames } from "./authority.ts";
import { type Certificate, sameBytes } from "./certificate.ts";
import type { SigningRequest } from "./csr.ts";
import { backdating, issueCertificate, type Profile } from "./issue.ts";
import { encodePublicKey } from "./keys.ts";

/** Who signs, when, for how long. */
export interface Signing {
  readonly issuer: Certificate;
  /** Those above the issuer, as far as they are at hand: they may permit less than the issuer's own says. */
  readonly above?: readonly Certificate[];
  readonly issuerKey: KeyObject;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  /** Absent: 365, for a command 1. */
  readonly days?: number;
  /** See `Issuance`. */
  readonly serial: Uint8Array;
}

export interface SignedCertificate {
  readonly der: Uint8Array;
  /** `server` deserves a warning: the request asked for nothing of ours. */
  readonly profile: Profile;
  readonly command?: Command;
  /** Absent: all that those above it permit. */
  readonly permissions?: readonly Permission[];
}

export type SignError =
  | { readonly kind: "issuer-not-authority" }
  | { readonly kind: "issuer-key-differs" }
  | { readonly kind: "issuer-extension-undecodable"; readonly error: DerError }
  | { readonly kind: "common-name-missing" }
  | { readonly kind: "common-name-bad"; readonly error: NameError }
  | { readonly kind: "command-not-allowed"; readonly command: Command["kind"] }
  | { readonly kind: "policy-unusable"; readonly problem: Unusable }
  /** More than the issuer's own policy. */
  | { readonly kind: "policy-exceeded"; readonly excess: PolicyExcess }
  /** Asked for, and not among what the issuer's path permits. */
  | {
      readonly kind: "permission-exceeded";
      readonly asked: readonly Permission[];
      readonly permitted: readonly Permission[];
    }
  /** The command needs what the issuer's path, or the request itself, does not permit. */
  | {
      readonly kind: "command-not-permitted";
      readonly permission: Permission;
      readonly permitted: readonly Permission[];
    };

export function signRequest(request: SigningRequest, signing: Signing): Result<SignedCertificate, SignError> {
  const { issuer, issuerKey, now, serial } = signing;
  const { commonName, publicKey, command, permissions } = request;
  const profile = profileOf(command);
  const problem = checkIssuer(issuer, issuerKey) ?? checkName(commonName, profile);
  if (problem !== undefined) return err(problem);
  const above = policyOf(issuer);
  if (!above.ok) return above;
  const refusal =
    (command === undefined ? undefined : checkCommand(command, above.value)) ??
    checkPermissions(request, permittedTo([issuer, ...(signing.above ?? [])]));
  if (refusal !== undefined) return err(refusal);
  const der = issueCertificate({
    profile,
    publicKey: publicKey.spki,
    issuer,
    issuerKey,
    notBefore: now - backdating,
    notAfter: now + (signing.days ?? defaultDays[profile]) * millisecondsPerDay,
    serial,
    ...(commonName === undefined ? {} : { commonName }),
    ...(command === undefined ? {} : { extension: encodeExtension(command) }),
    ...(permissions === undefined ? {} : { permissions }),
  });
  const asked = permissions === undefined ? {} : { permissions };
  return ok(command === undefined ? { der, profile, ...asked } : { der, profile, command, ...asked });
}

function profileOf(command: Command | undefined): Profile {
  if (command === undefined) return "server";
  return command.kind === "policy-add" ? "authority" : "client";
}

function checkIssuer(issuer: Certificate, key: KeyObject): SignError | undefined {
  const { basicConstraints, keyUsage } = issuer.extensions;
  if (basicConstraints?.ca !== true || keyUsage?.keyCertSign !== true) return { kind: "issuer-not-authority" };
  const own = encodePublicKey(createPublicKey(key));
  return sameBytes(own, issuer.publicKey.spki) ? undefined : { kind: "issuer-key-differs" };
}

/** A delegate's name must be a label; a leaf's may also say that the path is meant; a server's may be anything. */
function checkName(commonName: string | undefined, profile: Profile): SignError | undefined {
  if (profile === "client" && (commonName === undefined || pathNames.has(commonName))) return undefined;
  if (commonName === undefined) return { kind: "common-name-missing" };
  const label = parseLabel(commonName);
  return label.ok || profile === "server" ? undefined : { kind: "common-name-bad", error: label.error };
}

function policyOf(issuer: Certificate): Result<Policy | undefined, SignError> {
  if (issuer.extensions.command === undefined) return ok(undefined);
  const command = decodeExtension(issuer.extensions.command);
  if (!command.ok) return err({ kind: "issuer-extension-undecodable", error: command.error });
  return ok(command.value.kind === "policy-add" ? command.value.policy : undefined);
}

function checkCommand(command: Command, above: Policy | undefined): SignError | undefined {
  if (command.kind === "policy-add") {
    const usable = checkUsable(command.policy);
    return usable.ok ? checkPolicy(command.policy, above) : { kind: "policy-unusable", problem: usable.error };
  }
  if (!allowedInLeaf(command)) return { kind: "command-not-allowed", command: command.kind };
  if (command.kind === "unikernel-create") return checkPolicy(asPolicy(command.config), above);
  return undefined;
}

/** What a path of certificates permits together. */
function permittedTo(path: readonly Certificate[]): readonly Permission[] | undefined {
  return path.map(({ extensions }) => extensions.permissions).reduce(bothPermit, undefined);
}

/** A delegate's own command, its policy, is its issuer's: only what it may do itself is looked at. */
function checkPermissions(
  { command, permissions }: SigningRequest,
  above: readonly Permission[] | undefined,
): SignError | undefined {
  const excess = above && permissions ? missing(permissions, above) : [];
  if (above !== undefined && excess.length > 0) return { kind: "permission-exceeded", asked: excess, permitted: above };
  const permitted = bothPermit(above, permissions);
  const needed = command === undefined || command.kind === "policy-add" ? undefined : permissionOf(command);
  if (permitted === undefined || needed === undefined || permitted.includes(needed)) return undefined;
  return { kind: "command-not-permitted", permission: needed, permitted };
}

function checkPolicy(policy: Policy, above: Policy | undefined): SignError | undefined {
  const found = above === undefined ? undefined : excess(policy, above);
  return found === undefined ? undefined : { kind: "policy-exceeded", excess: found };
}

/** The least policy under which the unikernel may run. */
function asPolicy({ cpuids, memory, bridges }: Settings): Policy {
  return { unikernels: 1, cpuids, memory, bridges: sortedSet(bridges.map(hostBridge)) };
}

/** Days of validity, as albatross. */
const defaultDays: Readonly<Record<Profile, number>> = { authority: 365, client: 1, server: 365 };

const millisecondsPerDay = 24 * 60 * 60 * 1000;
