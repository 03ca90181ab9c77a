/**
 * revoke: makes an authority's next revocation list.
 *
 * What was revoked stands in a file beside the database, `<db>.revoked`, which
 * only grows; the database stays as albatross writes it. A line is written
 * before the list that it is for, so that no number is ever used twice.
 *
 *     <authority> <number of the list> <serial number, or - where the list was only renewed> <time>
 *
 * @module
 */
import type { Command as CommanderCommand } from "commander";
import type { Key } from "../client/leaf.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { Environment } from "../host/client_environment.ts";
import { type Certificate, sameBytes } from "../x509/certificate.ts";
import { authorityId } from "../x509/certificate_id.ts";
import { crlLabel, parseCrl, type RevokedEntry, verifyCrl } from "../x509/crl.ts";
import { issueCrl } from "../x509/issue_crl.ts";
import { encodePublicKey } from "../x509/keys.ts";
import { encodePem } from "../x509/pem.ts";
import { verifySignature } from "../x509/signature.ts";
import { readChain, readKey } from "./credentials.ts";
import { escapeText } from "./escape.ts";
import { type Failure, failure, fileFailure } from "./failure.ts";
import { addLogging, type Logging } from "./options.ts";
import { printTime } from "./print.ts";
import type { Outcome, Session } from "./session.ts";
import { fileBase } from "./subject.ts";
import { parsePositiveWord } from "./words.ts";

export function addRevoke(program: CommanderCommand, session: Session): void {
  const revoke = program
    .command("revoke")
    .description(
      "revoke certificates, or only renew the list; writes <authority's name>.crl and remembers in <db>.revoked",
    )
    .argument("<cacert>", "the authority's certificate")
    .argument("<db>", "the file that lists the certificates that were issued")
    .argument("<key>", "the authority's private key")
    .argument("[certificates...]", "serial numbers as in <db>, or files of certificates")
    .option(
      "--next-update <days>",
      "when a newer list is to be there: until then this one is good",
      parsePositiveWord,
      30,
    );
  addLogging(revoke).action(
    async (ca: string, db: string, key: string, certificates: readonly string[], options: RevokeOptions) =>
      session.finish(await revokeAll(session.environment, { ca, db, key, certificates }, options)),
  );
}

interface RevokeOptions extends Logging {
  readonly nextUpdate: number;
}

interface RevokeWords {
  readonly ca: string;
  readonly db: string;
  readonly key: string;
  readonly certificates: readonly string[];
}

async function revokeAll(environment: Environment, words: RevokeWords, options: RevokeOptions): Promise<Outcome> {
  const issuer = await readAuthority(environment, words);
  if (!issuer.ok) return issuer.error;
  const base = fileBase(issuer.value.certificate.subject.commonName, undefined);
  if (!base.ok) return base.error;
  const lock = `${words.db}.revoked.lock`;
  const done = await environment.exclusively(lock, () =>
    revokeInTurn(environment, words, options, issuer.value, `${base.value}.crl`),
  );
  if (done.ok) return done.value;
  const hint =
    done.error.code === "EEXIST"
      ? `another revocation goes on; if none does, one was killed: remove ${lock}`
      : undefined;
  return fileFailure(done.error, hint);
}

/** Nobody else reads the record before the list is written: each list has a number of its own, and what the others revoked. */
async function revokeInTurn(
  environment: Environment,
  words: RevokeWords,
  options: RevokeOptions,
  issuer: Authority,
  list: string,
): Promise<Outcome> {
  const { certificate } = issuer;
  const record = await readRecord(environment, `${words.db}.revoked`, authorityId(certificate));
  if (!record.ok) return record.error;
  const serials = await readSerials(environment, words, certificate);
  if (!serials.ok) return serials.error;
  const time = Math.floor(environment.now() / 1000) * 1000;
  const known = new Set(record.value.revoked.map((entry) => hex(entry.serial)));
  const fresh = [...new Set(serials.value)].filter((serial) => !known.has(serial));
  for (const serial of serials.value) {
    await environment.stdout(known.has(serial) ? `${serial} is revoked already\n` : `revoking ${serial}\n`);
  }
  const added = fresh.map((serial) => ({ serial: Buffer.from(serial, "hex"), time }));
  const next = { number: record.value.number + 1, time, revoked: [...record.value.revoked, ...added] };
  const lines = (fresh.length > 0 ? fresh : ["-"]).map(
    (serial) => `${authorityId(certificate)} ${next.number} ${serial} ${new Date(time).toISOString()}\n`,
  );
  const noted = await environment.appendFile(`${words.db}.revoked`, lines.join(""));
  if (!noted.ok) return fileFailure(noted.error);
  return writeList(environment, list, issuer, next, options);
}

interface Authority {
  readonly certificate: Certificate;
  readonly key: Key;
}

