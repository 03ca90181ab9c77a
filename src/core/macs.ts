/**
 * Which MAC address is taken on which bridge. A derived address has 24 bits, so
 * among some thousand names two meet; two guests of one address on one bridge
 * would take each other's frames.
 *
 * @module
 */
import { type Name, sameName } from "./name.ts";
import { insert, lookup, type OrderedMap, remove } from "./ordered_map.ts";
import type { Refusal } from "./refusal.ts";
import { err, ok, type Result } from "./result.ts";
import type { Attached } from "./state.ts";
import { printMac } from "./tender.ts";

export type Macs = OrderedMap<string, Name>;

/** The map with the devices' addresses taken by `name`, or who has one of them already. */
export function claimMacs(macs: Macs, name: Name, devices: readonly Attached[]): Result<Macs, Refusal> {
  let claimed = macs;
  const own = new Set<string>();
  for (const device of devices) {
    if (device.kind !== "net") continue;
    const { bridge, mac } = device;
    const by = lookup(claimed, key(bridge, mac));
    const taken = by !== undefined && (!sameName(by, name) || own.has(key(bridge, mac)));
    if (taken) return err({ kind: "mac-taken", bridge, mac, ...(sharesDelegate(name, by) ? { by } : {}) });
    own.add(key(bridge, mac));
    claimed = insert(claimed, key(bridge, mac), name);
  }
  return ok(claimed);
}

/** The map without the devices' addresses, as far as they are `name`'s. */
export function releaseMacs(macs: Macs, name: Name, devices: readonly Attached[]): Macs {
  let rest = macs;
  for (const device of devices) {
    if (device.kind !== "net") continue;
    const at = key(device.bridge, device.mac);
    const by = lookup(rest, at);
    if (by !== undefined && sameName(by, name)) rest = remove(rest, at);
  }
  return rest;
}

/** Whether both are below one first-level delegate, or `asking` is at the root, whose holder may see everything. */
function sharesDelegate(asking: Name, other: Name): boolean {
  return asking.path.length === 0 || asking.path[0] === other.path[0];
}

function key(bridge: string, mac: Uint8Array): string {
  return `${bridge} ${printMac(mac)}`;
}
