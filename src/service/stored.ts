/**
 * What an earlier daemon stored, read.
 *
 * @module
 */
import { decodeGrant, decodeLock, decodePast, decodeUnikernel } from "../codec/record.ts";
import type { Stored } from "../core/boot.ts";
import { parseName, parsePath } from "../core/name.ts";
import type { Log } from "../host/log.ts";
import { macsOf } from "../host/mac.ts";
import type { Store } from "../host/store.ts";
import { readStoredList } from "./revocation_list.ts";

/** Policies, how new those were that went, unikernels, locks and revocation lists of an earlier daemon; what cannot be read is left alone and said. */
export function readStored(store: Store, log: Log): Omit<Stored, "blocks"> {
  const policies = store.load("policy").flatMap(({ key, value }) => {
    const path = parsePath(key);
    const grant = decodeGrant(value);
    if (path.ok && grant.ok) return [{ path: path.value, ...grant.value }];
    log.error({ target: key }, "cannot read a stored policy");
    return [];
  });
  const past = store.load("past").flatMap(({ key, value }) => {
    const memory = decodePast(key, value);
    if (memory.ok) return [memory.value];
    log.error({ target: key }, "cannot read how new a policy was that went");
    return [];
  });
  const unikernels = store.load("unikernel").flatMap(({ key, value }) => {
    const name = parseName(key);
    const record = decodeUnikernel(value);
    if (name.ok && record.ok)
      return [{ name: name.value, record: record.value, macs: macsOf(name.value, record.value.config) }];
    log.error({ target: key }, "cannot read a stored unikernel");
    return [];
  });
  const locks = store.load("lock").flatMap(({ key, value }) => {
    const path = parsePath(key);
    const lock = path.ok ? decodeLock(path.value, value) : path;
    if (lock.ok) return [lock.value];
    log.error({ target: key }, "cannot read a stored lock");
    return [];
  });
  const lists = store.load("crl").flatMap(({ key, value }) => {
    const list = readStoredList(key, value);
    if (list === undefined) log.error({ authority: key }, "cannot read a stored revocation list");
    return list === undefined ? [] : [list];
  });
  return { policies, past, unikernels, locks, lists };
}
