/**
 * Passphrases: from a file, from the environment, or typed; never a word of the command line, which every user of the
 * machine can see.
 *
 * @module
 */
import { err, ok, type Result } from "../core/result.ts";
import type { Environment } from "../host/client_environment.ts";
import { type Failure, failure, fileFailure } from "./failure.ts";

/** The passphrase of something that exists; undefined where nobody can be asked. */
export async function findPassphrase(environment: Environment, of: string): Promise<string | undefined> {
  return environment.variable(variable) ?? (await environment.askSecret(`passphrase of ${of}`));
}

/** The passphrase for something new: typed twice. */
export async function choosePassphrase(
  environment: Environment,
  file: string | undefined,
  of: string,
): Promise<Result<string, Failure>> {
  const chosen = file === undefined ? await fromEnvironment(environment, of) : await firstLine(environment, file);
  if (!chosen.ok || chosen.value !== "") return chosen;
  return err(failure("usage", "an empty passphrase protects nothing"));
}

async function fromEnvironment(environment: Environment, of: string): Promise<Result<string, Failure>> {
  const given = environment.variable(variable);
  if (given !== undefined) return ok(given);
  const typed = await environment.askSecret(`new passphrase of ${of}`);
  if (typed === undefined) return err(failure("usage", "no passphrase is given", waysHint));
  const again = await environment.askSecret("the same again");
  return typed === again ? ok(typed) : err(failure("usage", "the two passphrases differ"));
}

async function firstLine(environment: Environment, file: string): Promise<Result<string, Failure>> {
  const bytes = await environment.readFile(file);
  if (!bytes.ok) return err(fileFailure(bytes.error));
  const [line = ""] = Buffer.from(bytes.value).toString("utf8").split(/\r?\n/, 1);
  return ok(line);
}

const variable = "FULMAR_PASSPHRASE";

const waysHint = `put it in a file for --passphrase-file, or in ${variable}, or use a terminal`;
