/**
 * Manual pages, made of the same commands as the help.
 *
 * @module
 */
import type { Command as CommanderCommand } from "commander";
import { daemonLimits, endpointLimits } from "../core/limits.ts";
import { version } from "../core/version.ts";
import { createDaemonProgram } from "./daemon_options.ts";
import { createEndpointProgram } from "./endpoint_options.ts";
import { failure, fileFailure, statuses } from "./failure.ts";
import { limitLines } from "./limit_options.ts";
import { addLogging, type Logging } from "./options.ts";
import { inform } from "./report.ts";
import type { Outcome, Session } from "./session.ts";

export function addMan(program: CommanderCommand, session: Session): void {
  const command = program
    .command("man")
    .description("print a manual page, or write all of them; to read one: fulmar man create | man -l -")
    .argument("[page]", "what it is about: a command, 'fulmar', 'fulmard' or 'fulmar-endpoint'", "fulmar")
    .option("--directory <dir>", "write all pages into this folder");
  addLogging(command).action(async (page: string, options: ManOptions) =>
    session.finish(await writePages(program, session, page, options)),
  );
}

/** A page's name, without its section, and its text. */
interface Page {
  readonly name: string;
  readonly section: 1 | 8;
  readonly text: string;
}

/** The pages of everything that is installed. */
function manualPages(client: CommanderCommand): readonly Page[] {
  const families = client.commands.map((command) => clientPage(client, command));
  return [clientPage(client, client), ...families, ...servers().map(serverPage)];
}

/** The daemons' command lines. */
export function servers(): readonly CommanderCommand[] {
  return [createDaemonProgram(() => undefined), createEndpointProgram()];
}

interface ManOptions extends Logging {
  readonly directory?: string;
}

async function writePages(
  program: CommanderCommand,
  { environment }: Session,
  wanted: string,
  options: ManOptions,
): Promise<Outcome> {
  const pages = manualPages(program);
  if (options.directory === undefined) {
    const page = pages.find(({ name }) => name === wanted || name === `fulmar-${wanted}`);
    if (page === undefined) return failure("usage", `there is no page '${wanted}'`, "fulmar help lists the commands");
    await environment.stdout(page.text);
    return undefined;
  }
  for (const { name, section, text } of pages) {
    const path = `${options.directory}/${name}.${section}`;
    const written = await environment.writeFile(path, text, 0o644);
    if (!written.ok) return fileFailure(written.error);
    inform(environment, options, `wrote ${path}`);
  }
  return undefined;
}

function clientPage(client: CommanderCommand, command: CommanderCommand): Page {
  const name = command === client ? client.name() : `${client.name()}-${command.name()}`;
  const others = command === client ? client.commands.map((one) => `${client.name()}-${one.name()}`) : [client.name()];
  const also = [...others.map((other) => reference(other, 1)), ...serverNames.map((server) => reference(server, 8))];
  const text = page(name, 1, command, [
    ...section(
      "EXIT STATUS",
      Object.values(statusTexts).flatMap(([status, meaning]) => item(`${status}`, meaning)),
    ),
    ...section("ENVIRONMENT", item("FULMAR_PASSPHRASE", "opens encrypted private keys, and protects exported ones")),
    ...section("SEE ALSO", [also.join(", ")]),
  ]);
  return { name, section: 1, text };
}

function serverPage(program: CommanderCommand): Page {
  const name = program.name();
  const others = serverNames.filter((other) => other !== name).map((other) => reference(other, 8));
  const commands = program.commands.flatMap((command) => {
    const heading = [`.SS ${escapeRoff(`${name} ${command.name()}`)}`, sentence(command.description())];
    return [...heading, ...argumentItems(command), ...optionItems(command)];
  });
  const text = page(name, 8, program, [
    ...section(
      "LIMITS",
      limitLines(name === "fulmard" ? daemonLimits : endpointLimits).flatMap(([term, about]) => item(term, about)),
    ),
    ...(commands.length === 0 ? [] : [".SH COMMANDS IN DETAIL", ...commands]),
    ...section("SEE ALSO", [[reference("fulmar", 1), ...others].join(", ")]),
  ]);
  return { name, section: 8, text };
}

function page(name: string, number: number, command: CommanderCommand, rest: readonly string[]): string {
  const help = command.createHelp();
  const commands = help.visibleCommands(command).flatMap((one) => item(help.subcommandTerm(one), one.description()));
  return [
    `.TH ${escapeRoff(name.toUpperCase())} ${number} "" ${quote(`fulmar ${version}`)} ${quote("fulmar")}`,
    ...section("NAME", [`${escapeRoff(name)} \\- ${escapeRoff(command.description())}`]),
    ...section("SYNOPSIS", [`.B ${escapeRoff(help.commandUsage(command))}`]),
    ...section("ARGUMENTS", argumentItems(command)),
    ...section("OPTIONS", optionItems(command)),
    ...section("COMMANDS", commands),
    ...rest,
    "",
  ].join("\n");
}

function argumentItems(command: CommanderCommand): readonly string[] {
  const help = command.createHelp();
  const items = help.visibleArguments(command);
  return items.flatMap((argument) => item(help.argumentTerm(argument), help.argumentDescription(argument)));
}

function optionItems(command: CommanderCommand): readonly string[] {
  const help = command.createHelp();
  const items = help.visibleOptions(command);
  return items.flatMap((option) => item(help.optionTerm(option), help.optionDescription(option)));
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [`.SH ${title}`, ...lines];
}

function item(term: string, text: string): readonly string[] {
  return [".TP", `.B ${escapeRoff(term)}`, sentence(text)];
}

function sentence(text: string): string {
  const escaped = escapeRoff(text);
  return /[.?!)]$/.test(text) ? escaped : `${escaped}.`;
}

function reference(name: string, number: number): string {
  return `\\fB${escapeRoff(name)}\\fR(${number})`;
}

function quote(text: string): string {
  return `"${escapeRoff(text)}"`;
}

/** One line in which nothing is a request or an escape, and hyphens are those that one types. */
function escapeRoff(text: string): string {
  const plain = text.replace(/\s+/g, " ").replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll('"', "\\(dq");
  return /^[.']/.test(plain) ? `\\&${plain}` : plain;
}

const serverNames = ["fulmard", "fulmar-endpoint"];

const statusTexts: Readonly<Record<keyof typeof statuses, readonly [number, string]>> = {
  success: [statuses.success, "it is done"],
  chain: [statuses.chain, "our own certificate chain does not hold"],
  refused: [statuses.refused, "the command was refused, or failed on the other side"],
  http: [statuses.http, "a repository of images did not answer as one"],
  unaccepted: [statuses.unaccepted, "the server did not accept our certificate"],
  server: [statuses.server, "we do not accept the server's certificate"],
  communication: [statuses.communication, "the connection broke, or what came is no answer"],
  connect: [statuses.connect, "there is no connection"],
  usage: [statuses.usage, "the command line, or a file that it names, is wrong"],
  internal: [statuses.internal, "a bug"],
};
