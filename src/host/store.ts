/**
 * What must survive: policies and unikernels, in LMDB at `<dbdir>/store`.
 *
 * @module
 */
import type { Result } from "../core/result.ts";
import type { IoError } from "./io.ts";

export type Table = "policy" | "unikernel";

export interface Entry {
  readonly key: string;
  readonly value: Uint8Array;
}

/** A new value for a key, or without one its removal. */
export interface Change {
  readonly table: Table;
  readonly key: string;
  readonly value?: Uint8Array;
}

export type StoreError =
  /** Another daemon has this folder. */
  | { readonly kind: "store-locked"; readonly path: string; readonly pid?: number }
  | { readonly kind: "store-full"; readonly needed: number; readonly free: number }
  | { readonly kind: "store-failed"; readonly reason: string }
  | IoError;

export interface Store {
  load(table: Table): readonly Entry[];
  /** All changes or none; resolves when they are on the disk. */
  commit(changes: readonly Change[]): Promise<Result<void, StoreError>>;
  close(): Promise<void>;
}

export function openStore(_dbdir: string): Promise<Result<Store, StoreError>> {
  throw new Error("follows");
}
