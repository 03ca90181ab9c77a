/**
 * explain --chain: what a file of certificates says and asks for, without any server.
 *
 * @module
 */
import { decodeExtension } from "../codec/extension.ts";
import { type Command, subjectOf } from "../core/command.ts";
import { describePermissions } from "../core/describe.ts";
import { explainChain } from "../core/explain_chain.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { Request } from "../core/state.ts";
import type { Environment } from "../host/client_environment.ts";
import { type Authority, readAuthority } from "../x509/authority.ts";
import type { Certificate } from "../x509/certificate.ts";
import { describeAuthorityError, describePathError } from "../x509/describe.ts";
import { namesOf, verifyPath } from "../x509/path.ts";
import { readChain } from "./credentials.ts";
import { escapeText } from "./escape.ts";
import { failure } from "./failure.ts";
import { printTime } from "./print.ts";
import { printCommand } from "./print_command.ts";
import { sayExplanation } from "./print_explanation.ts";
import type { Outcome } from "./session.ts";

export interface ChainOptions {
  readonly chain: string;
  readonly anchor: string;
  readonly json?: boolean;
}

/** Says what each certificate says, then why a server would not take them, or what it would decide. */
export async function explainFile(environment: Environment, options: ChainOptions): Promise<Outcome> {
  const chain = await readChain(environment, options.chain, "--chain is a certificate, then its issuer's, and so on");
  if (!chain.ok) return chain.error;
  const anchors = await readChain(environment, options.anchor, "--anchor is what the server was started with");
  if (!anchors.ok) return anchors.error;
  const [anchor] = anchors.value;
  const now = environment.now();
  if (options.json !== true) {
    const lines = chain.value.map((one, at) => printCertificate(`certificate ${at + 1}`, one, now));
    await environment.stdout([...lines, printCertificate("the authority", anchor, now), ""].join("\n"));
  }
  const authority = judge(chain.value, anchor, now);
  if (!authority.ok) {
    const refused = { kind: "chain", text: authority.error };
    if (options.json === true) await environment.stdout(`${JSON.stringify({ wouldBe: "refused", refused })}\n`);
    return failure("chain", `a server would not take these certificates: ${escapeText(authority.error)}`);
  }
  const request = requestOf(authority.value);
  return sayExplanation(environment, request.name, explainChain(request, now), options.json === true);
}

function judge(chain: readonly Certificate[], anchor: Certificate, now: number): Result<Authority, string> {
  const path = verifyPath(chain, anchor, now, "client");
  if (!path.ok) return err(describePathError(path.error));
  const authority = readAuthority(path.value);
  const names = namesOf([path.value.leaf, ...path.value.intermediates]);
  return authority.ok ? ok(authority.value) : err(describeAuthorityError(authority.error, names));
}

/** What is asked for in the end: a leaf that only wants an explanation says itself of what. */
function requestOf({ levels, label, command, certificates, permissions }: Authority): Request {
  const path = levels.map((level) => level.label);
  return {
    name: label === undefined ? { path } : { path, label },
    command: subjectOf(command),
    levels,
    ...(certificates === undefined ? {} : { certificates }),
    ...(permissions === undefined ? {} : { permissions }),
  };
}

function printCertificate(
  which: string,
  { subject, notBefore, notAfter, extensions }: Certificate,
  now: number,
): string {
  const expired = now > notAfter ? " (expired)" : now < notBefore ? " (not yet)" : "";
  return [
    `${which}: /CN=${escapeText(subject.commonName ?? "")} valid ${printTime(notBefore)} to ${printTime(notAfter)}${expired}`,
    ...(extensions.command === undefined ? [] : [`  ${printAsked(extensions.command)}`]),
    ...(extensions.permissions === undefined ? [] : [`  permits ${describePermissions(extensions.permissions)}`]),
  ].join("\n");
}

function printAsked(extension: Uint8Array): string {
  const command = decodeExtension(extension);
  if (!command.ok) return `what it asks for cannot be read: ${command.error.kind}`;
  const subject: Command = subjectOf(command.value);
  return `${subject === command.value ? "" : "explain "}${printCommand(subject)}`;
}
