/**
 * console and inactive-consoles: what a unikernel prints, and what is kept of those that are gone.
 *
 * @module
 */
import { Argument, type Command as CommanderCommand, Option } from "commander";
import type { ConsoleStart } from "../core/command.ts";
import type { Name, Path } from "../core/name.ts";
import { addNetworking, type Networking } from "./options.ts";
import type { Session } from "./session.ts";
import { parseCountWord, parseInstantWord, parseNameWord, parsePathWord, parseThingWord } from "./words.ts";

interface ConsoleOptions extends Networking {
  readonly count: number;
  readonly since?: number;
}

export function addConsole(program: CommanderCommand, session: Session): void {
  addNetworking(program.command("console"))
    .description("show what a unikernel printed, and follow it")
    .addArgument(new Argument("<unikernel>", "its name, such as alice:web").argParser(parseThingWord))
    .addOption(new Option("--count <lines>", "start with the last so many lines").argParser(parseCountWord).default(20))
    .addOption(
      new Option("--since <time>", "start at this time, RFC 3339").argParser(parseInstantWord).conflicts("count"),
    )
    .action(async (name: Name, options: ConsoleOptions) => {
      const command = { kind: "console-subscribe", from: startOf(options) } as const;
      session.finish(await session.send({ name, command, options }));
    });
  addNetworking(program.command("inactive-consoles"))
    .description("show the unikernels that are gone and whose consoles are kept")
    .addOption(
      new Option("-p, --path <path>", "at and below this path, such as alice:bob")
        .argParser(parsePathWord)
        .default([], "everything"),
    )
    .action(async (options: Networking & { readonly path: Path }) => {
      const command = { kind: "console-list-inactive" } as const;
      session.finish(await session.send({ name: { path: options.path }, command, options }));
    });
}

/** Ours: what happens to unikernels, from now on. */
export function addLog(program: CommanderCommand, session: Session): void {
  addNetworking(program.command("log"))
    .description("show what happens to unikernels: created, restarted, ended, destroyed (fulmar servers only)")
    .addOption(
      new Option("-n, --name <name>", "one unikernel, or with a colon at its end a path")
        .argParser(parseNameWord)
        .default({ path: [] }, "everything"),
    )
    .action(async (options: Networking & { readonly name: Name }) => {
      session.finish(await session.send({ name: options.name, command: { kind: "log-subscribe" }, options }));
    });
}

function startOf(options: ConsoleOptions): ConsoleStart {
  return options.since === undefined ? { kind: "count", count: options.count } : { kind: "since", time: options.since };
}
