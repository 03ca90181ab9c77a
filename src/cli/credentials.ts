/**
 * Certificates and keys in files, and new ones made of them.
 *
 * @module
 */
import type { Command } from "../core/command.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { Environment } from "../host/client_environment.ts";
import { type Certificate, parseCertificate } from "../x509/certificate.ts";
import { describePathError } from "../x509/describe.ts";
import { backdating, issueCertificate } from "../x509/issue.ts";
import { encodeKey, encodePublicKey, type KeyType, parseKey } from "../x509/keys.ts";
import { verifyPath } from "../x509/path.ts";
import { encodeCertificates, parseCertificates } from "../x509/pem.ts";
import { parsePublicKey } from "../x509/public_key.ts";
import { signRequest } from "../x509/sign.ts";
import { describeKey, describePem } from "./describe.ts";
import { describeSign } from "./describe_sign.ts";
import { type Failure, failure, fileFailure } from "./failure.ts";
import { findPassphrase } from "./passphrase.ts";

/** A private key. */
export type Key = Awaited<ReturnType<Environment["generateKey"]>>;

/** The certificates of a file, and what it is called in messages. */
export type Chain = readonly [Certificate, ...Certificate[]];

/** Who we are to a server, as PEM. */
export interface Credentials {
  readonly chain: string;
  readonly key: string;
}

/** Those who sign: an authority's certificate, those above it, its key. */
export interface Issuer {
  readonly chain: Chain;
  readonly key: Key;
}

export async function readChain(environment: Environment, path: string, hint: string): Promise<Result<Chain, Failure>> {
  const bytes = await environment.readFile(path);
  if (!bytes.ok) return err(fileFailure(bytes.error, hint));
  const chain = parseCertificates(Buffer.from(bytes.value).toString("latin1"));
  return chain.ok ? chain : err(describePem(path, chain.error));
}

export async function readKey(environment: Environment, path: string, hint: string): Promise<Result<Key, Failure>> {
  const bytes = await environment.readFile(path);
  if (!bytes.ok) return err(fileFailure(bytes.error, hint));
  const pem = Buffer.from(bytes.value).toString("latin1");
  const key = parseKey(pem);
  if (key.ok) return key;
  const locked = key.error.kind === "key-encrypted";
  const passphrase = locked ? await findPassphrase(environment, path) : undefined;
  const opened = passphrase === undefined ? key : parseKey(pem, passphrase);
  return opened.ok ? opened : err(describeKey(path, opened.error));
}

export async function readIssuer(
  environment: Environment,
  files: { readonly ca: string; readonly caKey: string },
): Promise<Result<Issuer, Failure>> {
  const chain = await readChain(environment, files.ca, "the first certificate of --ca is your authority's");
  if (!chain.ok) return chain;
  const key = await readKey(environment, files.caKey, "--ca-key is the private key of --ca");
  return key.ok ? ok({ chain: chain.value, key: key.value }) : key;
}

/** Makes the short-lived certificate that carries one command. */
export async function issueLeaf(
  environment: Environment,
  issuer: Issuer,
  keyType: KeyType,
  subject: { readonly commonName: string; readonly command: Command },
): Promise<Result<Credentials, Failure>> {
  const key = await environment.generateKey(keyType);
  const publicKey = parsePublicKey(encodePublicKey(key));
  if (!publicKey.ok) return err(failure("internal", "a key that was just made cannot be read"));
  const signed = signRequest(
    { ...subject, publicKey: publicKey.value },
    {
      issuer: issuer.chain[0],
      issuerKey: issuer.key,
      now: environment.now(),
      days: leafLife,
      serial: environment.random(serialLength),
    },
  );
  if (!signed.ok) return err(describeSign(signed.error));
  const holds = checkIssued(signed.value.der, issuer.chain, environment.now());
  if (!holds.ok) return holds;
  const chain = encodeCertificates([signed.value.der, ...issuer.chain.map(({ raw }) => raw)]);
  return ok({ chain, key: encodeKey(key) });
}

/** Whether an authority's chain would hold for a client's certificate that it signs now: makes one and throws it away. */
export async function checkIssuer(environment: Environment, issuer: Issuer): Promise<Result<void, Failure>> {
  const now = environment.now();
  const probe = issueCertificate({
    profile: "client",
    commonName: "probe",
    publicKey: encodePublicKey(await environment.generateKey("ed25519")),
    issuer: issuer.chain[0],
    issuerKey: issuer.key,
    notBefore: now - backdating,
    notAfter: now + backdating,
    serial: environment.random(serialLength),
  });
  return checkIssued(probe, issuer.chain, now);
}

/** Whether a leaf's chain leads up to its last certificate, now. What is above that one, the server looks at. */
export function checkChain(chain: readonly Certificate[], now: number): Result<void, Failure> {
  const anchor = chain.at(-1);
  if (anchor === undefined) return ok(undefined);
  const path = verifyPath(chain, anchor, now, "client");
  // A leaf alone: nothing of it can be told here.
  if (path.ok || path.error.kind === "no-certificate") return ok(undefined);
  const hint = "a file must hold the certificate, then its issuer's, and so on upwards";
  return err(failure("chain", `our certificate chain does not hold: ${describePathError(path.error)}`, hint));
}

function checkIssued(der: Uint8Array, above: Chain, now: number): Result<void, Failure> {
  const leaf = parseCertificate(der);
  if (!leaf.ok) return err(failure("internal", `a certificate that was just made cannot be read: ${leaf.error.kind}`));
  return checkChain([leaf.value, ...above], now);
}

/** Days: five minutes, as albatross. */
const leafLife = 300 / (24 * 60 * 60);

/** Bytes of a random serial number. */
export const serialLength = 10;
