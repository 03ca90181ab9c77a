/**
 * What a Solo5 image says of itself: the tender and ABI that it was built for,
 * and the devices that it must be given.
 *
 * @module
 */
import { err, ok, type Result } from "./result.ts";
import type { Settings } from "./unikernel.ts";

/** The targets that an ABI note can name. */
export type Target = "hvt" | "spt" | "virtio" | "muen" | "genode" | "xen";

/** The targets that have a tender here. */
export type TenderKind = "hvt" | "spt" | "virtio";

export type DeviceType = "block" | "net";

export interface Device {
  /** 1 to 67 letters and digits. */
  readonly name: string;
  readonly type: DeviceType;
}

export interface Manifest {
  readonly target: Target;
  readonly abi: number;
  readonly devices: readonly Device[];
}

/** The devices of one type that are given and those that the manifest declares, where these differ. */
export interface DeviceMismatch {
  readonly kind: "devices-differ";
  readonly type: DeviceType;
  readonly declared: readonly string[];
  readonly given: readonly string[];
}

/** Every declared device must be given once, and nothing else. */
export function checkDevices(manifest: Manifest, settings: Settings): Result<void, DeviceMismatch> {
  const given = {
    block: settings.blocks.map((block) => block.name),
    net: settings.bridges.map((bridge) => bridge.netif),
  };
  for (const type of ["block", "net"] as const) {
    const declared = manifest.devices.filter((device) => device.type === type).map((device) => device.name);
    if (!sameNames(declared, given[type])) {
      return err({ kind: "devices-differ", type, declared, given: given[type] });
    }
  }
  return ok(undefined);
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  const sorted = b.toSorted();
  return a.length === b.length && a.toSorted().every((name, index) => name === sorted[index]);
}
