/**
 * block, create-block, set-block, dump-block and destroy-block.
 *
 * @module
 */
import { Argument, type Command as CommanderCommand, Option } from "commander";
import type { Name } from "../core/name.ts";
import { failure, fileFailure } from "./failure.ts";
import { addCompression, addNetworking, type Compression, levelOf, type Networking } from "./options.ts";
import { warn } from "./report.ts";
import type { Outcome, Session } from "./session.ts";
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
  addNetworking(program.command("destroy-block"))
    .description("remove a block device and what is on it")
    .addArgument(deviceArgument())
    .action(async (name: Name, options: Networking) =>
      session.finish(await session.send({ name, command: { kind: "block-remove" }, options })),
    );
  addContent(program, session);
}

/** Those that a content travels with. */
function addContent(program: CommanderCommand, session: Session): void {
  addCompression(addNetworking(program.command("create-block")))
    .description("create a block device of zeros, or with --data of what is in a file")
    .addArgument(deviceArgument())
    .addArgument(new Argument("<size>", "its size in MB").argParser(parsePositiveWord))
    .option("--data <file>", "what to put on it; the rest of it is zeros")
    .action(async (name: Name, size: number, options: CreateOptions) =>
      session.finish(await createBlock(session, name, size, options)),
    );
  addCompression(addNetworking(program.command("set-block")))
    .description("put what is in a file on a block device, in place of all that it holds; the rest of it is zeros")
    .addArgument(deviceArgument())
    .argument("<file>", "what to put on it")
    .action(async (name: Name, file: string, options: ContentOptions) =>
      session.finish(await setBlock(session, name, file, options)),
    );
  addCompression(addNetworking(program.command("dump-block")))
    .description("save what is on a block device to <name>.<time>")
    .addArgument(deviceArgument())
    .action(async (name: Name, options: ContentOptions) => {
      const command = { kind: "block-dump", level: levelOf(options), form: "current" } as const;
      session.finish(await session.send({ name, command, options }));
    });
}

type ContentOptions = Networking & Compression;
type CreateOptions = ContentOptions & { readonly data?: string };

/** Creates it, then fills it: two requests, as albatross has it. */
async function createBlock(session: Session, name: Name, size: number, options: CreateOptions): Promise<Outcome> {
  const { environment, send } = session;
  const create = { name, command: { kind: "block-add", size, form: "current" }, options } as const;
  if (options.data === undefined) return send(create);
  if (options.csr === true) {
    warn(environment, options, "the request is for filling the block device; one for creating it goes without --data");
    return setBlock(session, name, options.data, options);
  }
  return setBlock(session, name, options.data, options, { size, create: () => send(create) });
}

interface Before {
  /** MB. */
  readonly size: number;
  readonly create: () => Promise<Outcome>;
}

/** @param before - what is to be done once the file is known to be one that fits */
async function setBlock(
  { environment, send }: Session,
  name: Name,
  file: string,
  options: ContentOptions,
  before?: Before,
): Promise<Outcome> {
  const level = levelOf(options);
  const upload = await environment.openOutgoing(file, level);
  if (!upload.ok) return fileFailure(upload.error, "it is what would be put on the block device");
  try {
    if (before !== undefined && upload.value.size > before.size * megabyte) {
      return failure("usage", `${file} has ${upload.value.size} bytes, more than ${before.size} MB take`);
    }
    const failed = await before?.create();
    if (failed !== undefined) return failed;
    const command = { kind: "block-set", compressed: level > 0 } as const;
    const outcome = await send({ name, command, options, upload: upload.value });
    if (outcome === undefined || before === undefined) return outcome;
    return { ...outcome, hint: "the block device was created and holds zeros: set-block fills it" };
  } finally {
    await upload.value.close();
  }
}

function deviceArgument(): Argument {
  return new Argument("<device>", "its name, such as alice:disk").argParser(parseThingWord);
}

/** albatross's MB. */
const megabyte: number = 1024 * 1024;
