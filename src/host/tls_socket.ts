/**
 * One TLS server connection over one TCP connection, and what its client presented.
 *
 * OpenSSL proves that the client has the key of its first certificate, nothing
 * else: the certificates come out as they were sent, for our own validation.
 *
 * @module
 */
import { constants } from "node:crypto";
import type { Socket } from "node:net";
import { createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import { err, ok, type Result } from "../core/result.ts";
import type { Openssl } from "./openssl.ts";

/** OpenSSL takes no such key or certificate; `code` is its own. */
export interface CredentialsError {
  readonly kind: "credentials";
  readonly code: string;
}

/** What a server needs for handshakes. */
export interface TlsContext {
  readonly secure: SecureContext;
  /** Absent: only what Node offers. */
  readonly openssl?: Openssl;
}

export interface Tuning {
  readonly openssl: Openssl;
  /** Bytes of a client's certificates. */
  readonly limit: number;
}

/**
 * TLS 1.3 alone and no tickets: a resumed session has neither the chain nor surely the identity of who resumes it.
 * No CA is given, so that no client is verified twice, and the client is told no names.
 *
 * @param chain - leaf first, PEM
 * @param key - the leaf's, PEM
 * @param tuning - absent: as Node makes contexts; OpenSSL then checks signatures, too, for nothing
 */
export function createContext(chain: string, key: string, tuning?: Tuning): Result<TlsContext, CredentialsError> {
  try {
    const secureOptions = constants.SSL_OP_NO_TICKET;
    const versions = { minVersion: "TLSv1.3", maxVersion: "TLSv1.3" } as const;
    const make = (): SecureContext => createSecureContext({ cert: chain, key, ca: [], secureOptions, ...versions });
    if (tuning === undefined) return ok({ secure: make() });
    const { openssl, limit } = tuning;
    return ok({ secure: openssl.tune(limit, make), openssl });
  } catch (error) {
    return err({ kind: "credentials", code: errorCode(error) });
  }
}

/** The server's side of a handshake. */
export interface Handshake {
  /** `secure` is the handshake's end; an error at any time destroys it and the connection below. */
  readonly socket: TLSSocket;
  /** The certificates as they were sent, leaf first; absent: more than we look at. To be called once, at `secure`. */
  readPresented(): readonly Uint8Array[] | undefined;
}

/**
 * @param most - certificates that are looked at
 * @param onError - told of every error, before the socket closes
 */
export function startHandshake(
  raw: Socket,
  context: TlsContext,
  most: number,
  onError: (error: Error) => void,
): Handshake {
  const { secure, openssl } = context;
  const make = (): TLSSocket =>
    new TLSSocket(raw, { isServer: true, requestCert: true, rejectUnauthorized: false, secureContext: secure });
  const [socket, connection] = openssl?.watch(make) ?? [make(), undefined];
  const end = (error: Error): void => {
    onError(error);
    socket.destroy();
    raw.destroy();
  };
  // After the handshake a direct TLSSocket tells of TLS errors by _tlsError alone, and stays open.
  socket.on("error", end).on("_tlsError", end);
  raw.on("error", end);
  // Neither outlives the other.
  socket.once("close", () => raw.destroy());
  raw.once("close", () => socket.destroy());
  const readPresented = (): readonly Uint8Array[] | undefined => {
    if (socket.destroyed) return [];
    if (openssl === undefined || connection === undefined) return presentedBy(socket, most);
    return openssl.presented(connection, most);
  };
  return { socket, readPresented };
}

/** As Node gives them: it reads each a second time, and gives the leaf alone to who asks again. */
function presentedBy(socket: TLSSocket, most: number): readonly Uint8Array[] | undefined {
  const presented: Uint8Array[] = [];
  let certificate = socket.getPeerX509Certificate();
  while (certificate !== undefined) {
    if (presented.length === most) return undefined;
    presented.push(certificate.raw);
    certificate = certificate.issuerCertificate;
  }
  return presented;
}

export function errorCode(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}
