/**
 * Block and network devices on the wire: as a configuration attaches them, and as `info` tells them.
 *
 * Both kinds are SET OF: their order is not kept. An empty set is left out.
 *
 * @module
 */
import type { BlockAttachment, BlockInfo, BridgeAttachment, BridgeInfo } from "../core/unikernel.ts";
import { type Reader, tags } from "./der.ts";
import { type Der, explicit, integer, octets, sequence, setOf, text } from "./der_writer.ts";
import { readNatural } from "./number.ts";

export function readBlocks(reader: Reader): readonly BlockAttachment[] {
  return readSet(reader, 0, (inside) => {
    const name = inside.text();
    const device = inside.optional(tags.utf8String, readText);
    const sectorSize = inside.optional(tags.integer, readNatural);
    return {
      name,
      ...(device === undefined ? {} : { device }),
      ...(sectorSize === undefined ? {} : { sectorSize }),
    };
  });
}

export function writeBlocks(blocks: readonly BlockAttachment[]): Der | undefined {
  return writeSet(0, blocks, (block) =>
    sequence(
      text(block.name),
      block.device === undefined ? undefined : text(block.device),
      block.sectorSize === undefined ? undefined : integer(block.sectorSize),
    ),
  );
}

export function readBridges(reader: Reader): readonly BridgeAttachment[] {
  return readSet(reader, 1, (inside) => {
    const netif = inside.text();
    const bridge = inside.optional(tags.utf8String, readText);
    const mac = inside.optional(tags.octetString, readMac);
    return { netif, ...(bridge === undefined ? {} : { bridge }), ...(mac === undefined ? {} : { mac }) };
  });
}

export function writeBridges(bridges: readonly BridgeAttachment[]): Der | undefined {
  return writeSet(1, bridges, (bridge) =>
    sequence(
      text(bridge.netif),
      bridge.bridge === undefined ? undefined : text(bridge.bridge),
      bridge.mac === undefined ? undefined : octets(bridge.mac),
    ),
  );
}

export function readBlockInfos(reader: Reader): readonly BlockInfo[] {
  return readSet(reader, 0, (inside) => ({
    unikernelDevice: inside.text(),
    hostDevice: inside.text(),
    sectorSize: readNatural(inside),
    size: readNatural(inside),
  }));
}

export function writeBlockInfos(blocks: readonly BlockInfo[]): Der | undefined {
  return writeSet(0, blocks, (block) =>
    sequence(text(block.unikernelDevice), text(block.hostDevice), integer(block.sectorSize), integer(block.size)),
  );
}

export function readBridgeInfos(reader: Reader): readonly BridgeInfo[] {
  return readSet(reader, 1, (inside) => ({
    unikernelDevice: inside.text(),
    hostDevice: inside.text(),
    mac: readMac(inside),
  }));
}

export function writeBridgeInfos(bridges: readonly BridgeInfo[]): Der | undefined {
  return writeSet(1, bridges, (bridge) =>
    sequence(text(bridge.unikernelDevice), text(bridge.hostDevice), octets(bridge.mac)),
  );
}

/** `[n] SET OF SEQUENCE OPTIONAL`. */
function readSet<T>(reader: Reader, n: number, read: (inside: Reader) => T): readonly T[] {
  return reader.optionalExplicit(n, (inside) => inside.setOf((item) => item.sequence(read))) ?? [];
}

function writeSet<T>(n: number, items: readonly T[], write: (item: T) => Der): Der | undefined {
  return items.length === 0 ? undefined : explicit(n, setOf(items, write));
}

function readText(reader: Reader): string {
  return reader.text();
}

function readMac(reader: Reader): Uint8Array {
  const mac = reader.octets();
  return mac.length === 6 ? mac.slice() : reader.fail("value-refused");
}
