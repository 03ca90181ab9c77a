/**
 * The C library's functions that Node has no call for, by koffi where that is
 * installed.
 *
 * @module
 */
import { createRequire } from "node:module";

type Koffi = typeof import("koffi");

/** @returns what `bind` makes of the library; undefined without koffi, or where it does not work here */
export function bindLibc<T>(bind: (libc: ReturnType<Koffi["load"]>, koffi: Koffi) => T): T | undefined {
  try {
    const koffi: Koffi = createRequire(import.meta.url)("koffi");
    return bind(koffi.load(null), koffi);
  } catch {
    return undefined;
  }
}
