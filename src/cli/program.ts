/**
 * The command line as a whole, and its run.
 *
 * @module
 */
import { Command as CommanderCommand, CommanderError } from "commander";
import { version } from "../core/version.ts";
import type { Environment } from "../host/client_environment.ts";
import { addAudit } from "./audit.ts";
import { addAuthority } from "./authority.ts";
import { addBlock } from "./block.ts";
import { addCertificate } from "./certificate.ts";
import { addCompletion } from "./completion.ts";
import { addConsole, addLog } from "./console.ts";
import { addDump } from "./dump.ts";
import { addExplain } from "./explain.ts";
import { addExport } from "./export.ts";
import { failure, statuses } from "./failure.ts";
import { addMan } from "./man.ts";
import type { Logging } from "./options.ts";
import { addPolicy } from "./policy.ts";
import { report } from "./report.ts";
import { addRevoke } from "./revoke.ts";
import { createSend } from "./send.ts";
import type { Outcome, Send } from "./session.ts";
import { addStats } from "./stats.ts";
import { addTrust } from "./trust.ts";
import { addUnikernel } from "./unikernel.ts";
import { addUpdate } from "./update.ts";

/**
 * Runs one command line.
 *
 * @param words - without the program's own name
 * @returns the exit status
 */
export async function run(
  words: readonly string[],
  environment: Environment,
  send: Send = createSend(environment),
): Promise<number> {
  let outcome: Outcome;
  const finish = (result: Outcome): void => {
    outcome = result;
  };
  const program = createProgram(environment);
  const session = { environment, send, finish };
  for (const add of families) add(program, session);
  try {
    if (words.length === 0) program.outputHelp();
    else if (words[0] === "help" && words.length > 1) helpOn(program, words[1]).outputHelp();
    else await program.parseAsync(words, { from: "user" });
    return outcome === undefined ? statuses.success : report(environment, loggingOf(program), outcome);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? statuses.success : statuses.usage;
    const text = `a bug: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
    return report(environment, {}, failure("internal", text, "please report it, with the command line"));
  }
}

function createProgram(environment: Environment): CommanderCommand {
  return new CommanderCommand("fulmar")
    .description("Talks to fulmard on this machine, or with -d over TLS to a server; makes the certificates for it.")
    .version(version, "--version", "show the version")
    .helpOption("-h, --help", "show this help")
    .helpCommand("help [command]", "show the help of a command")
    .configureHelp({ sortSubcommands: true, sortOptions: true })
    .configureOutput({
      writeOut: (text) => void environment.stdout(text),
      writeErr: (text) => environment.stderr(text),
    })
    .showHelpAfterError("hint: --help after the command lists what it takes")
    .exitOverride();
}

/** What `help` is to tell of; throws as commander does where there is no such command, after having said so. */
function helpOn(program: CommanderCommand, name = ""): CommanderCommand {
  if (name === "help" || name.startsWith("-")) return program;
  return commandOf(program, name) ?? program.error(`error: unknown command '${name}'`);
}

function commandOf(program: CommanderCommand, name = ""): CommanderCommand | undefined {
  return program.commands.find((command) => command.name() === name || command.aliases().includes(name));
}

/** The options of the sub-command that ran. */
function loggingOf(program: CommanderCommand): Logging {
  const ran = commandOf(program, program.args[0]);
  return ran === undefined ? program.opts() : loggingOf(ran);
}

const families = [
  addUnikernel,
  addUpdate,
  addConsole,
  addStats,
  addLog,
  addAudit,
  addPolicy,
  addBlock,
  addExplain,
  addCertificate,
  addAuthority,
  addRevoke,
  addTrust,
  addExport,
  addMan,
  addCompletion,
  addDump,
];
