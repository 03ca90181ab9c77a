import { createRequire } from "node:module";
import { isRoot } from "./folder.ts";

/**
 * Moves this process into a network namespace of its own, which ends with it: vitest gives every test file a process.
 *
 * @returns whether that was possible
 */
export function enterNetworkNamespace(): boolean {
  if (!isRoot) return false;
  try {
    const koffi: typeof import("koffi") = createRequire(import.meta.url)("koffi");
    return koffi.load(null).func("int unshare(int)")(cloneNewnet) === 0;
  } catch {
    return false;
  }
}

/** linux/sched.h */
const cloneNewnet = 0x40000000;
