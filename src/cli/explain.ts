/**
 * explain: what would become of another command, with that command's own words.
 *
 * @module
 */
import { type Command as CommanderCommand, Option } from "commander";
import type { Command } from "../core/command.ts";
import { addBlock } from "./block.ts";
import { addConsole, addLog } from "./console.ts";
import { type ChainOptions, explainFile } from "./explain_chain.ts";
import { failure } from "./failure.ts";
import { addPolicy } from "./policy.ts";
import { sayExplanation } from "./print_explanation.ts";
import type { Outcome, Request, Session } from "./session.ts";
import { addStats } from "./stats.ts";
import { addTrust } from "./trust.ts";
import { addUnikernel } from "./unikernel.ts";

export function addExplain(program: CommanderCommand, session: Session): void {
  const explain = program
    .command("explain")
    .description("tell what would become of a command, level by level, and do nothing (fulmar servers only)")
    .option("--chain <file>", "in place of a command: certificates, from the command's upwards; no server is asked")
    .option("--anchor <file>", "with --chain: the authority that a server is started with", "cacert.pem")
    .option("--json", "print one JSON value in place of lines");
  explain.action(async ({ chain, ...options }: Partial<ChainOptions> & Pick<ChainOptions, "anchor">) =>
    session.finish(
      chain === undefined
        ? failure("usage", "there is nothing to explain", "give a command behind it, or certificates with --chain")
        : await explainFile(session.environment, { ...options, chain }),
    ),
  );
  for (const add of families) add(explain, explaining(explain, session));
  for (const command of explain.commands) {
    command.addOption(new Option("--json", "print one JSON value in place of lines"));
  }
}

/** A session whose commands are explained in place of being sent: the first one, where there are several. */
function explaining(explain: CommanderCommand, session: Session): Session {
  let asked = false;
  const send = async (request: Request): Promise<Outcome> => {
    if (asked) return undefined;
    asked = true;
    return session.send(question(request));
  };
  return { ...session, send };

  function question({ name, command, options }: Request): Request {
    const json = [explain, ...explain.commands].some((one) => one.opts<{ readonly json?: boolean }>().json === true);
    return {
      name,
      command: { kind: "explain", command: bare(command) },
      options,
      take: (success, about) =>
        success.kind === "explanation"
          ? sayExplanation(session.environment, about, success.explanation, json)
          : failure("communication", `the server answered with ${success.kind}`),
    };
  }
}

/** An image is not looked at, and need not travel. */
function bare(command: Command): Command {
  if (command.kind !== "unikernel-create") return command;
  return { ...command, image: { ...command.image, bytes: new Uint8Array(0) } };
}

const families = [addUnikernel, addPolicy, addBlock, addConsole, addLog, addStats, addTrust];
