/**
 * block, create-block and destroy-block.
 *
 * @module
 */
import { Argument, type Command as CommanderCommand, Option } from "commander";
import type { Name } from "../core/name.ts";
import { addNetworking, type Networking } from "./options.ts";
import type { Session } from "./session.ts";
import { parseNameWord, parsePositiveWord, parseThingWord } from "./words.ts";

export function addBlock(program: CommanderCommand, session: Session): void {
  addNetworking(program.command("block"))
    .description("show block devices: one, or all at and below a path")
    .addOption(
      new Option("-n, --name <name>", "one block device, or with a colon at its end a path")
        .argParser(parseNameWord)
        .default({ path: [] }, "everything"),
    )
    .action(async (options: Networking & { readonly name: Name }) =>
      session.finish(await session.send({ name: options.name, command: { kind: "block-info" }, options })),
    );
  addNetworking(program.command("create-block"))
    .description("create a block device of zeros")
    .addArgument(deviceArgument())
    .addArgument(new Argument("<size>", "its size in MB").argParser(parsePositiveWord))
    .action(async (name: Name, size: number, options: Networking) => {
      const command = { kind: "block-add", size, form: "current" } as const;
      session.finish(await session.send({ name, command, options }));
    });
  addNetworking(program.command("destroy-block"))
    .description("remove a block device and what is on it")
    .addArgument(deviceArgument())
    .action(async (name: Name, options: Networking) =>
      session.finish(await session.send({ name, command: { kind: "block-remove" }, options })),
    );
}

function deviceArgument(): Argument {
  return new Argument("<device>", "its name, such as alice:disk").argParser(parseThingWord);
}
