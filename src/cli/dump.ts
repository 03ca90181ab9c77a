/**
 * inspect-dump and extract-dump: what is in a state file of albatross, or in one that `fulmard export-state` wrote.
 *
 * @module
 */
import { type Command as CommanderCommand, Option } from "commander";
import { describeDer } from "../codec/describe.ts";
import { decodeState, type HostState } from "../codec/state.ts";
import { type Name, printName, sameName } from "../core/name.ts";
import { err, type Result } from "../core/result.ts";
import { saveImage } from "./download.ts";
import { type Failure, failure, fileFailure } from "./failure.ts";
import { addLogging, type Logging, says } from "./options.ts";
import { printPolicy, printTitle } from "./print.ts";
import { printConfig } from "./print_command.ts";
import type { Outcome, Session } from "./session.ts";
import { parseThingWord } from "./words.ts";

interface DumpOptions extends Logging {
  readonly dbdir: string;
  readonly file: string;
}

export function addDump(program: CommanderCommand, session: Session): void {
  addFile(program.command("inspect-dump"))
    .description("show what is in a state file of albatross")
    .action(async (options: DumpOptions) => session.finish(await inspect(session, options)));
  addFile(program.command("extract-dump"))
    .description("write the image of a unikernel in a state file of albatross to <name>.<time>")
    .argument("<name>", "the unikernel, such as alice:web", parseThingWord)
    .action(async (name: Name, options: DumpOptions) => session.finish(await extract(session, name, options)));
}

function addFile(command: CommanderCommand): CommanderCommand {
  command
    .addOption(new Option("--dbdir <dir>", "where albatross keeps its state").default("/var/lib/albatross"))
    .addOption(new Option("--file <file>", "the state file; if relative, from --dbdir").default("state"));
  return addLogging(command);
}

async function inspect(session: Session, options: DumpOptions): Promise<Outcome> {
  const state = await readDump(session, options);
  if (!state.ok) return state.error;
  await session.environment.stdout(printDump(state.value, says(options, "debug")));
  return undefined;
}

/** As albatross prints it, without its line breaks inside an entry. */
function printDump({ unikernels, policies }: HostState, showArguments: boolean): string {
  const lines = [
    `parsed ${unikernels.length} unikernels:`,
    ...unikernels.map(({ name, value }) => `${printTitle(name)}: ${printConfig(value, showArguments)}`),
    `parsed ${policies.length} policies:`,
    ...policies.map(({ name, value }) => `${printTitle(name)}: ${printPolicy(value)}`),
  ];
  return `${lines.join("\n")}\n`;
}

async function extract(session: Session, name: Name, options: DumpOptions): Promise<Outcome> {
  const state = await readDump(session, options);
  if (!state.ok) return state.error;
  const found = state.value.unikernels.find((one) => sameName(one.name, name))?.value;
  if (found === undefined) {
    return failure("usage", `there is no unikernel ${printName(name)} in it`, "inspect-dump lists those that are");
  }
  await session.environment.stdout(`${printTitle(name)}: ${printConfig(found, says(options, "debug"))}\n`);
  return await saveImage(session.environment, name, found.image);
}

async function readDump({ environment }: Session, { dbdir, file }: DumpOptions): Promise<Result<HostState, Failure>> {
  const path = file.startsWith("/") ? file : `${dbdir}/${file}`;
  const bytes = await environment.readFile(path);
  if (!bytes.ok) return err(fileFailure(bytes.error, "--file and --dbdir say where the state file is"));
  const state = decodeState(bytes.value);
  if (state.ok) return state;
  return err(failure("usage", `${path}: it is no state file of albatross: ${describeDer(state.error)}`));
}
