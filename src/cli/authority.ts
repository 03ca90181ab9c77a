/**
 * generate and sign: an authority of one's own.
 *
 * @module
 */

import type { Command as CommanderCommand } from "commander";
import { type Chain, type Key, serialLength } from "../client/leaf.ts";
import { describePermissions } from "../core/describe.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { Environment } from "../host/client_environment.ts";
import { type Certificate, parseCertificate, sameBytes } from "../x509/certificate.ts";
import { parseRequest, type SigningRequest } from "../x509/csr.ts";
import { backdating, issueCertificate, type Profile } from "../x509/issue.ts";
import { encodeKey, encodePublicKey, type KeyType } from "../x509/keys.ts";
import { encodeCertificates, parsePem } from "../x509/pem.ts";
import { type SignedCertificate, signRequest } from "../x509/sign.ts";
import { checkIssuer, readChain, readKey } from "./credentials.ts";
import { describePem } from "./describe.ts";
import { describeRequest, describeSign } from "./describe_sign.ts";
import { escapeText } from "./escape.ts";
import { type Failure, failure, fileFailure } from "./failure.ts";
import { addKeyType, addLogging, type Logging } from "./options.ts";
import { printCommand } from "./print_command.ts";
import { warn } from "./report.ts";
import type { Outcome, Session } from "./session.ts";
import { fileBase } from "./subject.ts";
import { parsePositiveWord } from "./words.ts";

export function addAuthority(program: CommanderCommand, session: Session): void {
  const generate = program
    .command("generate")
    .description("make an authority and the certificate of its server")
    .argument("<name>", "the authority's name; its key goes to <name>.key, its certificate to cacert.pem")
    .argument("<db>", "the file that lists the certificates that were issued")
    .option("--days <days>", "how long the authority is valid", parsePositiveWord, 3650)
    .option("--server <name>", "the server's name; its files are <name>.key and <name>.pem", "server")
    .option("--server-days <days>", "how long the server's certificate is valid", parsePositiveWord, 365);
  addLogging(addKeyType(generate)).action(async (name: string, db: string, options: GenerateOptions) =>
    session.finish(await generateAuthority(session.environment, { name, db }, options)),
  );
  const sign = program
    .command("sign")
    .description("sign a request; writes <common name>.pem")
    .argument("<cacert>", "the authority's certificate, followed by those above it")
    .argument("<db>", "the file that lists the certificates that were issued")
    .argument("<key>", "the authority's private key")
    .argument("<request>", "what --csr wrote")
    .option("--days <days>", "validity (default: 365 for a policy, 1 for a command)", parsePositiveWord);
  addLogging(sign).action(async (ca: string, db: string, key: string, request: string, options: SignOptions) =>
    session.finish(await signFile(session.environment, { ca, db, key, request }, options)),
  );
}

interface GenerateOptions extends Logging {
  readonly days: number;
  readonly server: string;
  readonly serverDays: number;
  readonly keyType: KeyType;
}

async function generateAuthority(
  environment: Environment,
  { name, db }: { readonly name: string; readonly db: string },
  options: GenerateOptions,
): Promise<Outcome> {
  const key = await existingOrNewKey(environment, `${name}.key`, options.keyType);
  if (!key.ok) return key.error;
  const root = issue(environment, { profile: "authority", commonName: name, key: key.value, days: options.days });
  const parsed = parseCertificate(root);
  if (!parsed.ok) return failure("internal", `the new authority cannot be read: ${parsed.error.kind}`);
  const issuer = { certificate: parsed.value, key: key.value };
  const serverKey = await existingOrNewKey(environment, `${options.server}.key`, options.keyType);
  if (!serverKey.ok) return serverKey.error;
  const subject = { profile: "server", commonName: options.server, key: serverKey.value } as const;
  const server = issue(environment, { ...subject, days: options.serverDays, issuer });
  const written = await writeCertificates(environment, "cacert.pem", [root]);
  if (!written.ok) return fileFailure(written.error);
  return store(environment, { base: options.server, db, commonName: options.server }, server, []);
}

interface Subject {
  readonly profile: Profile;
  readonly commonName: string;
  readonly key: Key;
  readonly days: number;
  readonly issuer?: { readonly certificate: Certificate; readonly key: Key };
}

function issue(environment: Environment, { profile, commonName, key, days, issuer }: Subject): Uint8Array {
  const now = environment.now();
  return issueCertificate({
    profile,
    commonName,
    publicKey: encodePublicKey(key),
    ...(issuer === undefined ? {} : { issuer: issuer.certificate }),
    issuerKey: issuer?.key ?? key,
    notBefore: now - backdating,
    notAfter: now + days * millisecondsPerDay,
    serial: environment.random(serialLength),
  });
}

