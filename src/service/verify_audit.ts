/**
 * The audit log checked where it lies, while no daemon runs.
 *
 * @module
 */
import { err, ok, type Result, unreachable } from "../core/result.ts";
import { keyOf, readCheckpoint, readSegments } from "../host/audit_store.ts";
import { type FileError, readFile } from "../host/client_files.ts";
import type { IoError } from "../host/io.ts";
import { findStore, openStore, type Store, type StoreError } from "../host/store.ts";
import { AuditCheck, type AuditVerdict, parseAuditKey, type SeenHead } from "../x509/audit_chain.ts";
import { describeErrno, describeHostError } from "./host_describe.ts";

export type VerifyError =
  /** The store has no checkpoint, or one that cannot be read. */
  | { readonly kind: "no-checkpoint" }
  | { readonly kind: "no-key"; readonly path: string }
  | FileError
  | StoreError
  | IoError;

/** @param keyFile - PEM: the public key that must have signed it */
export async function verifyAudit(
  dbdir: string,
  keyFile: string | undefined,
  seen: SeenHead | undefined,
): Promise<Result<AuditVerdict, VerifyError>> {
  const wanted = keyFile === undefined ? ok(undefined) : await readKey(keyFile);
  if (!wanted.ok) return wanted;
  const found = await findStore(dbdir);
  if (!found.ok) return found;
  const store = await openStore(dbdir);
  if (!store.ok) return store;
  try {
    return checkStore(store.value, wanted.value, seen);
  } finally {
    await store.value.close();
  }
}

/** The whole log of an open store. */
export function checkStore(
  store: Store,
  wanted: Uint8Array | undefined,
  seen: SeenHead | undefined,
): Result<AuditVerdict, VerifyError> {
  const checkpoint = readCheckpoint(store);
  if (checkpoint === undefined) return err({ kind: "no-checkpoint" });
  const check = new AuditCheck(checkpoint, wanted, seen);
  for (let from = 0; ; ) {
    const stored = readSegments(store, from, atOnce);
    for (const { key, segment } of stored) {
      if (segment === undefined || keyOf(segment.first) !== key) check.takeUnreadable(Number(key));
      if (segment !== undefined) check.take(segment);
    }
    const last = stored.at(-1);
    if (last === undefined || stored.length < atOnce) return ok(check.finish());
    from = Number(last.key) + 1;
  }
}

export function describeVerifyError(error: VerifyError): string {
  switch (error.kind) {
    case "no-checkpoint":
      return "the store has no audit log, or one whose checkpoint cannot be read";
    case "no-key":
      return `${error.path} holds no public key of type Ed25519`;
    case "file":
      return `${error.path} cannot be read: ${describeErrno(error.code)}`;
    case "store-locked":
      return "a daemon has the store: ask it, with fulmar audit --verify";
    case "store-full":
    case "store-failed":
    case "io-failed":
      return describeHostError(error);
    default:
      return unreachable(error);
  }
}

async function readKey(path: string): Promise<Result<Uint8Array, VerifyError>> {
  const bytes = await readFile(".", path);
  if (!bytes.ok) return bytes;
  const key = parseAuditKey(Buffer.from(bytes.value).toString("utf8"));
  return key === undefined ? err({ kind: "no-key", path }) : ok(key);
}

/** Segments that are read at a time. */
const atOnce = 256;
