/**
 * The MAC address of a unikernel's network device where none is given: the same
 * for the same names on every host, as albatross derives it.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { type Name, printName } from "../core/name.ts";
import type { Settings } from "../core/unikernel.ts";

/** 00:80:41 and the first 3 bytes of MD5 over the device's name in the unikernel and the unikernel's full name. */
function deriveMac(device: string, name: Name): Uint8Array {
  const digest = createHash("md5").update(device).update(printName(name)).digest();
  return Uint8Array.of(0x00, 0x80, 0x41, ...digest.subarray(0, 3));
}

/** Of each of the settings' bridges, in their order: given or derived. */
export function macsOf(name: Name, { bridges }: Settings): readonly Uint8Array[] {
  return bridges.map(({ netif, mac }) => mac ?? deriveMac(netif, name));
}
