/**
 * stats, stats-add and stats-remove: what unikernels use of the host.
 *
 * @module
 */
import { type Command as CommanderCommand, InvalidArgumentError, Option } from "commander";
import type { Command, Tap } from "../core/command.ts";
import type { Name } from "../core/name.ts";
import { addNetworking, type Networking } from "./options.ts";
import type { Session } from "./session.ts";
import { parseNameWord, parsePositiveWord, repeated } from "./words.ts";

interface Named extends Networking {
  readonly name: Name;
}

interface AddOptions extends Named {
  readonly bridge?: readonly Tap[];
  readonly vmmdev?: string;
}

export function addStats(program: CommanderCommand, session: Session): void {
  const send = async (options: Named, command: Command): Promise<void> =>
    session.finish(await session.send({ name: options.name, command, options }));
  addNetworking(program.command("stats"))
    .description("show what unikernels use of the processor, the memory and the network, again and again")
    .addOption(nameOption("one unikernel, or with a colon at its end a path"))
    .action((options: Named) => send(options, { kind: "stats-subscribe" }));
  addNetworking(program.command("stats-add"))
    .description("measure a process that the daemon did not start; on the daemon's own machine")
    .argument("<pid>", "its number", parsePositiveWord)
    .addOption(nameOption("under which name"))
    .addOption(
      new Option("--bridge <name:tap>", "an interface to measure, and how to call it (repeatable)").argParser(
        repeated(parseTapWord),
      ),
    )
    .option("--vmmdev <device>", "its device below /dev/vmm; Linux has none")
    .action((pid: number, options: AddOptions) => {
      const { bridge: network = [], vmmdev = "" } = options;
      return send(options, { kind: "stats-add", vmmdev, pid, network });
    });
  addNetworking(program.command("stats-remove"))
    .description("measure no longer what has this name; on the daemon's own machine")
    .addOption(nameOption("which name"))
    .action((options: Named) => send(options, { kind: "stats-remove" }));
}

function nameOption(description: string): Option {
  return new Option("-n, --name <name>", description).argParser(parseNameWord).default({ path: [] }, "the root path");
}

function parseTapWord(word: string): Tap {
  const [, bridge, tap] = /^([^:]+):([^:]+)$/.exec(word) ?? [];
  if (bridge === undefined || tap === undefined) throw new InvalidArgumentError("It is written NAME:TAP.");
  return { bridge, tap };
}
