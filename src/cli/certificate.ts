/**
 * certificate: carries out what a signed certificate says.
 *
 * @module
 */

import { type Command as CommanderCommand, Option } from "commander";
import type { Destination } from "../client/destination.ts";
import type { Chain, Key } from "../client/leaf.ts";
import { decodeExtension } from "../codec/extension.ts";
import type { Command } from "../core/command.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { Environment } from "../host/client_environment.ts";
import type { Outgoing } from "../host/client_transfer.ts";
import { type Certificate, sameBytes } from "../x509/certificate.ts";
import { encodeKey, encodePublicKey } from "../x509/keys.ts";
import { encodeCertificates } from "../x509/pem.ts";
import { checkChain, readChain, readKey } from "./credentials.ts";
import { type Failure, failure, fileFailure } from "./failure.ts";
import { addLogging, addServerCa, type Logging } from "./options.ts";
import { execute, readAnchor } from "./remote.ts";
import type { Outcome, Session } from "./session.ts";
import { parseDestinationWord } from "./words.ts";

interface CertificateOptions extends Logging {
  readonly destination: Destination;
  readonly serverCa: string;
  readonly data?: string;
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
    )
    .option("--data <file>", "what the certificate leaves out: the content of a block device, or an image");
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
  const upload = await openUpload(environment, command.value, options.data);
  if (!upload.ok) return upload.error;
  const leaf = { chain: encodeCertificates(chain.value.map(({ raw }) => raw)), key: encodeKey(key.value) };
  const errand = { destination: options.destination, anchor: anchor.value, leaf, command: command.value };
  if (upload.value === undefined) return execute(environment, options, errand);
  const outcome = await execute(environment, options, { ...errand, upload: upload.value });
  await upload.value.close();
  return outcome;
}

/** The file with what the certificate leaves out, where it leaves anything out. */
async function openUpload(
  environment: Environment,
  command: Command,
  file: string | undefined,
): Promise<Result<Outgoing | undefined, Failure>> {
  const compressed = missing(command);
  if (compressed === undefined) {
    if (file === undefined) return ok(undefined);
    return err(failure("usage", "the certificate leaves nothing out that --data could give"));
  }
  if (file === undefined) {
    const what = command.kind === "block-set" ? "the content that it puts on the block device" : "the image";
    return err(failure("usage", `the certificate leaves out ${what}`, "give the file with --data"));
  }
  const upload = await environment.openOutgoing(file, compressed ? hardest : 0);
  return upload.ok ? upload : err(fileFailure(upload.error));
}

/** Whether what the certificate leaves out travels compressed; undefined where it leaves out nothing. */
function missing(command: Command): boolean | undefined {
  if (command.kind === "block-set" && command.data === undefined) return command.compressed;
  if (command.kind === "unikernel-create" && command.image.bytes.length === 0) return command.image.compressed;
  return undefined;
}

function commandOf(chain: Chain, key: Key, now: number): Result<Command, Failure> {
  const [leaf] = chain;
  if (!sameBytes(encodePublicKey(key), leaf.publicKey.spki)) {
    return err(failure("chain", "the private key does not belong to the certificate"));
  }
  const holds = checkChain(chain, now);
  if (!holds.ok) return holds;
  return readCommand(leaf);
}

function readCommand(leaf: Certificate): Result<Command, Failure> {
  if (leaf.extensions.command === undefined) return err(failure("chain", "the certificate holds no command"));
  const command = decodeExtension(leaf.extensions.command);
  return command.ok ? ok(command.value) : err(failure("chain", `its command cannot be read: ${command.error.kind}`));
}

/** The level of zlib for what crosses a network. */
const hardest = 9;
