/**
 * --healthy-after and --health: what a new unikernel must show before what it
 * replaces is given up.
 *
 * @module
 */
import { type Command, InvalidArgumentError } from "commander";
import { describeRefusal } from "../core/describe.ts";
import { type Health, type HealthWords, readHealth } from "../core/health.ts";

export function addHealth(command: Command): Command {
  return command
    .option(
      "--healthy-after <time>",
      "how long it must run, such as 30s, before it counts as created; else the one before it comes back (fulmar servers only)",
      parseTime,
    )
    .option(
      "--health <sign>",
      "it counts as created once it shows this, within --healthy-after or 30 s: console:PATTERN, prints a line that fits; tcp:[ADDRESS:]PORT, takes a connection; http://[ADDRESS]:PORT/PATH, answers with a status of 200 to 399",
      parseHealth,
    );
}

export function healthOf(words: HealthWords): { readonly health?: Health } {
  const read = readHealth(words);
  return read.ok ? read.value : {};
}

function parseTime(word: string): number {
  const [, number, unit = "s"] = /^(\d{1,6})(ms|s|m)?$/.exec(word) ?? [];
  if (number === undefined) throw new InvalidArgumentError("A time is written 500ms, 30s or 2m.");
  const healthyAfter = Number(number) * (units[unit] ?? 1);
  check({ healthyAfter });
  return healthyAfter;
}

function parseHealth(health: string): string {
  check({ health });
  return health;
}

function check(words: HealthWords): void {
  const read = readHealth(words);
  if (!read.ok) throw new InvalidArgumentError(`${describeRefusal(read.error)}.`);
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };
