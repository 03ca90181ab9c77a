/**
 * Revoked certificates: the newest revocation list of each authority that ever
 * had one, and what they say of a chain.
 *
 * Invariant: of one authority's lists the number never falls. Once there is a
 * list of it, what it signed is taken only while that list is fresh, or stale
 * lists are let pass on purpose.
 *
 * @module
 */
import type { Path } from "./name.ts";
import { descending, insert, lookup, type OrderedMap } from "./ordered_map.ts";
import { crowded } from "./quota.ts";
import type { Refusal, Whose } from "./refusal.ts";
import { err, ok, type Result } from "./result.ts";

/** A certificate, as lists know it. */
export interface CertificateId {
  /** Its authority: SHA-256 of name and key, hexadecimal. */
  readonly issuer: string;
  /** Its serial number's bytes, hexadecimal. */
  readonly serial: string;
}

export interface RevocationList {
  /** Whose it is, as in `CertificateId`. */
  readonly authority: string;
  /** The authority's name, for people. */
  readonly issuer: string;
  readonly number: bigint;
  /** SHA-256 of the list, hexadecimal. */
  readonly digest: string;
  /** When a newer one is to be there, ms since the Unix epoch. */
  readonly nextUpdate: number;
  /** Looked up where the list lies: when it revoked the serial number, ms since the Unix epoch, if it did. */
  readonly revokedAt: (serial: string) => number | undefined;
}

/** A list, and the path of the authority as far as it is known: whose room it takes. */
export interface KeptList {
  readonly path: Path;
  readonly list: RevocationList;
}

export interface RevocationRules {
  /** What becomes of chains whose authority has not renewed its list in time. */
  readonly stale: "refuse" | "accept";
  /** Milliseconds after the next update that a list still counts as fresh. */
  readonly grace: number;
  /** Whether what runs below a revoked delegation is stopped and held. */
  readonly stop: boolean;
}

export interface Revocation {
  readonly rules: RevocationRules;
  /** By authority. */
  readonly lists: OrderedMap<string, KeptList>;
}

/** RFC 5280 section 6.3.3: a status that is not known is not good. What runs is let be. */
export const usualRules: RevocationRules = { stale: "refuse", grace: 0, stop: false };

/** One certificate of a chain, and whose it is. */
export interface Link {
  readonly whose: Whose;
  readonly certificate: CertificateId | undefined;
}

/**
 * Why a chain is not taken, if it is not: the first of its certificates that is revoked, or whose authority's list is
 * stale. Costs a look into one list for each certificate.
 *
 * @param now - ms since the Unix epoch
 */
export function checkRevoked({ rules, lists }: Revocation, links: Iterable<Link>, now: number): Refusal | undefined {
  if (lists === undefined) return undefined;
  for (const { whose, certificate } of links) {
    const list = certificate && lookup(lists, certificate.issuer)?.list;
    if (certificate === undefined || list === undefined) continue;
    const refusal = revokedBy(list, whose, certificate.serial);
    if (refusal !== undefined) return refusal;
    const { issuer, number, nextUpdate } = list;
    if (rules.stale === "refuse" && now > nextUpdate + rules.grace) {
      return { kind: "revocations-stale", issuer, number, nextUpdate };
    }
  }
  return undefined;
}

/** Why the certificate does not count, if its authority has revoked it. */
export function findRevocation(
  { lists }: Revocation,
  path: Path,
  certificate: CertificateId | undefined,
): Refusal | undefined {
  const list = certificate && lookup(lists, certificate.issuer)?.list;
  return list && certificate && revokedBy(list, { kind: "delegate", path }, certificate.serial);
}

/**
 * The lists with a newer one in the place of its authority's.
 *
 * @param path - of the authority; the root's where the host's own people brought the list
 * @returns undefined where it is the one that is there
 */
export function putList(
  revocation: Revocation,
  path: Path,
  list: RevocationList,
): Result<Revocation | undefined, Refusal> {
  const { lists } = revocation;
  const { authority, issuer, number, digest } = list;
  const known = lookup(lists, authority);
  if (known !== undefined && number <= known.list.number) {
    if (number === known.list.number && digest === known.list.digest) return ok(undefined);
    return err({ kind: "revocations-older", issuer, number, known: known.list.number });
  }
  const limit =
    known === undefined
      ? crowded(
          descending(lists).map(([, one]) => one.path),
          path,
          maxLists,
        )
      : undefined;
  if (limit !== undefined) return err({ kind: "too-many-lists", path, limit });
  return ok({ ...revocation, lists: insert(lists, authority, { path: known?.path ?? path, list }) });
}

function revokedBy({ issuer, number, revokedAt }: RevocationList, whose: Whose, serial: string): Refusal | undefined {
  const time = revokedAt(serial);
  return time === undefined ? undefined : { kind: "certificate-revoked", whose, serial, time, issuer, number };
}

/**
 * Lists kept, of at most half a megabyte each, that no one of a delegate's can crowd another out: for one path (an
 * authority that was given new keys has several), for all below a delegate of the second level, of the first.
 */
const maxLists = { own: 8, second: 16, first: 64, root: 1000 } as const;
