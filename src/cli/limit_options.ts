/**
 * `--limit NAME=VALUE`, and what help and manual pages say of it.
 *
 * @module
 */
import { type Command, InvalidArgumentError, Option } from "commander";
import { type Limit, withLimits } from "../core/limits.ts";

/** The option, whose value is all limits; each is said once in the help. */
export function addLimits<K extends string>(program: Command, table: Readonly<Record<K, Limit>>): Command {
  const said: Partial<Record<K, number>> = {};
  const parse = (text: string): Readonly<Record<K, number>> => {
    const [name, value] = parseLimit(table, text);
    said[name] = value;
    return withLimits(table, said);
  };
  const description = "set one of the limits below (repeatable)";
  const option = new Option("--limit <name=value>", description)
    .argParser(parse)
    .default(withLimits(table, {}), "those");
  return program.addOption(option).addHelpText("after", `\nLimits:\n${limitLines(table).map(printLine).join("\n")}`);
}

/** For each limit its name with the usual value, and what it bounds. */
export function limitLines(table: Readonly<Record<string, Limit>>): readonly (readonly [string, string])[] {
  return Object.entries(table).map(([name, { usual, unit, about }]) => [
    `${name}=${usual}`,
    unit === "" ? about : `${about} (${unit === "s" ? "seconds" : unit})`,
  ]);
}

function printLine([term, about]: readonly [string, string]): string {
  return `  ${term.padEnd(columns)}  ${about}`;
}

function parseLimit<K extends string>(table: Readonly<Record<K, Limit>>, text: string): readonly [K, number] {
  const [, word = "", digits = ""] = /^([a-z-]+)=(\d{1,12})$/.exec(text) ?? [];
  for (const name in table) {
    if (name !== word) continue;
    const { least, most } = table[name];
    const value = Number(digits);
    if (value >= least && value <= most) return [name, value];
    throw new InvalidArgumentError(`${name} is from ${least} to ${most}.`);
  }
  throw new InvalidArgumentError("It is written NAME=NUMBER, with one of the names that --help lists.");
}

/** Wide enough for the longest. */
const columns = 30;
