/**
 * What a command that succeeded is answered.
 *
 * @module
 */
import type { BlockState, InfoForm, LockState, Named, Success, UnikernelStatus } from "../core/command.ts";
import { unreachable } from "../core/result.ts";
import type { Image, UnikernelInfo } from "../core/unikernel.ts";
import type { Reader } from "./der.ts";
import {
  boolean,
  type Der,
  explicit,
  integer,
  nul,
  octets,
  octetsToCome,
  sequence,
  sequenceOf,
  text,
} from "./der_writer.ts";
import { readExplanation, writeExplanation } from "./explanation.ts";
import { readStatus, writeStatus } from "./happening.ts";
import { readInfo, writeInfo } from "./info.ts";
import { readName, writeName } from "./name.ts";
import { readNatural } from "./number.ts";
import { readPolicy, writePolicy } from "./policy.ts";
import { readGeneralizedTime, writeGeneralizedTime } from "./time.ts";

export function readSuccess(reader: Reader): Success {
  return reader.choice(successes);
}

export function writeSuccess(success: Success): Der {
  switch (success.kind) {
    case "empty":
      return explicit(0, nul);
    case "string":
      return explicit(1, text(success.text));
    case "policies":
      return explicit(
        2,
        sequenceOf(success.policies, (item) => writeNamed(item, [writePolicy(item.value)])),
      );
    case "block-devices":
      return explicit(
        4,
        sequenceOf(success.devices, (item) => writeNamed(item, [integer(item.value.size), boolean(item.value.active)])),
      );
    case "unikernel-image":
      return explicit(imageTag, writeImage(success.image));
    case "old-block-device-image":
      return explicit(7, writeImage(success.image));
    case "block-device-image":
      return explicit(10, boolean(success.compressed));
    case "unikernels":
      return explicit(
        infoTags[success.form],
        sequenceOf(success.unikernels, (item) => writeNamed(item, [writeInfo(item.value, success.form)])),
      );
    case "consoles":
      return explicit(12, sequenceOf(success.names, writeName));
    case "statuses":
      return explicit(
        16,
        sequenceOf(success.unikernels, (item) => writeNamed(item, writeLife(item.value))),
      );
    case "explanation":
      return explicit(17, writeExplanation(success.explanation));
    case "locks":
      return explicit(
        18,
        sequenceOf(success.locks, (item) => writeNamed(item, writeLock(item.value))),
      );
    default:
      return unreachable(success);
  }
}

/** An image of so many bytes that are not at hand. */
export function writeImageToCome(compressed: boolean, length: number): Der {
  return explicit(imageTag, sequence(boolean(compressed), octetsToCome(length)));
}

/** Entries of `SEQUENCE OF SEQUENCE { name Name, … }`. */
function readNamed<T>(reader: Reader, read: (inside: Reader) => T): readonly Named<T>[] {
  return reader.sequenceOf((item) => item.sequence((inside) => ({ name: readName(inside), value: read(inside) })));
}

function writeNamed(item: Named<unknown>, fields: readonly Der[]): Der {
  return sequence(writeName(item.name), ...fields);
}

function readBlockState(reader: Reader): BlockState {
  return { size: readNatural(reader), active: reader.boolean() };
}

function readImage(reader: Reader): Image {
  return reader.sequence((inside) => ({ compressed: inside.boolean(), bytes: inside.octets() }));
}

function writeImage(image: Image): Der {
  return sequence(boolean(image.compressed), octets(image.bytes));
}

/** Ours: info, phase UTF8String, failures Int, lastExit [0] OPTIONAL (see happening). */
function readLife(reader: Reader): UnikernelStatus {
  const info = readInfo(reader, "current");
  const name = reader.utf8();
  const phase = phases.find((known) => known === name) ?? reader.fail("value-refused");
  const failures = readNatural(reader);
  const lastExit = reader.optionalExplicit(0, readStatus);
  return lastExit === undefined ? { info, phase, failures } : { info, phase, failures, lastExit };
}

function writeLife({ info, phase, failures, lastExit }: UnikernelStatus): readonly Der[] {
  const exit = lastExit === undefined ? [] : [explicit(0, writeStatus(lastExit))];
  return [writeInfo(info, "current"), text(phase), integer(failures), ...exit];
}

const phases = ["starting", "running", "stopping", "unkillable", "waiting", "held"] as const;

/** Ours: owner Name (a path), since GeneralizedTime. */
function readLock(reader: Reader): LockState {
  return { owner: readName(reader).path, since: readGeneralizedTime(reader) };
}

function writeLock({ owner, since }: LockState): readonly Der[] {
  return [writeName({ path: owner }), writeGeneralizedTime(since)];
}

function unikernels(form: InfoForm): (reader: Reader) => Success {
  const read = (reader: Reader): UnikernelInfo => readInfo(reader, form);
  return (reader) => ({ kind: "unikernels", form, unikernels: readNamed(reader, read) });
}

const imageTag = 6;

const infoTags: Readonly<Record<InfoForm, number>> = { old4: 9, old5: 11, current: 13 };

const successes: Readonly<Record<number, (reader: Reader) => Success>> = {
  0: (reader) => reader.null({ kind: "empty" }),
  1: (reader) => ({ kind: "string", text: reader.text() }),
  2: (reader) => ({ kind: "policies", policies: readNamed(reader, readPolicy) }),
  4: (reader) => ({ kind: "block-devices", devices: readNamed(reader, readBlockState) }),
  [imageTag]: (reader) => ({ kind: "unikernel-image", image: readImage(reader) }),
  7: (reader) => ({ kind: "old-block-device-image", image: readImage(reader) }),
  9: unikernels("old4"),
  10: (reader) => ({ kind: "block-device-image", compressed: reader.boolean() }),
  11: unikernels("old5"),
  12: (reader) => ({ kind: "consoles", names: reader.sequenceOf(readName) }),
  13: unikernels("current"),
  16: (reader) => ({ kind: "statuses", unikernels: readNamed(reader, readLife) }),
  17: (reader) => ({ kind: "explanation", explanation: readExplanation(reader) }),
  18: (reader) => ({ kind: "locks", locks: readNamed(reader, readLock) }),
};
