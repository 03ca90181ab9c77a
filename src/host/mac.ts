/**
 * The MAC address of a unikernel's network device where none is given: the same
 * for the same names on every host, as albatross derives it.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { type Name, printName } from "../core/name.ts";

/** 00:80:41 and the first 3 bytes of MD5 over the device's name in the unikernel and the unikernel's full name. */
export function deriveMac(device: string, name: Name): Uint8Array {
  const digest = createHash("md5").update(device).update(printName(name)).digest();
  return Uint8Array.of(0x00, 0x80, 0x41, ...digest.subarray(0, 3));
}
