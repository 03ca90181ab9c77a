/**
 * What went wrong with what is ours, in sentences: certificates, keys, images; and what a server said.
 *
 * @module
 */
import { describeRefusal } from "../core/describe.ts";
import type { DeviceMismatch } from "../core/manifest.ts";
import type { Name } from "../core/name.ts";
import { describeKeyError, describePemError } from "../x509/describe.ts";
import type { KeyError } from "../x509/keys.ts";
import type { PemError } from "../x509/pem.ts";
import { escapeSentence, escapeText } from "./escape.ts";
import { type Failure, failure } from "./failure.ts";
import { printHost } from "./print.ts";

/** What the server answered in place of a success. */
export function describeFailure(name: Name, text: string): Failure {
  return failure("refused", `${printHost(name)}: command failed: ${escapeSentence(text)}`);
}

export function describePem(path: string, error: PemError): Failure {
  const hint = error.kind === "pem-missing" ? "a PEM file with '-----BEGIN' lines is wanted" : undefined;
  return failure("usage", `${path}: ${escapeText(describePemError(error))}`, hint);
}

export function describeKey(path: string, error: KeyError): Failure {
  const hint = keyHints[error.kind];
  return failure("usage", `${path}: ${escapeText(describeKeyError(error))}`, hint);
}

export function describeDevices(error: DeviceMismatch): Failure {
  const flag = error.type === "net" ? "--net" : "--block";
  const declared = error.declared.map((name) => `"${name}"`).join(", ");
  const hint = declared === "" ? `the image takes no ${flag}` : `the image wants one ${flag} for each of ${declared}`;
  return failure("usage", escapeText(describeRefusal(error)), hint);
}

const keyHints: Readonly<Partial<Record<KeyError["kind"], string>>> = {
  "key-missing": "a PEM file with 'PRIVATE KEY' is wanted",
  "key-encrypted": "put the passphrase in FULMAR_PASSPHRASE, or decrypt the key first (openssl pkey)",
};