async function existingOrNewKey(environment: Environment, path: string, type: KeyType): Promise<Result<Key, Failure>> {
  const existing = await environment.readFile(path);
  if (existing.ok) return readKey(environment, path, "");
  if (existing.error.code !== "ENOENT") return err(fileFailure(existing.error));
  const key = await environment.generateKey(type);
  const written = await environment.writeFile(path, encodeKey(key), 0o400);
  return written.ok ? ok(key) : err(fileFailure(written.error));
}

interface SignOptions extends Logging {
  readonly days?: number;
}

interface SignFiles {
  readonly ca: string;
  readonly db: string;
  readonly key: string;
  readonly request: string;
}

async function signFile(environment: Environment, files: SignFiles, options: SignOptions): Promise<Outcome> {
  const chain = await readChain(environment, files.ca, "the first argument is the authority's certificate");
  if (!chain.ok) return chain.error;
  const key = await readKey(environment, files.key, "the third argument is the authority's private key");
  if (!key.ok) return key.error;
  const request = await readRequest(environment, files.request);
  if (!request.ok) return request.error;
  const { commonName, command, permissions } = request.value;
  await environment.stdout(`signing certificate with subject /CN=${escapeText(commonName ?? "")}\n`);
  const base = fileBase(commonName, command);
  if (!base.ok) return base.error;
  const signed = signWith(environment, { chain: chain.value, key: key.value }, request.value, options);
  if (!signed.ok) return signed.error;
  const holds = await checkIssuer(environment, { chain: chain.value, key: key.value });
  if (!holds.ok) return holds.error;
  if (command === undefined)
    warn(environment, options, "the request asks for nothing: this becomes a server's certificate");
  else await environment.stdout(`signing ${printCommand(command)}\n`);
  if (permissions !== undefined) {
    await environment.stdout(`signing permissions: ${describePermissions(permissions)}\n`);
  }
  const target = { base: base.value, db: files.db, commonName: commonName ?? base.value };
  return store(environment, target, signed.value.der, chain.value);
}

async function readRequest(environment: Environment, path: string): Promise<Result<SigningRequest, Failure>> {
  const bytes = await environment.readFile(path);
  if (!bytes.ok) return err(fileFailure(bytes.error, "the fourth argument is the request that --csr wrote"));
  const blocks = parsePem(Buffer.from(bytes.value).toString("latin1"));
  if (!blocks.ok) return err(describePem(path, blocks.error));
  const block = blocks.value.find(({ label }) => label.endsWith("CERTIFICATE REQUEST"));
  if (block === undefined) return err(describePem(path, { kind: "pem-missing", label: "CERTIFICATE REQUEST" }));
  const request = parseRequest(block.der);
  return request.ok ? request : err(describeRequest(path, request.error));
}

function signWith(
  environment: Environment,
  issuer: { readonly chain: Chain; readonly key: Key },
  request: SigningRequest,
  { days }: SignOptions,
): Result<SignedCertificate, Failure> {
  const signed = signRequest(request, {
    issuer: issuer.chain[0],
    above: issuer.chain.slice(1),
    issuerKey: issuer.key,
    now: environment.now(),
    ...(days === undefined ? {} : { days }),
    serial: environment.random(serialLength),
  });
  return signed.ok ? signed : err(describeSign(signed.error));
}

interface Target {
  readonly base: string;
  readonly db: string;
  readonly commonName: string;
}

/** Enters a certificate in the database, then writes it with those above it; the root is left out, every server has it. */
async function store(
  environment: Environment,
  { base, db, commonName }: Target,
  der: Uint8Array,
  above: readonly Certificate[],
): Promise<Outcome> {
  const certificate = parseCertificate(der);
  if (!certificate.ok) return failure("internal", `the new certificate cannot be read: ${certificate.error.kind}`);
  const serial = Buffer.from(certificate.value.serial).toString("hex");
  const entered = await environment.appendFile(db, `${serial} ${commonName}\n`);
  if (!entered.ok) return fileFailure(entered.error);
  const kept = above.filter(({ issuer, subject }) => !sameBytes(issuer.bytes, subject.bytes));
  const written = await writeCertificates(environment, `${base}.pem`, [der, ...kept.map(({ raw }) => raw)]);
  return written.ok ? undefined : fileFailure(written.error);
}

function writeCertificates(
  environment: Environment,
  path: string,
  ders: readonly Uint8Array[],
): ReturnType<Environment["writeFile"]> {
  return environment.writeFile(path, encodeCertificates(ders), 0o644);
}

const millisecondsPerDay = 24 * 60 * 60 * 1000;
