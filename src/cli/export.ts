/**
 * export: a key behind a passphrase, alone or with its certificates, for people and browsers.
 *
 * @module
 */

import type { Command as CommanderCommand } from "commander";
import type { Chain, Key } from "../client/leaf.ts";
import type { Environment } from "../host/client_environment.ts";
import { type Certificate, sameBytes } from "../x509/certificate.ts";
import { encodePublicKey } from "../x509/keys.ts";
import { readChain, readKey } from "./credentials.ts";
import { failure, fileFailure } from "./failure.ts";
import { addLogging, type Logging } from "./options.ts";
import { choosePassphrase } from "./passphrase.ts";
import { inform } from "./report.ts";
import type { Outcome, Session } from "./session.ts";
import { repeated } from "./words.ts";

interface ExportOptions extends Logging {
  readonly output?: string;
  readonly passphraseFile?: string;
  readonly title?: string;
  readonly with?: readonly string[];
}

export function addExport(program: CommanderCommand, session: Session): void {
  const command = program
    .command("export")
    .description("write a private key behind a passphrase, with a certificate as a bundle (PKCS #12) for browsers")
    .argument("<key>", "the file of the private key")
    .argument("[certificate]", "the file of its certificate, followed by those above it")
    .option(
      "-o, --output <file>",
      "what to write (default: the first file's name, ending in .p8, or .p12 for a bundle)",
    )
    .option(
      "--passphrase-file <file>",
      "the passphrase is its first line (default: FULMAR_PASSPHRASE, or it is asked for)",
    )
    .option("--title <text>", "what a browser lists the certificate as (default: its common name)")
    .option("--with <file>", "more certificates for the bundle, such as cacert.pem; repeatable", repeated(String));
  addLogging(command).action(async (key: string, certificate: string | undefined, options: ExportOptions) =>
    session.finish(await exportFiles(session.environment, { key, certificate }, options)),
  );
}

interface Files {
  readonly key: string;
  readonly certificate: string | undefined;
}

async function exportFiles(environment: Environment, files: Files, options: ExportOptions): Promise<Outcome> {
  const key = await readKey(environment, files.key, "the first argument is the file of the private key");
  if (!key.ok) return key.error;
  return files.certificate === undefined
    ? exportKey(environment, { path: files.key, key: key.value }, options)
    : exportBundle(environment, { path: files.certificate, key: key.value }, options);
}

/** A key, and the file that the export is named after. */
interface Subject {
  readonly path: string;
  readonly key: Key;
}

async function exportKey(environment: Environment, { path, key }: Subject, options: ExportOptions): Promise<Outcome> {
  const idle = options.with === undefined ? options.title && "--title" : "--with";
  if (idle) return failure("usage", `${idle} is for a bundle`, "give the key's certificate after the key");
  const passphrase = await choosePassphrase(environment, options.passphraseFile, "the exported key");
  if (!passphrase.ok) return passphrase.error;
  const { encryptKey } = await exporter();
  const pem = await encryptKey(key, passphrase.value);
  return write(environment, options, options.output ?? rename(path, ".p8"), pem);
}

async function exportBundle(environment: Environment, subject: Subject, options: ExportOptions): Promise<Outcome> {
  const { path, key } = subject;
  const own = await readChain(environment, path, "the second argument is the file of the key's certificate");
  if (!own.ok) return own.error;
  const [leaf] = own.value;
  if (!sameBytes(encodePublicKey(key), leaf.publicKey.spki)) {
    return failure("chain", "the private key does not belong to the certificate");
  }
  const above: Certificate[] = [];
  for (const file of options.with ?? []) {
    const chain = await readChain(environment, file, "--with is a file of certificates");
    if (!chain.ok) return chain.error;
    above.push(...chain.value);
  }
  const title = options.title ?? leaf.subject.commonName ?? "fulmar";
  if (/[\u{10000}-\u{10ffff}]/u.test(title))
    return failure("usage", "a title takes no characters beyond the basic plane");
  const passphrase = await choosePassphrase(environment, options.passphraseFile, "the exported bundle");
  if (!passphrase.ok) return passphrase.error;
  const { encodeBundle, isBundlePassphrase } = await exporter();
  if (!isBundlePassphrase(passphrase.value)) return notAscii;
  const pfx = await encodeBundle({ key, chain: withoutRepetition(own.value, above), title }, passphrase.value);
  return write(environment, options, options.output ?? rename(path, ".p12"), pfx);
}

function withoutRepetition(chain: Chain, more: readonly Certificate[]): Chain {
  const [leaf, ...above] = chain;
  const all = [...above, ...more];
  return [leaf, ...all.filter(({ raw }, index) => all.findIndex((other) => sameBytes(other.raw, raw)) === index)];
}

async function write(
  environment: Environment,
  options: Logging,
  path: string,
  content: Uint8Array | string,
): Promise<Outcome> {
  const written = await environment.writeFile(path, content, 0o400);
  if (!written.ok) return fileFailure(written.error);
  inform(environment, options, `wrote ${path}`);
  return undefined;
}

function rename(path: string, ending: string): string {
  return `${path.replace(/\.(key|pem|crt)$/, "")}${ending}`;
}

/** Loaded when it is wanted: node-forge doubles the time that other commands take to start. */
function exporter(): Promise<typeof import("../x509/export.ts")> {
  return import("../x509/export.ts");
}

const notAscii = failure(
  "usage",
  "the passphrase of a bundle takes letters, digits and signs of ASCII only",
  "programs read other characters in different ways, and could not open it",
);
