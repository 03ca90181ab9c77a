/**
 * certificate: carries out what a signed certificate says.
 *
 * @module
 */
import { type Command as CommanderCommand, Option } from "commander";
import { decodeExtension } from "../codec/extension.ts";
import type { Command } from "../core/command.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { Environment } from "../host/client_environment.ts";
import { type Certificate, sameBytes } from "../x509/certificate.ts";
import { encodeKey, encodePublicKey } from "../x509/keys.ts";
import { encodeCertificates } from "../x509/pem.ts";
import { type Chain, checkChain, type Key, readChain, readKey } from "./credentials.ts";
import { type Failure, failure } from "./failure.ts";
import { addLogging, addServerCa, type Logging } from "./options.ts";
import { execute, readAnchor } from "./remote.ts";
import type { Outcome, Session } from "./session.ts";
import { type Destination, parseDestinationWord } from "./words.ts";

interface CertificateOptions extends Logging {
  readonly destination: Destination;
  readonly serverCa: string;
}

export function addCertificate(program: CommanderCommand, session: Session): void {
  const command = program
    .command("certificate")
    .description("carry out the command that a signed certificate holds")
    .argument("<certificate>", "the file that 'sign' wrote")
    .argument("<key>", "the file of its private key")
    .addOption(
      new Option("-d, --destination <host[:port]>", "the server to go to")
        .argParser(parseDestinationWord)
        .makeOptionMandatory(),
    );
  addLogging(addServerCa(command)).action(async (certificate: string, key: string, options: CertificateOptions) =>
    session.finish(await executeFile(session.environment, { certificate, key }, options)),
  );
}

async function executeFile(
  environment: Environment,
  files: { readonly certificate: string; readonly key: string },
  options: CertificateOptions,
): Promise<Outcome> {
  const chain = await readChain(environment, files.certificate, "'sign' writes it next to where it is run");
  if (!chain.ok) return chain.error;
  const key = await readKey(environment, files.key, "'--csr' wrote it together with the request");
  if (!key.ok) return key.error;
  const command = commandOf(chain.value, key.value, environment.now());
  if (!command.ok) return command.error;
  const anchor = await readAnchor(environment, options.serverCa);
  if (!anchor.ok) return anchor.error;
  const leaf = { chain: encodeCertificates(chain.value.map(({ raw }) => raw)), key: encodeKey(key.value) };
  return execute(environment, options, {
    destination: options.destination,
    anchor: anchor.value,
    leaf,
    command: command.value,
  });
}

function commandOf(chain: Chain, key: Key, now: number): Result<Command, Failure> {
  const [leaf] = chain;
  if (!sameBytes(encodePublicKey(key), leaf.publicKey.spki)) {
    return err(failure("chain", "the private key does not belong to the certificate"));
  }
  const holds = checkChain(chain, now);
  if (!holds.ok) return holds;
  const command = readCommand(leaf);
  if (!command.ok) return command;
  const obstacle = obstacleTo(command.value);
  return obstacle === undefined ? command : err(obstacle);
}

function readCommand(leaf: Certificate): Result<Command, Failure> {
  if (leaf.extensions.command === undefined) return err(failure("chain", "the certificate holds no command"));
  const command = decodeExtension(leaf.extensions.command);
  return command.ok ? ok(command.value) : err(failure("chain", `its command cannot be read: ${command.error.kind}`));
}

/** Commands that need more than this sub-command is given, or whose answer it cannot print. */
function obstacleTo(command: Command): Failure | undefined {
  switch (command.kind) {
    case "unikernel-create":
      if (command.image.bytes.length > 0) return undefined;
      return failure("usage", "the certificate leaves out the image that it creates", "use create with -d");
    case "unikernel-get":
    case "block-set":
    case "block-dump":
    case "stats-subscribe":
      return failure("usage", `this client cannot carry out ${command.kind.replace("-", " ")} yet`);
    default:
      return undefined;
  }
}
