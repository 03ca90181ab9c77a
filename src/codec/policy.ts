/**
 * Policies on the wire and, alone, in the daemon's store.
 *
 * @module
 */
import { type Policy, sortedSet } from "../core/policy.ts";
import type { Result } from "../core/result.ts";
import { compareBytes } from "./bytes.ts";
import { type DerError, decodeDer, type Reader, tags } from "./der.ts";
import { type Der, encodeDer, integer, sequence, sequenceOf, text } from "./der_writer.ts";
import { readCount, readNatural, writeCount } from "./number.ts";
import { encodeText } from "./text.ts";

export function encodePolicy(policy: Policy): Uint8Array {
  return encodeDer(writePolicy(policy));
}

export function decodePolicy(bytes: Uint8Array): Result<Policy, DerError> {
  return decodeDer(bytes, readPolicy);
}

export function readPolicy(reader: Reader): Policy {
  return reader.sequence((inside) => {
    const cpuids = sortedSet(inside.sequenceOf(readNatural));
    const unikernels = readCount(inside);
    const memory = readNatural(inside);
    const block = inside.optional(tags.integer, readNatural);
    const bridges = sortedSet(inside.sequenceOf((item) => item.text()));
    return { unikernels, cpuids, memory, ...(block === undefined ? {} : { block }), bridges };
  });
}

export function writePolicy(policy: Policy): Der {
  // The wire orders by bytes, a sorted array of strings by UTF-16 code units.
  const bridges = policy.bridges.toSorted((a, b) => compareBytes(encodeText(a), encodeText(b)));
  return sequence(
    sequenceOf(policy.cpuids, integer),
    writeCount(policy.unikernels),
    integer(policy.memory),
    policy.block === undefined ? undefined : integer(policy.block),
    sequenceOf(bridges, text),
  );
}
