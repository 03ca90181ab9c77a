/**
 * Why a certificate is not signed, in sentences.
 *
 * @module
 */
import { describeSign as describe } from "../client/describe.ts";
import type { RequestError } from "../x509/csr.ts";
import type { SignError } from "../x509/sign.ts";
import { escapeText } from "./escape.ts";
import { type Failure, failure } from "./failure.ts";

export function describeSign(error: SignError): Failure {
  const { status, text, hint } = describe(error);
  return failure(status, escapeText(text), hint);
}

export function describeRequest(path: string, error: RequestError): Failure {
  if (error.kind === "signature-wrong") return failure("usage", `${path}: the request is not signed by its own key`);
  if (error.kind === "key-weak") return failure("usage", `${path}: the key of the request is too weak`);
  const hint = "a request is written by --csr";
  return failure("usage", `${path}: the signing request cannot be read: ${error.kind}`, hint);
}
