/**
 * An audit log that is as large as it may become: the next entry makes the oldest go.
 *
 * @module
 */

import { loadAuditKey, publishAuditKey } from "../src/host/audit_key.ts";
import { AuditLog } from "../src/host/audit_log.ts";
import { openStore } from "../src/host/store.ts";
import type { Place } from "./place.ts";

/** Of a megabyte: what a daemon takes for `--audit-size 1`. */
export async function fillAuditLog({ dbdir }: Place): Promise<void> {
  const store = await openStore(dbdir);
  const key = await loadAuditKey(dbdir);
  if (!store.ok || !key.ok) throw new Error("no audit log can be made");
  const log = new AuditLog(store.value, key.value, size);
  store.value.keep(log);
  while (log.checkpoint.bytes < size - margin) {
    for (let entry = 0; entry < atOnce; entry++) log.tell({ ...told, outcome: { kind: "done" } });
    const stored = await store.value.commit([]);
    if (!stored.ok) throw new Error(`the audit log cannot be written: ${stored.error.kind}`);
  }
  log.close();
  await store.value.commit([]);
  await publishAuditKey(dbdir, key.value);
  await store.value.close();
}

const told = { actor: { kind: "daemon" }, name: { path: [] }, policies: [], command: "filling" } as const;

/** Bytes. */
const size: number = 1024 * 1024;
const margin = 8 * 1024;

const atOnce = 500;
