/**
 * A unikernel's configuration as albatross's first three state files have it: read, never written.
 *
 * What they do not say is what albatross takes for it: one CPU, no place in the
 * start-up order, the name put before the arguments.
 *
 * @module
 */
import type { BlockAttachment, BridgeAttachment, Image, UnikernelConfig } from "../core/unikernel.ts";
import { readFailBehaviour, readTexts, readTyp, type Unikernel } from "./config.ts";
import { type Reader, tags } from "./der.ts";
import { readNatural } from "./number.ts";

/** Block devices are names; bridges (ConfigV2) may be other than the devices on them. */
export function readConfigV2(reader: Reader): Unikernel {
  return readConfigWith(reader, (inside) =>
    inside.sequenceOf((item) =>
      item.sequence((one) => {
        const netif = one.text();
        const bridge = one.optional(tags.utf8String, (name) => name.text());
        return { netif, ...(bridge === undefined ? {} : { bridge }) };
      }),
    ),
  );
}

/** Bridges too are names. */
export function readConfigV1(reader: Reader): Unikernel {
  return readConfigWith(reader, (inside) => inside.setOf((item) => ({ netif: item.text() })));
}

/** Members in another order, at most one block device, and an image that says what it is for. */
export function readConfigV0(reader: Reader): Unikernel {
  return reader.sequence((inside) => {
    const cpu = readNatural(inside);
    const memory = readNatural(inside);
    const block = inside.optional(tags.utf8String, (name) => name.text());
    const networks = inside.optional(tags.sequence, readNames);
    const image = inside.choice(images);
    const words = inside.optional(tags.sequence, readNames);
    return {
      config: {
        ...assumed,
        typ: "solo5",
        failBehaviour: { kind: "quit" },
        cpuids: [cpu],
        memory,
        blocks: block === undefined ? [] : [{ name: block }],
        bridges: (networks ?? []).map((netif) => ({ netif })),
        ...(words === undefined ? {} : { arguments: words }),
      },
      image,
    };
  });
}

function readConfigWith(reader: Reader, readBridges: (inside: Reader) => readonly BridgeAttachment[]): Unikernel {
  return reader.sequence((inside) => {
    const typ = readTyp(inside);
    const image = { compressed: inside.boolean(), bytes: inside.octets() };
    const failBehaviour = readFailBehaviour(inside);
    const cpuids = [readNatural(inside)];
    const memory = readNatural(inside);
    const blocks = inside.optionalExplicit(0, readBlockNames) ?? [];
    const bridges = inside.optionalExplicit(1, readBridges) ?? [];
    const words = readTexts(inside, 2);
    const rest = words === undefined ? {} : { arguments: words };
    return { config: { ...assumed, typ, failBehaviour, cpuids, memory, blocks, bridges, ...rest }, image };
  });
}

function readBlockNames(reader: Reader): readonly BlockAttachment[] {
  return reader.setOf((item) => ({ name: item.text() }));
}

function readNames(reader: Reader): readonly string[] {
  return reader.sequenceOf((item) => item.text());
}

const assumed: Pick<UnikernelConfig, "addName" | "cpus"> = { addName: true, cpus: 1 };

/** For hvt on x86-64 and on ARM, and for hvt on x86-64 compressed: the image itself says so too. */
const images: Readonly<Record<number, (reader: Reader) => Image>> = {
  0: (reader) => ({ compressed: false, bytes: reader.octets() }),
  1: (reader) => ({ compressed: false, bytes: reader.octets() }),
  2: (reader) => ({ compressed: true, bytes: reader.octets() }),
};
