/**
 * Why a certificate is not signed, in sentences.
 *
 * @module
 */
import { describeExcess, describeNameError, describeUnusable } from "../core/describe.ts";
import { unreachable } from "../core/result.ts";
import type { RequestError } from "../x509/csr.ts";
import type { SignError } from "../x509/sign.ts";
import { escapeText } from "./escape.ts";
import { type Failure, failure } from "./failure.ts";

export function describeSign(error: SignError): Failure {
  switch (error.kind) {
    case "issuer-not-authority":
      return failure("usage", "the certificate that is to sign is no authority's");
    case "issuer-key-differs":
      return failure("usage", "the private key does not belong to the authority's certificate");
    case "issuer-extension-undecodable":
      return failure("usage", `the authority's own policy cannot be read: ${error.error.kind}`);
    case "common-name-missing":
      return failure("usage", "the request has no common name");
    case "common-name-bad":
      return failure("usage", `the common name cannot be one: ${escapeText(describeNameError(error.error))}`);
    case "command-not-allowed":
      return failure("usage", `${error.command.replace("-", " ")} cannot be in a certificate`);
    case "policy-unusable":
      return failure("usage", describeUnusable(error.problem));
    case "policy-exceeded":
      return failure(
        "usage",
        `more than the authority's own policy: ${escapeText(describeExcess(error.excess))}`,
        "ask for less, or have the authority above raise the policy",
      );
    default:
      return unreachable(error);
  }
}

export function describeRequest(path: string, error: RequestError): Failure {
  if (error.kind === "signature-wrong") return failure("usage", `${path}: the request is not signed by its own key`);
  if (error.kind === "key-weak") return failure("usage", `${path}: the key of the request is too weak`);
  const hint = "a request is written by --csr";
  return failure("usage", `${path}: the signing request cannot be read: ${error.kind}`, hint);
}
