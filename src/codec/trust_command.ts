/**
 * Commands about who is let in: ours, tags 20 and 21 of Command.
 *
 *     PushCrl ::= SEQUENCE { crl OCTET STRING, authority OCTET STRING (its certificate) }
 *     Lock    ::= CHOICE { lock [0] Name (a path), unlock [1] Name (a path), locks [2] NULL }
 *
 * @module
 */
import type { Command } from "../core/command.ts";
import type { Path } from "../core/name.ts";
import { unreachable } from "../core/result.ts";
import type { Reader } from "./der.ts";
import { type Der, explicit, nul, octets, sequence } from "./der_writer.ts";
import { readName, writeName } from "./name.ts";

export function writePush({ crl, authority }: Extract<Command, { kind: "push-crl" }>): Der {
  return sequence(octets(crl), octets(authority));
}

/** The bytes are views. */
export function readPush(reader: Reader): Command {
  return reader.sequence((inside) => ({ kind: "push-crl", crl: inside.octets(), authority: inside.octets() }));
}

export function writeLockCommand(command: Extract<Command, { kind: "lock" | "unlock" | "locks" }>): Der {
  switch (command.kind) {
    case "lock":
      return explicit(0, writeName({ path: command.path }));
    case "unlock":
      return explicit(1, writeName({ path: command.path }));
    case "locks":
      return explicit(2, nul);
    default:
      return unreachable(command);
  }
}

export const lockCommands: Readonly<Record<number, (reader: Reader) => Command>> = {
  0: (reader) => ({ kind: "lock", path: readPath(reader) }),
  1: (reader) => ({ kind: "unlock", path: readPath(reader) }),
  2: (reader) => reader.null({ kind: "locks" }),
};

function readPath(reader: Reader): Path {
  const { path, label } = readName(reader);
  return label === undefined ? path : reader.fail("value-refused");
}