async function readAuthority(environment: Environment, words: RevokeWords): Promise<Result<Authority, Failure>> {
  const chain = await readChain(environment, words.ca, "the first argument is the authority's certificate");
  if (!chain.ok) return chain;
  const key = await readKey(environment, words.key, "the third argument is the authority's private key");
  if (!key.ok) return key;
  const [certificate] = chain.value;
  if (!sameBytes(encodePublicKey(key.value), certificate.publicKey.spki)) {
    return err(failure("usage", "the private key does not belong to the authority's certificate"));
  }
  if (certificate.extensions.keyUsage?.crlSign !== true) {
    return err(failure("usage", `${words.ca}: the certificate does not let its authority sign revocation lists`));
  }
  return ok({ certificate, key: key.value });
}

interface Record {
  /** Of the last list; 0 where there was none. */
  readonly number: number;
  readonly revoked: readonly RevokedEntry[];
}

/** What the authority has revoked before. Of a line that cannot be read nobody knows what it revoked. */
async function readRecord(environment: Environment, path: string, authority: string): Promise<Result<Record, Failure>> {
  const bytes = await environment.readFile(path);
  if (!bytes.ok) return bytes.error.code === "ENOENT" ? ok({ number: 0, revoked: [] }) : err(fileFailure(bytes.error));
  const revoked: RevokedEntry[] = [];
  let last = 0;
  for (const [index, line] of Buffer.from(bytes.value).toString("latin1").split("\n").entries()) {
    if (line === "") continue;
    const [, of, number = "", serial = "", when = ""] = recordLine.exec(line) ?? [];
    if (of === undefined) return err(failure("usage", `${path}: line ${index + 1} cannot be read`));
    if (of !== authority) continue;
    last = Math.max(last, Number(number));
    if (serial !== "-") revoked.push({ serial: Buffer.from(serial, "hex"), time: Date.parse(when) });
  }
  return ok({ number: last, revoked });
}

/** The serial numbers of what is to be revoked, hexadecimal. */
async function readSerials(
  environment: Environment,
  { db, certificates }: RevokeWords,
  authority: Certificate,
): Promise<Result<readonly string[], Failure>> {
  const serials: string[] = [];
  for (const word of certificates) {
    const serial = hexNumber.test(word)
      ? await findSerial(environment, db, word)
      : await readSerial(environment, word, authority);
    if (!serial.ok) return serial;
    serials.push(serial.value);
  }
  return ok(serials);
}

/** A number that nobody was given is a slip of the finger. */
async function findSerial(environment: Environment, db: string, word: string): Promise<Result<string, Failure>> {
  const bytes = await environment.readFile(db);
  if (!bytes.ok) return err(fileFailure(bytes.error, "the second argument lists the certificates that were issued"));
  const serial = contentOf(word);
  const lines = Buffer.from(bytes.value).toString("latin1").split("\n");
  const found = lines.some((line) => contentOf(line.split(" ", 1)[0] ?? "") === serial);
  const hint = "to revoke a certificate that was issued elsewhere, give its file";
  return found ? ok(serial) : err(failure("usage", `${db} lists no certificate ${word}`, hint));
}

async function readSerial(
  environment: Environment,
  file: string,
  authority: Certificate,
): Promise<Result<string, Failure>> {
  const chain = await readChain(environment, file, "give a serial number as in the database, or a certificate's file");
  if (!chain.ok) return chain;
  const [certificate] = chain.value;
  const named = sameBytes(certificate.issuer.bytes, authority.subject.bytes);
  if (named && verifySignature(authority.publicKey, certificate)) return ok(hex(certificate.serial));
  return err(failure("usage", `${file}: the certificate is not issued by this authority`));
}

interface NextList extends Record {
  readonly time: number;
}

async function writeList(
  environment: Environment,
  path: string,
  { certificate, key }: Authority,
  { number, time, revoked }: NextList,
  { nextUpdate: days }: RevokeOptions,
): Promise<Outcome> {
  const nextUpdate = time + days * millisecondsPerDay;
  const der = issueCrl({ issuer: certificate, issuerKey: key, number, thisUpdate: time, nextUpdate, revoked });
  const list = parseCrl(der);
  if (!list.ok) return failure("usage", `the list would be refused: ${list.error.kind}`);
  if (!verifyCrl(list.value, certificate).ok) return failure("internal", "the new list does not verify");
  const written = await environment.writeFile(path, encodePem(crlLabel, der), 0o644);
  if (!written.ok) return fileFailure(written.error);
  const issuer = escapeText(certificate.subject.commonName ?? "");
  const count = `${revoked.length} ${revoked.length === 1 ? "certificate" : "certificates"}`;
  await environment.stdout(
    `wrote ${path}: list ${number} of ${issuer}, ${count}, good until ${printTime(nextUpdate)}\n`,
  );
  return undefined;
}

/** A serial number as it stands in certificates: minimal, and positive. */
function contentOf(word: string): string {
  const digits = word.replaceAll(":", "").toLowerCase();
  const minimal = (digits.length % 2 === 0 ? digits : `0${digits}`).replace(/^(00)+(?=..)/, "");
  return /^[89a-f]/.test(minimal) ? `00${minimal}` : minimal;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

const hexNumber = /^[0-9a-f]{1,2}(:?[0-9a-f]{2}){0,20}$/i;
const recordLine = /^([0-9a-f]{64}) (\d{1,15}) ((?:[0-9a-f]{2}){1,20}|-) (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)$/;

const millisecondsPerDay = 24 * 60 * 60 * 1000;
