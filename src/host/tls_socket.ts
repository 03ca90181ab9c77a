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
import { maxPresented } from "./tls_limits.ts";

/** OpenSSL takes no such key or certificate; `code` is its own. */
export interface CredentialsError {
  readonly kind: "credentials";
  readonly code: string;
}

/**
 * TLS 1.3 alone and no tickets: a resumed session has neither the chain nor surely the identity of who resumes it.
 * No CA is given, so that no client is verified twice, and the client is told no names.
 *
 * @param chain - leaf first, PEM
 * @param key - the leaf's, PEM
 */
export function createContext(chain: string, key: string): Result<SecureContext, CredentialsError> {
  try {
    const secureOptions = constants.SSL_OP_NO_TICKET;
    const versions = { minVersion: "TLSv1.3", maxVersion: "TLSv1.3" } as const;
    return ok(createSecureContext({ cert: chain, key, ca: [], secureOptions, ...versions }));
  } catch (error) {
    return err({ kind: "credentials", code: errorCode(error) });
  }
}

/**
 * Begins the server's side of a handshake. `secure` is its end; an error at any time destroys both sockets.
 *
 * @param onError - told of every error, before the socket closes
 */
export function startHandshake(raw: Socket, context: SecureContext, onError: (error: Error) => void): TLSSocket {
  const socket = new TLSSocket(raw, {
    isServer: true,
    requestCert: true,
    rejectUnauthorized: false,
    secureContext: context,
  });
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
  return socket;
}

/**
 * The certificates as they were sent, leaf first; absent: more than we look at. To be called once for each
 * connection: the second call sees the leaf alone.
 */
export function readPresented(socket: TLSSocket): readonly Uint8Array[] | undefined {
  const presented: Uint8Array[] = [];
  let certificate = socket.getPeerX509Certificate();
  while (certificate !== undefined) {
    if (presented.length === maxPresented) return undefined;
    presented.push(certificate.raw);
    certificate = certificate.issuerCertificate;
  }
  return presented;
}

export function errorCode(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}
