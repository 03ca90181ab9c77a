/**
 * The endpoint: clients' chains in, requests to the daemon out.
 *
 *     presented ─▶ verified path ─▶ authority ─▶ one `request` on `util/chain.sock` ─▶ bytes both ways
 *
 * It holds no state but the intermediates that it met before. Whoever
 * completed a handshake is told why it got nothing else.
 *
 * @module
 */
import { printName } from "../core/name.ts";
import { err, ok, type Result } from "../core/result.ts";
import { type FileError, readFile } from "../host/client_files.ts";
import type { IoError } from "../host/io.ts";
import { type OpenKeyError, readKeyFile } from "../host/key_file.ts";
import type { Log } from "../host/log.ts";
import { type Given, startTlsServer, type TlsServer, type TlsServerError } from "../host/tls.ts";
import type { Presented, TlsClient } from "../host/tls_connection.ts";
import { isLoopback, type TlsLimits, tlsLimits } from "../host/tls_limits.ts";
import type { Forwarded } from "../host/tls_relay.ts";
import type { Certificate } from "../x509/certificate.ts";
import { describePathError } from "../x509/describe.ts";
import { developmentFingerprint } from "../x509/development.ts";
import { encodeKey, type KeyError, parseKey } from "../x509/keys.ts";
import { verifyPath } from "../x509/path.ts";
import { encodeCertificates, type PemError, parseCertificates } from "../x509/pem.ts";
import { KnownCertificates } from "./endpoint_cache.ts";
import { EndpointCrls } from "./endpoint_crls.ts";
import { describeChainError, describeForwardEnd, describeSessionEnd } from "./endpoint_describe.ts";
import { Refusals } from "./endpoint_refusals.ts";
import {
  encodeFailure,
  type PreparedRequest,
  type PreparedSession,
  prepareRequest,
  type Unprepared,
} from "./endpoint_request.ts";
import { endOf, translate } from "./endpoint_session.ts";

export interface EndpointOptions {
  /** PEM files: the one trust anchor; our certificate and those above it; its key. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** Where the daemon's `util/chain.sock` is. */
  readonly tmpdir: string;
  /** An IP address. */
  readonly host: string;
  readonly port: number;
  /** Instead of these two. */
  readonly given?: Given;
  readonly log: Log;
  readonly limits?: TlsLimits;
  /** A folder of revocation lists. */
  readonly crl?: string;
  /** Whether subscriptions end with their certificates; absent: they do not, as with albatross. */
  readonly endSubscriptions?: boolean;
}

/** What keeps the endpoint from serving. `path`: the file at fault. */
export type EndpointError =
  | FileError
  | OpenKeyError
  | { readonly kind: "pem"; readonly path: string; readonly error: PemError }
  | { readonly kind: "anchors"; readonly path: string; readonly count: number }
  | { readonly kind: "key"; readonly path: string; readonly error: KeyError }
  | IoError
  | TlsServerError;

/** Serves until it is closed. */
export async function startEndpoint(options: EndpointOptions): Promise<Result<TlsServer, EndpointError>> {
  const credentials = await readCredentials(options);
  if (!credentials.ok) return credentials;
  const { anchor, chain, key } = credentials.value;
  const { tmpdir, host, log, limits = tlsLimits } = options;
  const localOnly = isDevelopment(anchor);
  if (localOnly && options.given === undefined && !isLoopback(host)) return err({ kind: "not-local", host });
  warnOfServer(credentials.value, log);
  const socket = chainSocket(tmpdir);
  const crls = new EndpointCrls(socket, anchor, log);
  const following = options.crl === undefined ? ok(() => undefined) : await crls.open(options.crl);
  if (!following.ok) return following;
  const endpoint: Endpoint = {
    anchor,
    log,
    socket,
    known: new KnownCertificates(),
    crls,
    refusals: new Refusals(socket),
    certificates: limits.certificates,
    endSubscriptions: options.endSubscriptions ?? false,
  };
  const server = await startTlsServer({ ...options, limits, chain, key, localOnly }, (client, presented) =>
    serve(endpoint, client, presented),
  );
  if (!server.ok) {
    following.value();
    return server;
  }
  const close = (grace: number): Promise<void> => {
    following.value();
    endpoint.refusals.close();
    return server.value.close(grace);
  };
  return ok({ ...server.value, close });
}

interface Endpoint {
  readonly anchor: Certificate;
  readonly log: Log;
  readonly socket: string;
  readonly known: KnownCertificates;
  readonly crls: EndpointCrls;
  readonly refusals: Refusals;
  /** Of a client that are looked at. */
  readonly certificates: number;
  readonly endSubscriptions: boolean;
}

interface Credentials {
  readonly anchor: Certificate;
  /** The server's. */
  readonly certificates: readonly Certificate[];
  /** PEM, both. */
  readonly chain: string;
  readonly key: string;
}

