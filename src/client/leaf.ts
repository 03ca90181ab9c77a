/**
 * Certificates made on the spot: one for each command, or for each session.
 *
 * @module
 */
import type { Command } from "../core/command.ts";
import type { Permission } from "../core/permission.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { Environment } from "../host/client_environment.ts";
import { type Certificate, parseCertificate } from "../x509/certificate.ts";
import { encodeKey, encodePublicKey } from "../x509/keys.ts";
import { type PathError, verifyPath } from "../x509/path.ts";
import { encodeCertificates } from "../x509/pem.ts";
import { parsePublicKey } from "../x509/public_key.ts";
import { type SignError, signRequest } from "../x509/sign.ts";

/** A private key. */
export type Key = Awaited<ReturnType<Environment["generateKey"]>>;

/** Certificates, each signed by the next. */
export type Chain = readonly [Certificate, ...Certificate[]];

/** Who we are to a server, as PEM. */
export interface Credentials {
  readonly chain: string;
  readonly key: string;
}

/** Those who sign: an authority's certificate, those above it, its key. */
export interface Issuer {
  readonly chain: Chain;
  readonly key: Key;
}

export interface Leaf {
  readonly commonName: string;
  readonly command: Command;
  /** Absent: all that those above it permit. */
  readonly permissions?: readonly Permission[];
  /** Its own. */
  readonly key: Key;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  /** Milliseconds that it is good for; absent: five minutes, as albatross. */
  readonly life?: number;
  /** Random, `serialLength` bytes. */
  readonly serial: Uint8Array;
}

export type LeafError =
  | { readonly kind: "sign"; readonly error: SignError }
  | { readonly kind: "path"; readonly error: PathError }
  /** A bug. */
  | { readonly kind: "unreadable" };

/** Makes the short-lived certificate that carries one command. */
export function issueLeaf({ chain, key }: Issuer, leaf: Leaf): Result<Credentials, LeafError> {
  const publicKey = parsePublicKey(encodePublicKey(leaf.key));
  if (!publicKey.ok) return err({ kind: "unreadable" });
  const { commonName, command, permissions, now, life = leafLife, serial } = leaf;
  const asked = { commonName, command, publicKey: publicKey.value };
  const signed = signRequest(permissions === undefined ? asked : { ...asked, permissions }, {
    issuer: chain[0],
    above: chain.slice(1),
    issuerKey: key,
    now,
    days: life / millisecondsPerDay,
    serial,
  });
  if (!signed.ok) return err({ kind: "sign", error: signed.error });
  const own = parseCertificate(signed.value.der);
  if (!own.ok) return err({ kind: "unreadable" });
  const holds = checkChain([own.value, ...chain], now);
  if (!holds.ok) return err({ kind: "path", error: holds.error });
  const presented = encodeCertificates([signed.value.der, ...chain.map(({ raw }) => raw)]);
  return ok({ chain: presented, key: encodeKey(leaf.key) });
}

/** Whether a leaf's chain leads up to its last certificate, now. What is above that one, the server looks at. */
export function checkChain(chain: readonly Certificate[], now: number): Result<void, PathError> {
  const anchor = chain.at(-1);
  if (anchor === undefined) return ok(undefined);
  const path = verifyPath(chain, anchor, now, "client");
  // A leaf alone: nothing of it can be told here.
  return path.ok || path.error.kind === "no-certificate" ? ok(undefined) : path;
}

/** Bytes of a random serial number. */
export const serialLength = 10;

const leafLife = 300_000;

const millisecondsPerDay = 24 * 60 * 60 * 1000;
