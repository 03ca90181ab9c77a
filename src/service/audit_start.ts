/**
 * The audit log at a start of the daemon.
 *
 * @module
 */
import { ok, type Result } from "../core/result.ts";
import { type AuditKeyError, loadAuditKey, publishAuditKey } from "../host/audit_key.ts";
import { AuditLog } from "../host/audit_log.ts";
import type { Log } from "../host/log.ts";
import type { Store } from "../host/store.ts";

export interface AuditStart {
  readonly log: AuditLog;
  /** Writes its first entry, and then the key that it can be verified with. */
  begin(flush: () => Promise<void>): Promise<void>;
}

interface Options {
  readonly dbdir: string;
  /** Bytes that are kept. */
  readonly auditSize?: number;
  readonly log: Log;
}

/** That the log was tampered with is no reason not to serve, and is said in it. */
export async function openAudit(
  { dbdir, auditSize = usualSize, log }: Options,
  store: Store,
): Promise<Result<AuditStart, AuditKeyError>> {
  const key = await loadAuditKey(dbdir);
  if (!key.ok) return key;
  const audit = new AuditLog(store, key.value, auditSize);
  if (audit.damaged) log.error("the audit log is not as it was left: see fulmar audit --verify");
  store.keep(audit);
  const begin = async (flush: () => Promise<void>): Promise<void> => {
    audit.start(flush);
    await flush();
    const published = audit.checkpoint.number > 0 ? await publishAuditKey(dbdir, key.value) : ok(undefined);
    if (!published.ok) log.error({ error: published.error }, "the audit log's public key is not written");
  };
  return ok({ log: audit, begin });
}

/** Some million entries: more than a month of one every three seconds. */
const usualSize: number = 256 * 1024 * 1024;
