/**
 * Commands on block devices on the wire. The older forms carry a content inside the message.
 *
 * @module
 */
import type { Command } from "../core/command.ts";
import { unreachable } from "../core/result.ts";
import { type Reader, tags } from "./der.ts";
import { boolean, type Der, explicit, integer, nul, octets, sequence } from "./der_writer.ts";
import { readLevel, readNatural } from "./number.ts";

type BlockCommand = Extract<Command, { kind: `block-${string}` }>;

export function writeBlockCommand(command: BlockCommand): Der {
  switch (command.kind) {
    case "block-info":
      return explicit(0, nul);
    case "block-add":
      return writeAdd(command);
    case "block-remove":
      return explicit(2, nul);
    case "block-set":
      return command.data === undefined
        ? explicit(7, boolean(command.compressed))
        : explicit(4, sequence(boolean(command.compressed), octets(command.data)));
    case "block-dump":
      return explicit(command.form === "old" ? 5 : 6, integer(command.level));
    default:
      return unreachable(command);
  }
}

function writeAdd({ size, data, form }: Extract<Command, { kind: "block-add" }>): Der {
  if (form === "current") return explicit(1, integer(size));
  const content = data === undefined ? undefined : octets(data.bytes);
  return explicit(3, sequence(integer(size), boolean(data?.compressed ?? false), content));
}

/** Without data, whether it is compressed says nothing. */
function readOldAdd(reader: Reader): Command {
  return reader.sequence((inside) => {
    const size = readNatural(inside);
    const compressed = inside.boolean();
    const bytes = inside.optional(tags.octetString, (item) => item.octets());
    return { kind: "block-add", size, ...(bytes === undefined ? {} : { data: { compressed, bytes } }), form: "old" };
  });
}

export const blockCommands: Readonly<Record<number, (reader: Reader) => Command>> = {
  0: (reader) => reader.null({ kind: "block-info" }),
  1: (reader) => ({ kind: "block-add", size: readNatural(reader), form: "current" }),
  2: (reader) => reader.null({ kind: "block-remove" }),
  3: readOldAdd,
  4: (reader) =>
    reader.sequence((inside) => ({ kind: "block-set", compressed: inside.boolean(), data: inside.octets() })),
  5: (reader) => ({ kind: "block-dump", level: readLevel(reader), form: "old" }),
  6: (reader) => ({ kind: "block-dump", level: readLevel(reader), form: "current" }),
  7: (reader) => ({ kind: "block-set", compressed: reader.boolean() }),
};
