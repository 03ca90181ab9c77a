/**
 * Statistics on the wire.
 *
 * The readers below rely on an object literal's fields being evaluated in the order they are written in.
 *
 * @module
 */
import type { Interface, KinfoMem, Rusage, Statistics, Timeval } from "../core/statistics.ts";
import { contextTag, type Reader } from "./der.ts";
import { constructed, type Der, integer, optionalExplicit, sequence, sequenceOf, text } from "./der_writer.ts";
import { readInt32, readInt64, readNatural, writeInt32, writeInt64 } from "./number.ts";

export function readStatistics(reader: Reader): Statistics {
  return reader.sequence((inside) => {
    const rusage = inside.sequence(readRusage);
    const interfaces = inside.sequenceOf((item) => item.sequence(readInterface));
    const vmm = inside.optionalExplicit(0, (list) => list.sequenceOf((item) => item.sequence(readCounter)));
    const memory = inside.optional(memoryTag, (item) => item.constructed(memoryTag, readMemory));
    return { rusage, interfaces, ...(vmm === undefined ? {} : { vmm }), ...(memory === undefined ? {} : { memory }) };
  });
}

export function writeStatistics(statistics: Statistics): Der {
  return sequence(
    writeRusage(statistics.rusage),
    sequenceOf(statistics.interfaces, writeInterface),
    optionalExplicit(0, statistics.vmm, (counters) =>
      sequenceOf(counters, ({ key, value }) => sequence(text(key), writeInt64(value))),
    ),
    statistics.memory === undefined ? undefined : constructed(memoryTag, writeMemory(statistics.memory)),
  );
}

function readCounter(reader: Reader): { readonly key: string; readonly value: bigint } {
  return { key: reader.text(), value: readInt64(reader) };
}

function readTimeval(reader: Reader): Timeval {
  return reader.sequence((inside) => ({ seconds: readInt64(inside), microseconds: readNatural(inside) }));
}

function writeTimeval({ seconds, microseconds }: Timeval): Der {
  return sequence(writeInt64(seconds), integer(microseconds));
}

function readRusage(reader: Reader): Rusage {
  return {
    utime: readTimeval(reader),
    stime: readTimeval(reader),
    maxrss: readInt64(reader),
    ixrss: readInt64(reader),
    idrss: readInt64(reader),
    isrss: readInt64(reader),
    minflt: readInt64(reader),
    majflt: readInt64(reader),
    nswap: readInt64(reader),
    inblock: readInt64(reader),
    outblock: readInt64(reader),
    msgsnd: readInt64(reader),
    msgrcv: readInt64(reader),
    nsignals: readInt64(reader),
    nvcsw: readInt64(reader),
    nivcsw: readInt64(reader),
  };
}

function writeRusage(usage: Rusage): Der {
  return sequence(
    writeTimeval(usage.utime),
    writeTimeval(usage.stime),
    writeInt64(usage.maxrss),
    writeInt64(usage.ixrss),
    writeInt64(usage.idrss),
    writeInt64(usage.isrss),
    writeInt64(usage.minflt),
    writeInt64(usage.majflt),
    writeInt64(usage.nswap),
    writeInt64(usage.inblock),
    writeInt64(usage.outblock),
    writeInt64(usage.msgsnd),
    writeInt64(usage.msgrcv),
    writeInt64(usage.nsignals),
    writeInt64(usage.nvcsw),
    writeInt64(usage.nivcsw),
  );
}

function readMemory(reader: Reader): KinfoMem {
  return {
    vsize: readInt64(reader),
    rss: readInt64(reader),
    tsize: readInt64(reader),
    dsize: readInt64(reader),
    ssize: readInt64(reader),
    runtime: readInt64(reader),
    cow: readNatural(reader),
    start: readTimeval(reader),
  };
}

function writeMemory(memory: KinfoMem): readonly Der[] {
  return [
    writeInt64(memory.vsize),
    writeInt64(memory.rss),
    writeInt64(memory.tsize),
    writeInt64(memory.dsize),
    writeInt64(memory.ssize),
    writeInt64(memory.runtime),
    integer(memory.cow),
    writeTimeval(memory.start),
  ];
}

function readInterface(reader: Reader): Interface {
  return {
    bridge: reader.text(),
    flags: readInt32(reader),
    sendLength: readInt32(reader),
    maxSendLength: readInt32(reader),
    sendDrops: readInt32(reader),
    mtu: readInt32(reader),
    baudrate: readInt64(reader),
    inputPackets: readInt64(reader),
    inputErrors: readInt64(reader),
    outputPackets: readInt64(reader),
    outputErrors: readInt64(reader),
    collisions: readInt64(reader),
    inputBytes: readInt64(reader),
    outputBytes: readInt64(reader),
    inputMcast: readInt64(reader),
    outputMcast: readInt64(reader),
    inputDropped: readInt64(reader),
    outputDropped: readInt64(reader),
  };
}

function writeInterface(counters: Interface): Der {
  return sequence(
    text(counters.bridge),
    writeInt32(counters.flags),
    writeInt32(counters.sendLength),
    writeInt32(counters.maxSendLength),
    writeInt32(counters.sendDrops),
    writeInt32(counters.mtu),
    writeInt64(counters.baudrate),
    writeInt64(counters.inputPackets),
    writeInt64(counters.inputErrors),
    writeInt64(counters.outputPackets),
    writeInt64(counters.outputErrors),
    writeInt64(counters.collisions),
    writeInt64(counters.inputBytes),
    writeInt64(counters.outputBytes),
    writeInt64(counters.inputMcast),
    writeInt64(counters.outputMcast),
    writeInt64(counters.inputDropped),
    writeInt64(counters.outputDropped),
  );
}

/** `[1] IMPLICIT`: the tag in place of the SEQUENCE's own. */
const memoryTag = contextTag(1);
