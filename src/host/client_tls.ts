/**
 * The client's connection to an endpoint: TLS 1.3, both sides with a certificate.
 *
 * OpenSSL only proves that the server has its certificate's key; whether the
 * certificate is one to trust is decided here, by our own path validation.
 * Names are not compared: a server's certificate carries a common name that
 * need not be its host name, and its authority signs for no one else's server.
 *
 * @module
 */
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { err, ok, type Result } from "../core/result.ts";
import { type Certificate, type CertificateError, parseCertificate } from "../x509/certificate.ts";
import { type PathError, verifyPath } from "../x509/path.ts";
import { type Connection, type ConnectionError, errorCode, openConnection } from "./client_connection.ts";

/** Who we are, and whom we talk to. */
export interface Peer {
  readonly host: string;
  readonly port: number;
  /** Our leaf and those above it, leaf first, PEM. */
  readonly chain: string;
  /** The leaf's private key, PEM. */
  readonly key: string;
  /** What the server's path must end at. */
  readonly anchor: Certificate;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  /** Whether an upload follows, which would lose the server's alert about our certificate in a reset connection. */
  readonly settle: boolean;
}

export type TlsError =
  | ConnectionError
  /** Neither side's certificate is at fault, as far as is known. */
  | { readonly kind: "handshake"; readonly code: string }
  | { readonly kind: "server-certificate"; readonly at: number; readonly error: CertificateError }
  | { readonly kind: "server-path"; readonly error: PathError }
  /** OpenSSL takes no such key or chain of ours. */
  | { readonly kind: "credentials"; readonly code: string };

export async function connectRemote(peer: Peer): Promise<Result<Connection, TlsError>> {
  const begun = performance.now();
  const raw = await connectRaw(peer);
  if (!raw.ok) return raw;
  const roundTrip = performance.now() - begun;
  const socket = await shakeHands(raw.value, peer);
  if (!socket.ok) return socket;
  // A TLS 1.3 client is done before the server has looked at its certificate: from now on, errors belong to the connection.
  const connection = openConnection(socket.value, explain);
  const trusted = checkServer(presentedBy(socket.value), peer);
  if (!trusted.ok) {
    connection.close();
    return trusted;
  }
  if (peer.settle) await connection.wait(roundTrip + settleTime);
  return ok(connection);
}

function connectRaw(peer: Peer): Promise<Result<Socket, TlsError>> {
  return new Promise((resolve) => {
    const socket = connectTcp({ host: peer.host, port: peer.port });
    const timer = setTimeout(() => socket.destroy(new Error("ETIMEDOUT")), connectLimit);
    const settle = (result: Result<Socket, TlsError>): void => {
      clearTimeout(timer);
      socket.removeAllListeners("error");
      resolve(result);
    };
    socket.once("error", (error) => settle(err({ kind: "unreachable", code: errorCode(error) })));
    socket.once("connect", () => settle(ok(socket)));
  });
}

function shakeHands(raw: Socket, peer: Peer): Promise<Result<TLSSocket, TlsError>> {
  return new Promise((resolve) => {
    const socket = startTls(raw, peer);
    if (!socket.ok) {
      raw.destroy();
      return resolve(socket);
    }
    const timer = setTimeout(() => socket.value.destroy(new Error("ETIMEDOUT")), handshakeLimit);
    const settle = (result: Result<TLSSocket, TlsError>): void => {
      clearTimeout(timer);
      socket.value.off("error", fail).off("close", closed);
      resolve(result);
    };
    const fail = (error: Error): void => {
      const why = explain(error);
      settle(err(why.kind === "broken" ? { kind: "handshake", code: why.code } : why));
    };
    const closed = (): void => settle(err({ kind: "handshake", code: "closed" }));
    socket.value.on("error", fail).on("close", closed);
    socket.value.once("secureConnect", () => settle(ok(socket.value)));
  });
}

function startTls(raw: Socket, peer: Peer): Result<TLSSocket, TlsError> {
  try {
    return ok(
      connect({
        socket: raw,
        ...(isIP(peer.host) === 0 ? { servername: peer.host } : {}),
        cert: peer.chain,
        key: peer.key,
        ca: [],
        minVersion: "TLSv1.3",
        rejectUnauthorized: false,
        checkServerIdentity: () => undefined,
      }),
    );
  } catch (error) {
    return err({ kind: "credentials", code: error instanceof Error ? errorCode(error) : String(error) });
  }
}

/** The certificates as they were sent. Read once: the second call sees the leaf alone. */
function presentedBy(socket: TLSSocket): Uint8Array[] {
  const presented: Uint8Array[] = [];
  let certificate = socket.getPeerX509Certificate();
  while (certificate !== undefined && presented.length < maxPresented) {
    presented.push(certificate.raw);
    certificate = certificate.issuerCertificate;
  }
  return presented;
}

function checkServer(presented: readonly Uint8Array[], peer: Peer): Result<void, TlsError> {
  const certificates: Certificate[] = [];
  for (const [at, der] of presented.entries()) {
    const certificate = parseCertificate(der);
    if (!certificate.ok) return err({ kind: "server-certificate", at, error: certificate.error });
    certificates.push(certificate.value);
  }
  const path = verifyPath(certificates, peer.anchor, peer.now, "server");
  return path.ok ? ok(undefined) : err({ kind: "server-path", error: path.error });
}

/** OpenSSL names the peer's alert in the code, such as ERR_SSL_TLSV1_ALERT_UNKNOWN_CA. */
function explain(error: Error): ConnectionError {
  const code = errorCode(error);
  const [, alert] = /^ERR_SSL_(?:SSLV3|TLSV1|TLSV13)_ALERT_(.+)$/.exec(code) ?? [];
  if (alert === undefined) return { kind: "broken", code };
  const about = certificateAlerts.test(alert) ? "certificate" : "other";
  return { kind: "alert", alert: alert.toLowerCase().replaceAll("_", " "), about };
}

/** RFC 8446 section 6.2; a leaf over OpenSSL's size limit is answered with illegal_parameter. */
const certificateAlerts = /CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|DECRYPT_ERROR|ILLEGAL_PARAMETER/;

/** Milliseconds; a server that is up answers within one. */
const connectLimit = 10_000;
const handshakeLimit = 10_000;

/** Milliseconds for the server to look at our certificate, besides the way there and back. */
const settleTime = 50;

/** Certificates of a server looked at; a path has at most 9. */
const maxPresented = 16;
