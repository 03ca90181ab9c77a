/**
 * What the daemon's store keeps: DER in the protocol's own forms.
 *
 * @module
 */

import type { Lock } from "../core/lock.ts";
import { type NameError, type Path, parsePath, printPath } from "../core/name.ts";
import type { Memory } from "../core/past.ts";
import type { Policy } from "../core/policy.ts";
import { ok, type Result } from "../core/result.ts";
import type { CertificateId } from "../core/revocation.ts";
import type { StoredUnikernel } from "../core/state.ts";
import { readCertificateId, writeCertificateId } from "./certificate_id.ts";
import { readConfig, writeConfig } from "./config.ts";
import { type DerError, decodeDer } from "./der.ts";
import { encodeDer, octets, optionalExplicit, sequence } from "./der_writer.ts";
import { readName, writeName } from "./name.ts";
import { readPolicy, writePolicy } from "./policy.ts";
import { readGeneralizedTime, writeGeneralizedTime } from "./time.ts";

/** A policy in force; `notBefore` in ms since the Unix epoch. */
export interface StoredGrant {
  readonly policy: Policy;
  readonly notBefore: number;
  readonly certificate?: CertificateId | undefined;
}

export function encodeGrant({ policy, notBefore, certificate }: StoredGrant): Uint8Array {
  const from = optionalExplicit(1, certificate, writeCertificateId);
  return encodeDer(sequence(writePolicy(policy), writeGeneralizedTime(notBefore), from));
}

export function decodeGrant(bytes: Uint8Array): Result<StoredGrant, DerError> {
  return decodeDer(bytes, (reader) =>
    reader.sequence((inside) => {
      const policy = readPolicy(inside);
      const notBefore = readGeneralizedTime(inside);
      return { policy, notBefore, certificate: inside.optionalExplicit(1, readCertificateId) };
    }),
  );
}

/** Its path is the key. */
export function encodeLock({ owner, since }: Lock): Uint8Array {
  return encodeDer(sequence(writeName({ path: owner }), writeGeneralizedTime(since)));
}

export function decodeLock(path: Path, bytes: Uint8Array): Result<Lock, DerError> {
  return decodeDer(bytes, (reader) =>
    reader.sequence((inside) => ({ path, owner: readName(inside).path, since: readGeneralizedTime(inside) })),
  );
}

/** A revocation list, and the path of its authority. */
export interface StoredCrl {
  readonly path: Path;
  readonly crl: Uint8Array;
}

export function encodeCrl({ path, crl }: StoredCrl): Uint8Array {
  return encodeDer(sequence(writeName({ path }), octets(crl)));
}

export function decodeCrl(bytes: Uint8Array): Result<StoredCrl, DerError> {
  return decodeDer(bytes, (reader) =>
    reader.sequence((inside) => ({ path: readName(inside).path, crl: inside.octets() })),
  );
}

/** What a memory of policies that went is stored under: its path, and for a floor all below that. */
export function pastKey({ path, kind }: Memory): string {
  return kind === "own" ? printPath(path) : `${printPath(path)}${below}`;
}

export function encodePast(time: number): Uint8Array {
  return encodeDer(writeGeneralizedTime(time));
}

export function decodePast(key: string, bytes: Uint8Array): Result<Memory, NameError | DerError> {
  const kind = key.endsWith(below) ? "floor" : "own";
  const path = parsePath(kind === "floor" ? key.slice(0, -below.length) : key);
  if (!path.ok) return path;
  const time = decodeDer(bytes, readGeneralizedTime);
  return time.ok ? ok({ path: path.value, kind, time: time.value }) : time;
}

/** The image stays where it is: the record names it by its digest. */
export function encodeUnikernel({ config, digest }: StoredUnikernel): Uint8Array {
  const image = { compressed: false, bytes: new Uint8Array(0) };
  return encodeDer(sequence(writeConfig(config, image), octets(digest)));
}

export function decodeUnikernel(bytes: Uint8Array): Result<StoredUnikernel, DerError> {
  return decodeDer(bytes, (reader) =>
    reader.sequence((inside) => ({ config: readConfig(inside, 5).config, digest: inside.octets().slice() })),
  );
}

/** No label has a star. */
const below = ":*";
