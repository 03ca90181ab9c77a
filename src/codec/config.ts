/**
 * A unikernel's configuration on the wire: the current form, written and read,
 * and the two older ones that commands still come in, read only.
 *
 * @module
 */
import { sortedSet } from "../core/policy.ts";
import type { Result } from "../core/result.ts";
import type { FailBehaviour, Image, Settings, Typ, UnikernelConfig } from "../core/unikernel.ts";
import { type DerError, decodeDer, type Reader, tags } from "./der.ts";
import {
  boolean,
  type Der,
  encodeDer,
  explicit,
  integer,
  nul,
  octets,
  optionalExplicit,
  sequence,
  sequenceOf,
  setOf,
  text,
} from "./der_writer.ts";
import { readBlocks, readBridges, writeBlocks, writeBridges } from "./device.ts";
import { readNatural } from "./number.ts";

/** A unikernel to be: what it is asked to be, and the image that came with it. */
export interface Unikernel {
  readonly config: UnikernelConfig;
  readonly image: Image;
}

/**
 * The forms of Config and of Arguments: 5 is today's; 4 has one CPU and ends after the arguments;
 * 3 also lacks startup and addName (ConfigV3 goes with ArgumentsV0, ConfigV4 with ArgumentsV1).
 */
export type ConfigForm = 3 | 4 | 5;

export function encodeConfig(config: UnikernelConfig, image: Image): Uint8Array {
  return encodeDer(writeConfig(config, image));
}

/** Reads the current form. The image is a view into `bytes`. */
export function decodeConfig(bytes: Uint8Array): Result<Unikernel, DerError> {
  return decodeDer(bytes, (reader) => readConfig(reader, 5));
}

export function readConfig(reader: Reader, form: ConfigForm): Unikernel {
  return reader.sequence((inside) => {
    const typ = readTyp(inside);
    const compressed = inside.boolean();
    const bytes = inside.octets();
    const start = readStart(inside, form);
    const failBehaviour = readFailBehaviour(inside);
    return { config: { typ, failBehaviour, ...start, ...readResources(inside, form) }, image: { compressed, bytes } };
  });
}

export function writeConfig(config: UnikernelConfig, image: Image): Der {
  return sequence(
    writeTyp(config.typ),
    boolean(image.compressed),
    octets(image.bytes),
    ...writeStart(config),
    writeFailBehaviour(config.failBehaviour),
    ...writeResources(config),
  );
}

/** Arguments: the settings without the image, in another order. */
export function readSettings(reader: Reader, form: ConfigForm): Settings {
  return reader.sequence((inside) => {
    const failBehaviour = readFailBehaviour(inside);
    const start = readStart(inside, form);
    return { failBehaviour, ...start, ...readResources(inside, form) };
  });
}

export function writeSettings(settings: Settings): Der {
  return sequence(writeFailBehaviour(settings.failBehaviour), ...writeStart(settings), ...writeResources(settings));
}

export function readTyp(reader: Reader): Typ {
  return reader.choice(typs);
}

export function writeTyp(typ: Typ): Der {
  return explicit(typ === "solo5" ? 0 : 1, nul);
}

export function readFailBehaviour(reader: Reader): FailBehaviour {
  return reader.choice(failBehaviours);
}

export function writeFailBehaviour(behaviour: FailBehaviour): Der {
  return behaviour.kind === "quit" ? explicit(0, nul) : explicit(1, setOf(behaviour.codes, integer));
}

/** SET OF Int: a set for us too, ascending. */
export function readCpuids(reader: Reader): readonly number[] {
  return sortedSet(reader.setOf(readNatural));
}

/** `[n] SEQUENCE OF UTF8String OPTIONAL`: absent and empty are two things. */
export function readTexts(reader: Reader, n: number): readonly string[] | undefined {
  return reader.optionalExplicit(n, (inside) => inside.sequenceOf((item) => item.text()));
}

export function writeTexts(n: number, texts: readonly string[] | undefined): Der | undefined {
  return optionalExplicit(n, texts, (present) => sequenceOf(present, text));
}

function readStart(reader: Reader, form: ConfigForm): Pick<Settings, "startup" | "addName"> {
  if (form === 3) return { addName: true };
  const startup = reader.optional(tags.integer, (inside) => inside.integer());
  return { ...(startup === undefined ? {} : { startup }), addName: reader.boolean() };
}

function writeStart(settings: Settings): readonly (Der | undefined)[] {
  return [settings.startup === undefined ? undefined : integer(settings.startup), boolean(settings.addName)];
}

function readResources(reader: Reader, form: ConfigForm): Omit<Settings, "startup" | "addName" | "failBehaviour"> {
  const cpuids = form === 5 ? readCpuids(reader) : [readNatural(reader)];
  const memory = readNatural(reader);
  const blocks = readBlocks(reader);
  const bridges = readBridges(reader);
  const args = readTexts(reader, 2);
  const cpus = form === 5 ? reader.optionalExplicit(3, readNatural) : undefined;
  const partition = form === 5 ? reader.optionalExplicit(4, (inside) => inside.text()) : undefined;
  return {
    cpuids,
    memory,
    blocks,
    bridges,
    ...(args === undefined ? {} : { arguments: args }),
    cpus: cpus ?? 1,
    ...(partition === undefined ? {} : { linuxBootPartition: partition }),
  };
}

function writeResources(settings: Settings): readonly (Der | undefined)[] {
  return [
    setOf(settings.cpuids, integer),
    integer(settings.memory),
    writeBlocks(settings.blocks),
    writeBridges(settings.bridges),
    writeTexts(2, settings.arguments),
    explicit(3, integer(settings.cpus)),
    optionalExplicit(4, settings.linuxBootPartition, text),
  ];
}

const typs: Readonly<Record<number, (reader: Reader) => Typ>> = {
  0: (reader) => reader.null("solo5"),
  1: (reader) => reader.null("bhyve"),
};

const failBehaviours: Readonly<Record<number, (reader: Reader) => FailBehaviour>> = {
  0: (reader) => reader.null({ kind: "quit" }),
  1: (reader) => ({ kind: "restart", codes: sortedSet(reader.setOf((item) => item.integer())) }),
};
