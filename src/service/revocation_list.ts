/**
 * Revocation lists on their way into the supervisor: read, and for a pushed one
 * checked to be its authority's.
 *
 * @module
 */
import { decodeCrl } from "../codec/record.ts";
import type { ChainRequest, Command } from "../core/command.ts";
import type { Refusal } from "../core/refusal.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { KeptList, RevocationList } from "../core/revocation.ts";
import type { Request, State } from "../core/state.ts";
import { parseCertificate } from "../x509/certificate.ts";
import { authorityId } from "../x509/certificate_id.ts";
import { type Crl, findRevoked, parseCrl, verifyCrl } from "../x509/crl.ts";
import { describeCertificateError } from "../x509/describe.ts";
import { describeCrlError, describeCrlOrigin } from "../x509/describe_crl.ts";
import { sha256 } from "../x509/signature.ts";

/** @param now - ms since the Unix epoch */
export function readPushed(
  { crl, authority }: Extract<Command, { kind: "push-crl" }>,
  { levels }: Pick<Request, "levels">,
  now: number,
): Result<RevocationList, Refusal> {
  if (levels.length > 0 && crl.length > maxDelegates) {
    return bad(`a delegate's has at most ${maxDelegates} bytes, this one ${crl.length}`);
  }
  const issuer = parseCertificate(authority);
  if (!issuer.ok) return bad(`its authority's certificate cannot be read: ${describeCertificateError(issuer.error)}`);
  // A copy: what the frame lies in goes.
  const list = parseCrl(Uint8Array.from(crl));
  if (!list.ok) return bad(describeCrlError(list.error));
  const origin = verifyCrl(list.value, issuer.value);
  if (!origin.ok) return bad(describeCrlOrigin(origin.error));
  if (list.value.thisUpdate > now + skew) return bad("it is of a time to come");
  return ok(listOf(authorityId(issuer.value), list.value));
}

/** Once anything is revoked, a chain whose certificates the endpoint does not name could be anybody's. */
export function checkNamed({ revocation }: Pick<State, "revocation">, request: ChainRequest): Refusal | undefined {
  const named =
    request.certificates !== undefined && request.levels.every(({ certificate }) => certificate !== undefined);
  if (named || revocation.lists === undefined) return undefined;
  const problem = "the endpoint does not say which they are, and is of another version than the daemon";
  return { kind: "host-failed", doing: "looking for revoked certificates", problem };
}

/** What an earlier daemon took; undefined where it cannot be read. */
export function readStoredList(authority: string, record: Uint8Array): KeptList | undefined {
  const stored = decodeCrl(record);
  if (!stored.ok) return undefined;
  const crl = parseCrl(stored.value.crl);
  return crl.ok ? { path: stored.value.path, list: listOf(authority, crl.value) } : undefined;
}

/** A list whose authority is known. */
export function listOf(authority: string, crl: Crl): RevocationList {
  const { issuer, number, nextUpdate } = crl;
  return {
    authority,
    issuer: issuer.commonName ?? "an authority without a name",
    number,
    digest: Buffer.from(sha256(crl.raw)).toString("hex"),
    nextUpdate,
    revokedAt: (serial) => findRevoked(crl, Buffer.from(serial, "hex")),
  };
}

function bad(problem: string): Result<never, Refusal> {
  return err({ kind: "revocations-bad", problem });
}

/** Bytes of a delegate's list, some 1,500 entries: reading one takes some milliseconds, in which nothing else is done. */
const maxDelegates: number = 64 * 1024;

/** Milliseconds that an authority's clock may be ahead of ours. */
const skew = 300_000;
