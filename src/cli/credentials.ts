/**
 * Certificates and keys in files, and new ones made of them.
 *
 * @module
 */
import { describeChain } from "../client/describe.ts";
import {
  type Chain,
  type Credentials,
  checkChain as check,
  type Issuer,
  issueLeaf as issue,
  type Key,
  type Leaf,
  serialLength,
} from "../client/leaf.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { Environment } from "../host/client_environment.ts";
import { type Certificate, parseCertificate } from "../x509/certificate.ts";
import { backdating, issueCertificate } from "../x509/issue.ts";
import { encodePublicKey, type KeyType, parseKey } from "../x509/keys.ts";
import { parseCertificates } from "../x509/pem.ts";
import { describeKey, describePem } from "./describe.ts";
import { describeSign } from "./describe_sign.ts";
import { type Failure, failure, fileFailure } from "./failure.ts";
import { findPassphrase } from "./passphrase.ts";

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
  subject: Pick<Leaf, "commonName" | "command" | "permissions">,
): Promise<Result<Credentials, Failure>> {
  const key = await environment.generateKey(keyType);
  const leaf = issue(issuer, { ...subject, key, now: environment.now(), serial: environment.random(serialLength) });
  if (leaf.ok) return leaf;
  switch (leaf.error.kind) {
    case "sign":
      return err(describeSign(leaf.error.error));
    case "path":
      return err(describeChain(leaf.error.error));
    case "unreadable":
      return err(failure("internal", "a certificate that was just made cannot be read"));
  }
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

/** Whether a leaf's chain leads up to its last certificate, now. */
export function checkChain(chain: readonly Certificate[], now: number): Result<void, Failure> {
  const holds = check(chain, now);
  return holds.ok ? holds : err(describeChain(holds.error));
}

function checkIssued(der: Uint8Array, above: Chain, now: number): Result<void, Failure> {
  const leaf = parseCertificate(der);
  if (!leaf.ok) return err(failure("internal", `a certificate that was just made cannot be read: ${leaf.error.kind}`));
  return checkChain([leaf.value, ...above], now);
}