async function readCredentials(options: EndpointOptions): Promise<Result<Credentials, EndpointError>> {
  const anchors = await readChain(options.ca);
  if (!anchors.ok) return anchors;
  const [anchor, ...others] = anchors.value;
  if (others.length > 0) return err({ kind: "anchors", path: options.ca, count: others.length + 1 });
  const chain = await readChain(options.cert);
  if (!chain.ok) return chain;
  const text = await readKeyFile(options.key, isDevelopment(anchor));
  if (!text.ok) return text;
  const key = parseKey(text.value);
  if (!key.ok) return err({ kind: "key", path: options.key, error: key.error });
  return ok({
    anchor,
    certificates: chain.value,
    chain: encodeCertificates(chain.value.map(({ raw }) => raw)),
    key: encodeKey(key.value),
  });
}

/** Says what clients will find at fault in the server's certificates. They may be of another authority than the clients'. */
function warnOfServer({ anchor, certificates }: Credentials, log: Log): void {
  const path = verifyPath(certificates, anchor, Date.now(), "server");
  if (path.ok || path.error.kind === "not-issued-by-next" || path.error.kind === "signature-wrong") return;
  log.warn({ reason: path.error }, `clients will not accept this server: ${describePathError(path.error)}`);
}

/** The development authority's keys are in everybody's hands. */
function isDevelopment(anchor: Certificate): boolean {
  return hex(anchor.fingerprint) === developmentFingerprint;
}

async function readChain(path: string): Promise<Result<readonly [Certificate, ...Certificate[]], EndpointError>> {
  const text = await readText(path);
  if (!text.ok) return text;
  const certificates = parseCertificates(text.value);
  return certificates.ok ? certificates : err({ kind: "pem", path, error: certificates.error });
}

async function readText(path: string): Promise<Result<string, FileError>> {
  const bytes = await readFile(".", path);
  return bytes.ok ? ok(Buffer.from(bytes.value).toString("utf8")) : bytes;
}

/**
 * One client, from its chain to the last byte of its reply.
 *
 * No function here waits while it holds the certificates or the image in them: they go when the daemon has the image.
 */
function serve(endpoint: Endpoint, client: TlsClient, presented: Presented): Promise<void> {
  if (presented === undefined) {
    return refuse(endpoint, client, {
      name: { path: [] },
      reason: { kind: "too-many-certificates", limit: endpoint.certificates },
    });
  }
  const prepared = prepareRequest(presented, endpoint.anchor, Date.now(), endpoint.known, endpoint.crls);
  if (!prepared.ok) return refuse(endpoint, client, prepared.error);
  client.belong(prepared.value.name.path[0] ?? "");
  return prepared.value.kind === "session"
    ? holdSession(endpoint, client, prepared.value)
    : carryOut(endpoint, client, prepared.value);
}

async function holdSession(
  { log, socket }: Endpoint,
  client: TlsClient,
  { name, leaf, authority, opening }: PreparedSession,
): Promise<void> {
  const about = { address: client.address, request: printName(name), command: "session", leaf: hex(leaf) };
  log.info(about, "session");
  const { end, commands, between } = await client.converse({
    path: socket,
    opening,
    until: endOf(authority),
    translate: (frame) => translate(authority, frame),
  });
  log.info({ ...about, end, commands }, "session ended");
  const words = between ? describeSessionEnd(end) : undefined;
  client.finish(words === undefined ? undefined : encodeFailure(name, words));
}

async function refuse({ log, refusals }: Endpoint, client: TlsClient, { name, reason }: Unprepared): Promise<void> {
  refusals.note(client.address, name, reason.kind);
  log.warn({ address: client.address, request: printName(name), reason }, "refused");
  client.finish(encodeFailure(name, describeChainError(reason)));
}

function carryOut(endpoint: Endpoint, client: TlsClient, prepared: PreparedRequest): Promise<void> {
  const { name, command, leaf, opening, form, expires } = prepared;
  const until = endpoint.endSubscriptions && form === "subscription" ? { until: expires } : {};
  const forwarded = client.forward({ path: endpoint.socket, opening, form, ...until });
  return forwarded.then((result) => conclude(endpoint, client, { name, command, leaf }, result));
}

function conclude(
  { log }: Endpoint,
  client: TlsClient,
  { name, command, leaf }: Pick<PreparedRequest, "name" | "command" | "leaf">,
  { end, sent, received, between }: Forwarded,
): void {
  const level = end.kind === "daemon-unreachable" || end.kind === "daemon-broke" ? "error" : "info";
  if (log.isLevelEnabled(level)) {
    const about = { address: client.address, request: printName(name), command, leaf: hex(leaf) };
    log[level]({ ...about, end, sent, received }, "request");
  }
  const words = between ? describeForwardEnd(end, received > 0) : undefined;
  client.finish(words === undefined ? undefined : encodeFailure(name, words));
}

function chainSocket(tmpdir: string): string {
  return `${tmpdir}/util/chain.sock`;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
