/**
 * What happens to unikernels, on the wire: ours, tag 16 of Data.
 *
 *     Happening ::= CHOICE { created [0] NULL, restarted [1] NULL, destroyed [3] NULL, held [4] NULL,
 *       ended [2] SEQUENCE { status Status, failures Int, delay [0] Int (ms) OPTIONAL } }
 *     Status ::= CHOICE { exited [0] Int, signalled [1] Int, unknown [2] NULL, outOfMemory [3] NULL }
 *
 * @module
 */
import type { Happening } from "../core/happening.ts";
import type { ExitStatus } from "../core/restart.ts";
import { unreachable } from "../core/result.ts";
import type { Reader } from "./der.ts";
import { type Der, explicit, integer, nul, optionalExplicit, sequence } from "./der_writer.ts";
import { readNatural } from "./number.ts";

export function readHappening(reader: Reader): Happening {
  return reader.choice(happenings);
}

export function writeHappening(happening: Happening): Der {
  switch (happening.kind) {
    case "created":
      return explicit(0, nul);
    case "restarted":
      return explicit(1, nul);
    case "ended": {
      const { status, failures, delay } = happening;
      return explicit(2, sequence(writeStatus(status), integer(failures), optionalExplicit(0, delay, integer)));
    }
    case "destroyed":
      return explicit(3, nul);
    case "held":
      return explicit(4, nul);
    default:
      return unreachable(happening);
  }
}

function readEnd(reader: Reader): Happening {
  return reader.sequence((inside) => {
    const status = readStatus(inside);
    const failures = readNatural(inside);
    const delay = inside.optionalExplicit(0, readNatural);
    return { kind: "ended", status, failures, ...(delay === undefined ? {} : { delay }) };
  });
}

export function writeStatus(status: ExitStatus): Der {
  switch (status.kind) {
    case "exited":
      return explicit(0, integer(status.code));
    case "signalled":
      return explicit(1, integer(status.signal));
    case "unknown":
      return explicit(2, nul);
    case "out-of-memory":
      return explicit(3, nul);
    default:
      return unreachable(status);
  }
}

export function readStatus(reader: Reader): ExitStatus {
  return reader.choice(statuses);
}

const statuses: Readonly<Record<number, (reader: Reader) => ExitStatus>> = {
  0: (reader) => ({ kind: "exited", code: readNatural(reader) }),
  1: (reader) => ({ kind: "signalled", signal: readNatural(reader) }),
  2: (reader) => reader.null({ kind: "unknown" }),
  3: (reader) => reader.null({ kind: "out-of-memory" }),
};

const happenings: Readonly<Record<number, (reader: Reader) => Happening>> = {
  0: (reader) => reader.null({ kind: "created" }),
  1: (reader) => reader.null({ kind: "restarted" }),
  2: readEnd,
  3: (reader) => reader.null({ kind: "destroyed" }),
  4: (reader) => reader.null({ kind: "held" }),
};
