/**
 * The key that signs the audit log: `<dbdir>/audit.key`, made at the first
 * start, and beside it `audit.pem`, its public half for whoever verifies.
 *
 * The public half is written once the log has begun: where it is there and the
 * log is not, somebody took the log away.
 *
 * @module
 */
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { err, ok, type Result } from "../core/result.ts";
import { encodeKey, encodePublicKey, parseKey } from "../x509/keys.ts";
import { encodePem } from "../x509/pem.ts";
import { attempt, type IoError, writeWhole } from "./io.ts";

/** Not an Ed25519 key. */
export type AuditKeyError = { readonly kind: "audit-key-unusable"; readonly path: string } | IoError;

export interface AuditKey {
  readonly key: KeyObject;
  /** Whether a log of this key has begun before. */
  readonly begun: boolean;
}

export async function loadAuditKey(dbdir: string): Promise<Result<AuditKey, AuditKeyError>> {
  const path = join(dbdir, "audit.key");
  const text = await attempt("read", path, () => readFile(path, "utf8"));
  if (!text.ok && text.error.code !== "ENOENT") return text;
  if (!text.ok) return makeKey(dbdir, path);
  const key = parseKey(text.value);
  if (!key.ok || key.value.asymmetricKeyType !== "ed25519") return err({ kind: "audit-key-unusable", path });
  const known = await attempt("open", publicFile(dbdir), () => access(publicFile(dbdir)));
  return ok({ key: key.value, begun: known.ok });
}

/** Writes the public half, PEM, unless it is there. */
export async function publishAuditKey(dbdir: string, { key, begun }: AuditKey): Promise<Result<void, IoError>> {
  if (begun) return ok(undefined);
  const text = encodePem("PUBLIC KEY", encodePublicKey(key));
  return await writeText(dbdir, publicFile(dbdir), 0o444, text);
}

async function makeKey(dbdir: string, path: string): Promise<Result<AuditKey, IoError>> {
  const { privateKey } = generateKeyPairSync("ed25519");
  const written = await writeText(dbdir, path, 0o400, encodeKey(privateKey));
  return written.ok ? ok({ key: privateKey, begun: false }) : written;
}

function writeText(dbdir: string, path: string, mode: number, text: string): Promise<Result<void, IoError>> {
  return writeWhole<void, IoError>(dbdir, mode, async (file) => {
    const written = await attempt("write", path, () => file.writeFile(text));
    return written.ok ? ok({ path, value: undefined }) : written;
  });
}

function publicFile(dbdir: string): string {
  return join(dbdir, "audit.pem");
}
