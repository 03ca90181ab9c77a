/**
 * What is said on stderr: failures with a hint, warnings, and what is being done.
 *
 * @module
 */
import type { Environment } from "../host/client_environment.ts";
import { type Failure, statuses } from "./failure.ts";
import { type Logging, says } from "./options.ts";

/** Says why a command failed; returns its exit status. */
export function report(environment: Environment, options: Logging, failure: Failure): number {
  if (says(options, "error")) {
    environment.stderr(`${paint(environment, options, red, "error:")} ${failure.text}\n`);
    if (failure.hint !== undefined)
      environment.stderr(`${paint(environment, options, bold, "hint:")} ${failure.hint}\n`);
  }
  return statuses[failure.status];
}

export function warn(environment: Environment, options: Logging, text: string): void {
  if (says(options, "warning")) environment.stderr(`${paint(environment, options, bold, "warning:")} ${text}\n`);
}

/** What `-v` shows. */
export function inform(environment: Environment, options: Logging, text: string): void {
  if (says(options, "info")) environment.stderr(`${text}\n`);
}

function paint(environment: Environment, options: Logging, colour: string, text: string): string {
  const coloured = options.color === "always" || (options.color !== "never" && environment.interactive);
  return coloured ? `${colour}${text}${reset}` : text;
}

const red = "\x1b[1;31m";
const bold = "\x1b[1m";
const reset = "\x1b[0m";
