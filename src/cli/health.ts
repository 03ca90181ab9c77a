/**
 * --healthy-after and --health: what a new unikernel must show before what it
 * replaces is given up.
 *
 * @module
 */
import { type Command, InvalidArgumentError } from "commander";
import { describeRefusal } from "../core/describe.ts";
import { checkHealth, type Health } from "../core/health.ts";

export interface HealthOptions {
  /** Milliseconds. */
  readonly healthyAfter?: number;
  /** Of a line on its console. */
  readonly health?: string;
}

export function addHealth(command: Command): Command {
  return command
    .option(
      "--healthy-after <time>",
      "how long it must run, such as 30s, before it counts as created; else the one before it comes back (fulmar servers only)",
      parseTime,
    )
    .option(
      "--health <console:pattern>",
      "it counts as created once it prints a line that fits, within --healthy-after or 30 s",
      parseHealth,
    );
}

export function healthOf({ healthyAfter, health }: HealthOptions): { readonly health?: Health } {
  if (healthyAfter === undefined && health === undefined) return {};
  const within = healthyAfter ?? usualTime;
  return { health: health === undefined ? { within } : { within, pattern: health } };
}

function parseTime(word: string): number {
  const [, number, unit = "s"] = /^(\d{1,6})(ms|s|m)?$/.exec(word) ?? [];
  if (number === undefined) throw new InvalidArgumentError("A time is written 500ms, 30s or 2m.");
  return accepted({ within: Number(number) * (units[unit] ?? 1) }).within;
}

function parseHealth(word: string): string {
  const [, pattern] = /^console:(.+)$/.exec(word) ?? [];
  if (pattern === undefined) throw new InvalidArgumentError("It is written console:PATTERN.");
  accepted({ within: usualTime, pattern });
  return pattern;
}

function accepted(health: Health): Health {
  const checked = checkHealth(health);
  if (!checked.ok) throw new InvalidArgumentError(`${describeRefusal(checked.error)}.`);
  return health;
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };

/** Milliseconds, where a pattern is given alone. */
const usualTime = 30_000;
