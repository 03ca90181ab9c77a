/**
 * albatross's state file: the policies and the unikernels of a host, images included.
 *
 * Seven encodings are read and one is written, the current. In it entries are
 * in pre-order, siblings in ascending byte order, and so they are here,
 * whatever order a file had.
 *
 * @module
 */
import type { Named } from "../core/command.ts";
import { type Label, maxDepth, type Name, printName } from "../core/name.ts";
import type { Policy } from "../core/policy.ts";
import type { Result } from "../core/result.ts";
import { readConfig, type Unikernel, writeConfig } from "./config.ts";
import { type DerError, decodeDer, type Reader } from "./der.ts";
import { encodeDer, explicit, sequence, sequenceOf } from "./der_writer.ts";
import { readName, writeName } from "./name.ts";
import { readConfigV0, readConfigV1, readConfigV2 } from "./old_config.ts";
import { readPolicy, writePolicy } from "./policy.ts";

/** No name is twice in a list. */
export interface HostState {
  readonly unikernels: readonly Named<Unikernel>[];
  /** Names without labels: the paths that the policies hold for. */
  readonly policies: readonly Named<Policy>[];
}

/** Reads any of the seven. Images are views into `bytes`. */
export function decodeState(bytes: Uint8Array): Result<HostState, DerError> {
  return decodeDer(bytes, (reader) => reader.choice(encodings));
}

/** Writes the current encoding. */
export function encodeState({ unikernels, policies }: HostState): Uint8Array {
  return encodeDer(
    explicit(
      current,
      sequence(
        sequenceOf(inOrder(unikernels), ({ name, value }) =>
          sequence(writeName(name), writeConfig(value.config, value.image)),
        ),
        sequenceOf(inOrder(policies), ({ name, value }) => sequence(writeName(name), writePolicy(value))),
      ),
    ),
  );
}

function readUnikernels(reader: Reader, readOne: (reader: Reader) => Unikernel): HostState["unikernels"] {
  return readList(reader, (inside) => ({ name: readName(inside), value: readOne(inside) }));
}

/** A policy holds for a path, also where a file spells that path as the name of a unikernel. */
function readPolicies(reader: Reader): HostState["policies"] {
  return readList(reader, (inside) => {
    const path = labelsOf(readName(inside));
    if (path.length > maxDepth) inside.fail("name-malformed");
    return { name: { path }, value: readPolicy(inside) };
  });
}

function readList<T>(reader: Reader, read: (inside: Reader) => Named<T>): readonly Named<T>[] {
  const seen = new Set<string>();
  const items = reader.sequenceOf((item) => {
    const one = item.sequence(read);
    const name = printName(one.name);
    if (seen.has(name)) item.fail("name-repeated");
    seen.add(name);
    return one;
  });
  return inOrder(items);
}

function withoutPolicies(readOne: (reader: Reader) => Unikernel): (reader: Reader) => HostState {
  return (reader) => ({ unikernels: readUnikernels(reader, readOne), policies: [] });
}

function withPolicies(readOne: (reader: Reader) => Unikernel): (reader: Reader) => HostState {
  return (reader) =>
    reader.sequence((inside) => ({
      unikernels: readUnikernels(inside, readOne),
      policies: readPolicies(inside),
    }));
}

function inOrder<T>(items: readonly Named<T>[]): readonly Named<T>[] {
  return items.toSorted((a, b) => compareNames(a.name, b.name));
}

/** Label by label, what is above first; code units of labels order as their bytes. */
function compareNames(a: Name, b: Name): number {
  const [left, right] = [labelsOf(a), labelsOf(b)];
  for (const [index, label] of left.entries()) {
    const other = right[index];
    if (other === undefined) return 1;
    if (label !== other) return label < other ? -1 : 1;
  }
  return left.length - right.length || (a.label === undefined ? 0 : 1) - (b.label === undefined ? 0 : 1);
}

function labelsOf({ path, label }: Name): readonly Label[] {
  return label === undefined ? path : [...path, label];
}

/** The tag of the encoding that albatross 2.7.2 writes. */
const current = 6;

const encodings: Readonly<Record<number, (reader: Reader) => HostState>> = {
  0: withoutPolicies(readConfigV1),
  1: withoutPolicies(readConfigV0),
  2: withoutPolicies(readConfigV2),
  3: withoutPolicies((reader) => readConfig(reader, 3)),
  4: withPolicies((reader) => readConfig(reader, 3)),
  5: withPolicies((reader) => readConfig(reader, 4)),
  [current]: withPolicies((reader) => readConfig(reader, 5)),
};
