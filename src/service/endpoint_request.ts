/**
 * From the certificates that a client presented to what the daemon is sent for it.
 *
 * @module
 */
import { frameHeader } from "../codec/frame.ts";
import { encodeMessage, type Header } from "../codec/wire.ts";
import type { ChainRequest, Command } from "../core/command.ts";
import { type Label, type Name, parseLabel } from "../core/name.ts";
import type { Refusal } from "../core/refusal.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { Forwarding } from "../host/tls_relay.ts";
import { type Authority, type AuthorityError, readAuthority } from "../x509/authority.ts";
import { type Certificate, type CertificateError, parseCertificate } from "../x509/certificate.ts";
import { namesOf, type PathError, type SubjectName, type VerifiedPath, verifyPath } from "../x509/path.ts";
import type { KnownCertificates } from "./endpoint_cache.ts";
import type { EndpointCrls } from "./endpoint_crls.ts";

export type Prepared = PreparedRequest | PreparedSession;

/** Many requests, to be sent as they come. */
export interface PreparedSession {
  readonly kind: "session";
  readonly name: Name;
  readonly leaf: Uint8Array;
  readonly authority: Authority;
  /** What the daemon is told of it before any command. */
  readonly opening: Uint8Array;
}

/** One request, ready to be sent. */
export interface PreparedRequest {
  readonly kind: "request";
  readonly name: Name;
  readonly command: Command["kind"];
  /** SHA-256 of the leaf. */
  readonly leaf: Uint8Array;
  /** The request's frame; behind it, as a stream, the image that came in the certificate. */
  readonly opening: readonly Uint8Array[];
  readonly form: Form;
  /** When the first of its certificates runs out, ms since the Unix epoch. */
  readonly expires: number;
}

type Form = Forwarding["form"];

/** `name`: as much as the chain tells of whom it is about. */
export interface Unprepared {
  readonly name: Name;
  readonly reason: ChainError;
}

export type ChainError =
  | { readonly kind: "too-many-certificates"; readonly limit: number }
  /** `at` counts the certificates as presented, from 0. */
  | { readonly kind: "certificate"; readonly at: number; readonly error: CertificateError }
  | { readonly kind: "path"; readonly error: PathError }
  | { readonly kind: "authority"; readonly error: AuthorityError; readonly names: readonly SubjectName[] }
  | { readonly kind: "revoked"; readonly refusal: Refusal };

/**
 * @param presented - leaf first
 * @param now - milliseconds since the Unix epoch
 * @param crls - absent: what is revoked is for the daemon alone to say
 */
export function prepareRequest(
  presented: readonly Uint8Array[],
  anchor: Certificate,
  now: number,
  known: KnownCertificates,
  crls?: EndpointCrls,
): Result<Prepared, Unprepared> {
  const certificates: Certificate[] = [];
  for (const [at, der] of presented.entries()) {
    const certificate = at === 0 ? parseCertificate(der) : known.parse(der);
    if (!certificate.ok) return refuse({ kind: "certificate", at, error: certificate.error });
    certificates.push(certificate.value);
  }
  const path = verifyPath(certificates, anchor, now, "client", known.signatures);
  if (!path.ok) return refuse({ kind: "path", error: path.error });
  const authority = readAuthority(path.value);
  if (!authority.ok) {
    const names = namesOf([path.value.leaf, ...path.value.intermediates]);
    return refuse({ kind: "authority", error: authority.error, names }, bestName(path.value));
  }
  const { levels, label, command } = authority.value;
  const delegations = levels.map((level) => level.label);
  const name = label === undefined ? { path: delegations } : { path: delegations, label };
  const refusal = crls?.check(path.value, authority.value, now);
  if (refusal !== undefined) return refuse({ kind: "revoked", refusal }, name);
  const { leaf, expires } = authority.value;
  const { request, behind } = moveUpload({ ...authority.value, imageFollows: false });
  const frame = encodeMessage({ header: addressedTo(name), payload: { kind: "request", request } });
  if (command.kind === "session") {
    return ok({ kind: "session", name, leaf, authority: authority.value, opening: frame });
  }
  const opening = [frame, ...behind];
  return ok({ kind: "request", name, command: command.kind, leaf, opening, form: formOf(command), expires });
}

/** What a client is told when its request gets no other answer: framed as the daemon's own replies. */
export function encodeFailure(name: Name, text: string): Uint8Array {
  return encodeMessage({ header: addressedTo(name), payload: { kind: "failure", text } });
}

function refuse(reason: ChainError, name: Name = { path: [] }): Result<never, Unprepared> {
  return err({ name, reason });
}

function addressedTo(name: Name): Header {
  return { version: 5, sequence: 0n, name };
}

/** Images and what is put on block devices travel as streams, wherever they were: the request's frame stays small. */
function moveUpload(request: ChainRequest): {
  readonly request: ChainRequest;
  readonly behind: readonly Uint8Array[];
} {
  const { command } = request;
  switch (command.kind) {
    case "unikernel-create": {
      const { compressed, bytes } = command.image;
      const bare = { ...command, image: { compressed, bytes: nothing } };
      return {
        request: { ...request, command: bare, imageFollows: true },
        behind: bytes.length === 0 ? [] : [...streamOf(bytes), end],
      };
    }
    case "block-set": {
      const { kind, compressed, data } = command;
      const behind = data === undefined ? [] : [...streamOf(data), end];
      return { request: { ...request, command: { kind, compressed } }, behind };
    }
    case "explain": {
      // What is explained is not sent.
      const explained = moveUpload({ ...request, command: command.command }).request.command;
      return { request: { ...request, command: { ...command, command: explained } }, behind: [] };
    }
    default:
      return { request, behind: [] };
  }
}

/** What came whole, as one chunk. */
function streamOf(bytes: Uint8Array): readonly Uint8Array[] {
  return bytes.length === 0 ? [] : [frameHeader(bytes.length), bytes];
}

/** See host/tls_relay. */
export function formOf(command: Command): Form {
  switch (command.kind) {
    case "unikernel-create":
      return command.image.bytes.length === 0 ? "upload" : "plain";
    case "block-set":
      return command.data === undefined ? "upload" : "plain";
    case "unikernel-get":
      return "download";
    case "console-subscribe":
    case "stats-subscribe":
    case "log-subscribe":
    case "audit":
      return "subscription";
    default:
      return "plain";
  }
}

/** Delegations and a label as far as they can be read, for the answer to a chain that asks for nothing possible. */
function bestName(path: VerifiedPath): Name {
  const labels: Label[] = [];
  for (const { extensions, subject } of path.intermediates.toReversed()) {
    if (extensions.command === undefined) continue;
    const label = parseLabel(subject.commonName ?? "");
    if (!label.ok) return { path: labels };
    labels.push(label.value);
  }
  const label = parseLabel(path.leaf.subject.commonName ?? "");
  return label.ok && label.value !== "." ? { path: labels, label: label.value } : { path: labels };
}

const nothing = new Uint8Array(0);
const end = frameHeader(0);
