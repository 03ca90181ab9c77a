/**
 * push-crl, lock, unlock and locks: who is let in.
 *
 * @module
 */
import { Argument, type Command as CommanderCommand, Option } from "commander";
import type { Command } from "../core/command.ts";
import type { Path } from "../core/name.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { Environment } from "../host/client_environment.ts";
import { crlLabel, parseCrl, verifyCrl } from "../x509/crl.ts";
import { describeCrlError, describeCrlOrigin } from "../x509/describe_crl.ts";
import { parsePem } from "../x509/pem.ts";
import { readChain } from "./credentials.ts";
import { describePem } from "./describe.ts";
import { type Failure, failure, fileFailure } from "./failure.ts";
import { addNetworking, type Networking } from "./options.ts";
import type { Session } from "./session.ts";
import { parsePathWord } from "./words.ts";

export function addTrust(program: CommanderCommand, session: Session): void {
  addNetworking(program.command("push-crl"))
    .description("put the revocation list of the authority --ca in force (fulmar servers only)")
    .argument("<crl>", "the file that 'revoke' wrote; --ca says whose it is, without -d too")
    .action(async (file: string, options: Networking) => {
      const command = await readPush(session.environment, file, options.ca);
      session.finish(
        command.ok ? await session.send({ name: { path: [] }, command: command.value, options }) : command.error,
      );
    });
  addPathCommand(
    program,
    session,
    "lock",
    "let nobody in whose path is there or below, at once; what runs goes on (fulmar servers only)",
  );
  addPathCommand(program, session, "unlock", "take a lock away that was set here or below (fulmar servers only)");
  addNetworking(program.command("locks"))
    .description("show the locks at and below a path (fulmar servers only)")
    .addOption(new Option("-p, --path <path>", "such as alice:bob").argParser(parsePathWord).default([], "everything"))
    .action(async (options: Networking & { readonly path: Path }) =>
      session.finish(await session.send({ name: { path: options.path }, command: { kind: "locks" }, options })),
    );
}

function addPathCommand(
  program: CommanderCommand,
  session: Session,
  kind: "lock" | "unlock",
  description: string,
): void {
  addNetworking(program.command(kind))
    .description(description)
    .addArgument(new Argument("<path>", "such as alice:bob; with -d below your authority's").argParser(parsePathWord))
    .action(async (path: Path, options: Networking) =>
      session.finish(await session.send({ name: { path: [] }, command: { kind, path }, options })),
    );
}

async function readPush(environment: Environment, file: string, ca: string): Promise<Result<Command, Failure>> {
  const chain = await readChain(environment, ca, "--ca is the certificate of the authority whose list it is");
  if (!chain.ok) return chain;
  const [authority] = chain.value;
  const bytes = await environment.readFile(file);
  if (!bytes.ok) return err(fileFailure(bytes.error, "'revoke' writes one"));
  const blocks = parsePem(Buffer.from(bytes.value).toString("latin1"));
  if (!blocks.ok) return err(describePem(file, blocks.error));
  const block = blocks.value.find(({ label }) => label === crlLabel);
  if (block === undefined) return err(describePem(file, { kind: "pem-missing", label: crlLabel }));
  const crl = parseCrl(block.der);
  if (!crl.ok) return err(failure("usage", `${file}: ${describeCrlError(crl.error)}`));
  const origin = verifyCrl(crl.value, authority);
  if (!origin.ok)
    return err(failure("usage", `${file}: ${describeCrlOrigin(origin.error)}`, `the authority is --ca ${ca}`));
  return ok({ kind: "push-crl", crl: block.der, authority: authority.raw });
}
