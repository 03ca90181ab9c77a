/**
 * V8's garbage collection, asked for: by its own function, as a program has it
 * that was started with --expose-gc.
 *
 * @module
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

let collector: ((options?: object) => void) | undefined;

/** The youngest objects alone, in a third of a millisecond. */
export function collectYoung(): void {
  collector ??= findCollector();
  collector({ type: "minor" });
}

/** All, in a millisecond for some MB that are in use. V8 gives back what it has too much some ten seconds later. */
export function collectAll(): void {
  collector ??= findCollector();
  collector();
}

function findCollector(): (options?: object) => void {
  setFlagsFromString("--expose-gc");
  const gc: unknown = runInNewContext("gc");
  return typeof gc === "function" ? (options) => void gc(options) : () => undefined;
}
