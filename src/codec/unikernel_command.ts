/**
 * Commands on unikernels on the wire. Create and restart are read in their
 * older forms too, into the same command.
 *
 * @module
 */
import type { Command, InfoForm } from "../core/command.ts";
import { unreachable } from "../core/result.ts";
import { type ConfigForm, readConfig, readSettings, writeConfig, writeSettings } from "./config.ts";
import type { Reader } from "./der.ts";
import { type Der, explicit, integer, nul } from "./der_writer.ts";
import { readLevel } from "./number.ts";

export function writeUnikernelCommand(command: Extract<Command, { kind: `unikernel-${string}` }>): Der {
  switch (command.kind) {
    case "unikernel-destroy":
      return explicit(3, nul);
    case "unikernel-get":
      return explicit(11, integer(command.level));
    case "unikernel-restart":
      return explicit(
        14,
        command.settings === undefined ? explicit(0, nul) : explicit(3, writeSettings(command.settings)),
      );
    case "unikernel-info":
      return explicit(infoTags[command.form], nul);
    case "unikernel-create":
      return explicit(command.replace ? 21 : 20, writeConfig(command.config, command.image));
    default:
      return unreachable(command);
  }
}

function create(form: ConfigForm, replace: boolean): (reader: Reader) => Command {
  return (reader) => ({ kind: "unikernel-create", ...readConfig(reader, form), replace });
}

function restart(form: ConfigForm): (reader: Reader) => Command {
  return (reader) => ({ kind: "unikernel-restart", settings: readSettings(reader, form) });
}

function info(form: InfoForm): (reader: Reader) => Command {
  return (reader) => reader.null({ kind: "unikernel-info", form });
}

const infoTags: Readonly<Record<InfoForm, number>> = { old4: 15, old5: 18, current: 19 };

const restarts: Readonly<Record<number, (reader: Reader) => Command>> = {
  0: (reader) => reader.null({ kind: "unikernel-restart" }),
  1: restart(3),
  2: restart(4),
  3: restart(5),
};

export const unikernelCommands: Readonly<Record<number, (reader: Reader) => Command>> = {
  3: (reader) => reader.null({ kind: "unikernel-destroy" }),
  9: create(3, false),
  10: create(3, true),
  11: (reader) => ({ kind: "unikernel-get", level: readLevel(reader) }),
  14: (reader) => reader.choice(restarts),
  15: info("old4"),
  16: create(4, false),
  17: create(4, true),
  18: info("old5"),
  19: info("current"),
  20: create(5, false),
  21: create(5, true),
};
