/**
 * What the daemon's store keeps: DER in the protocol's own forms.
 *
 * @module
 */

import type { Policy } from "../core/policy.ts";
import type { Result } from "../core/result.ts";
import type { StoredUnikernel } from "../core/state.ts";
import { readConfig, writeConfig } from "./config.ts";
import { type DerError, decodeDer } from "./der.ts";
import { encodeDer, octets, sequence } from "./der_writer.ts";
import { readPolicy, writePolicy } from "./policy.ts";
import { readGeneralizedTime, writeGeneralizedTime } from "./time.ts";

/** A policy in force; `notBefore` in ms since the Unix epoch. */
export interface StoredGrant {
  readonly policy: Policy;
  readonly notBefore: number;
}

export function encodeGrant({ policy, notBefore }: StoredGrant): Uint8Array {
  return encodeDer(sequence(writePolicy(policy), writeGeneralizedTime(notBefore)));
}

export function decodeGrant(bytes: Uint8Array): Result<StoredGrant, DerError> {
  return decodeDer(bytes, (reader) =>
    reader.sequence((inside) => ({ policy: readPolicy(inside), notBefore: readGeneralizedTime(inside) })),
  );
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
