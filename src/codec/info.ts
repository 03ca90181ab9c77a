/**
 * What `info` tells of one unikernel, in each of the forms that clients of different ages understand.
 *
 * @module
 */
import type { InfoForm } from "../core/command.ts";
import type { UnikernelInfo } from "../core/unikernel.ts";
import {
  readCpuids,
  readFailBehaviour,
  readTexts,
  readTyp,
  writeFailBehaviour,
  writeTexts,
  writeTyp,
} from "./config.ts";
import { type Reader, tags } from "./der.ts";
import { type Der, explicit, integer, octets, optionalExplicit, sequence, setOf, text } from "./der_writer.ts";
import { readBlockInfos, readBridgeInfos, writeBlockInfos, writeBridgeInfos } from "./device.ts";
import { readNatural } from "./number.ts";
import { readGeneralizedTime, writeGeneralizedTime } from "./time.ts";

/** What a form lacks is read as absent, or as one CPU. */
export function readInfo(reader: Reader, form: InfoForm): UnikernelInfo {
  return reader.sequence((inside) => {
    const typ = readTyp(inside);
    const startup = form === "old4" ? undefined : inside.optional(tags.integer, (item) => item.integer());
    const failBehaviour = readFailBehaviour(inside);
    const cpuids = form === "current" ? readCpuids(inside) : [readNatural(inside)];
    const memory = readNatural(inside);
    const digest = inside.octets();
    const blocks = readBlockInfos(inside);
    const bridges = readBridgeInfos(inside);
    const args = readTexts(inside, 2);
    const started = inside.optionalExplicit(3, readGeneralizedTime);
    return {
      typ,
      ...(startup === undefined ? {} : { startup }),
      failBehaviour,
      cpuids,
      memory,
      digest,
      blocks,
      bridges,
      ...(args === undefined ? {} : { arguments: args }),
      ...(started === undefined ? {} : { started }),
      ...(form === "current" ? readMachine(inside) : { cpus: 1 }),
    };
  });
}

/** An older form tells one CPU: the lowest. */
export function writeInfo(info: UnikernelInfo, form: InfoForm): Der {
  const current = form === "current";
  return sequence(
    writeTyp(info.typ),
    info.startup === undefined || form === "old4" ? undefined : integer(info.startup),
    writeFailBehaviour(info.failBehaviour),
    current ? setOf(info.cpuids, integer) : integer(info.cpuids[0] ?? 0),
    integer(info.memory),
    octets(info.digest),
    writeBlockInfos(info.blocks),
    writeBridgeInfos(info.bridges),
    writeTexts(2, info.arguments),
    optionalExplicit(3, info.started, writeGeneralizedTime),
    current ? explicit(4, integer(info.cpus)) : undefined,
    current ? optionalExplicit(5, info.linuxBootPartition, text) : undefined,
  );
}

function readMachine(reader: Reader): Pick<UnikernelInfo, "cpus" | "linuxBootPartition"> {
  const cpus = reader.optionalExplicit(4, readNatural) ?? 1;
  const partition = reader.optionalExplicit(5, (inside) => inside.text());
  return partition === undefined ? { cpus } : { cpus, linuxBootPartition: partition };
}
