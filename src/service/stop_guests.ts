/**
 * Ending all guests of a host: by the daemon that has them, or, where none
 * runs, without one. What is stored stays: the next daemon starts them again.
 *
 * @module
 */
import { resolve } from "node:path";
import { err, ok, type Result } from "../core/result.ts";
import { Launcher } from "../host/launcher.ts";
import { findLeft } from "../host/left.ts";
import type { Log } from "../host/log.ts";
import { signal } from "../host/proc.ts";
import { findStore, openStore, type Store, type StoreError } from "../host/store.ts";

export interface StopOptions {
  readonly tmpdir: string;
  readonly dbdir: string;
  readonly cage: boolean;
  /** See DaemonOptions. */
  readonly cgroup?: string;
  /** Milliseconds from SIGTERM to SIGKILL, where no daemon runs: one that does has its own. */
  readonly grace: number;
  readonly log: Log;
}

/** What a daemon takes for: end your guests, and then yourself. */
export const stopGuestsSignal = "SIGUSR2";

/** Whose guests were ended, or what went wrong. */
export async function stopGuests(words: StopOptions): Promise<Result<"a daemon's" | "left", StoreError>> {
  const options = { ...words, tmpdir: resolve(words.tmpdir), dbdir: resolve(words.dbdir) };
  const found = await findStore(options.dbdir);
  if (!found.ok) return found;
  const first = await openStore(options.dbdir);
  const store = first.ok ? first : await afterDaemon(options.dbdir, first.error);
  if (!store.ok) return store;
  try {
    const left = await findLeft(options.tmpdir);
    if (!left.ok) return left;
    const nobody = (): void => undefined;
    const launcher = new Launcher(left.value, {
      ...options,
      dropPath: true,
      output: nobody,
      opened: nobody,
      started: nobody,
      ended: nobody,
    });
    await launcher.prepare();
    await launcher.close();
    return ok(first.ok ? "left" : "a daemon's");
  } finally {
    await store.value.close();
  }
}

/** Has the daemon that holds the store end its guests, and waits until it has. */
async function afterDaemon(dbdir: string, error: StoreError): Promise<Result<Store, StoreError>> {
  if (error.kind !== "store-locked" || error.pid === undefined) return err(error);
  signal(error.pid, stopGuestsSignal);
  for (let waited = 0; waited < daemonLimit; waited += lookInterval) {
    await new Promise((done) => setTimeout(done, lookInterval));
    const store = await openStore(dbdir);
    if (store.ok || store.error.kind !== "store-locked") return store;
  }
  return err(error);
}

/** Milliseconds: longer than the longest grace that makes sense, and what the kernel needs then. */
const daemonLimit = 180_000;

/** Milliseconds between looks at whether the daemon has let go of its store. */
const lookInterval = 200;
