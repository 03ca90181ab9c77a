/**
 * What is sent unasked while a subscription or a download lasts.
 *
 * @module
 */

import type { AuditItem } from "../core/audit.ts";
import type { Happening } from "../core/happening.ts";
import { unreachable } from "../core/result.ts";
import type { Statistics } from "../core/statistics.ts";
import { readItem, writeItem } from "./audit.ts";
import type { Reader } from "./der.ts";
import { type Der, explicit, nul, octets, sequence, text } from "./der_writer.ts";
import { readHappening, writeHappening } from "./happening.ts";
import { readStatistics, writeStatistics } from "./statistics.ts";
import { readGeneralizedTime, writeGeneralizedTime } from "./time.ts";

export type Data =
  | { readonly kind: "statistics"; readonly statistics: Statistics }
  /** `time` in ms since the Unix epoch. The line may hold bytes that are not UTF-8. */
  | { readonly kind: "console"; readonly time: number; readonly line: string }
  | { readonly kind: "block-bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "block-end" }
  /** Ours: what happened to the unikernel that the header names. */
  | { readonly kind: "happening"; readonly time: number; readonly happening: Happening }
  /** Ours: of the audit log, and from the endpoint what it refused. */
  | { readonly kind: "audit"; readonly item: AuditItem };

export function readData(reader: Reader): Data {
  return reader.choice(kinds);
}

export function writeData(data: Data): Der {
  switch (data.kind) {
    case "statistics":
      return explicit(1, writeStatistics(data.statistics));
    case "console":
      return explicit(3, sequence(writeGeneralizedTime(data.time), text(data.line)));
    case "block-bytes":
      return explicit(4, explicit(0, octets(data.bytes)));
    case "block-end":
      return explicit(4, explicit(1, nul));
    case "happening":
      return explicit(16, sequence(writeGeneralizedTime(data.time), writeHappening(data.happening)));
    case "audit":
      return explicit(17, writeItem(data.item));
    default:
      return unreachable(data);
  }
}

const blocks: Readonly<Record<number, (reader: Reader) => Data>> = {
  0: (reader) => ({ kind: "block-bytes", bytes: reader.octets() }),
  1: (reader) => reader.null({ kind: "block-end" }),
};

/** Tag 2 was a log, which albatross dropped. */
const kinds: Readonly<Record<number, (reader: Reader) => Data>> = {
  1: (reader) => ({ kind: "statistics", statistics: readStatistics(reader) }),
  3: (reader) =>
    reader.sequence((inside) => ({ kind: "console", time: readGeneralizedTime(inside), line: inside.text() })),
  4: (reader) => reader.choice(blocks),
  16: (reader) =>
    reader.sequence((inside) => ({
      kind: "happening",
      time: readGeneralizedTime(inside),
      happening: readHappening(inside),
    })),
  17: (reader) => ({ kind: "audit", item: readItem(reader) }),
};
