/**
 * Memory of what passes through. V8 counts the buffers that lie outside of its
 * heap; every ten MB of new ones or so it goes through the whole heap to find
 * out which are still needed, on several threads, which takes longer than all
 * else that is done with an upload. They are found as well by a look at the
 * youngest objects alone, which V8 leaves until those are many: the program has
 * to ask for it.
 *
 * @module
 */
import { collectYoung } from "./collect.ts";

let gone = 0;

/** @param length - bytes in buffers that came lately, and are needed no longer or not for long */
export function letGo(length: number): void {
  gone += length;
  if (gone < portion) return;
  gone = 0;
  collectYoung();
}

/** Bytes: half of what V8 lets come. */
const portion: number = 4 * 1024 * 1024;
