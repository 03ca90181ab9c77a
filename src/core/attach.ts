/**
 * What a unikernel's devices are attached to on the host.
 *
 * @module
 */
import type { Device } from "./manifest.ts";
import { type Name, parseLabel } from "./name.ts";
import type { Attached } from "./state.ts";
import { hostBridge, hostDevice, type Settings } from "./unikernel.ts";

/**
 * The devices in their order; those that the settings do not have are left out.
 *
 * @param macs - one for each of the settings' bridges, in their order
 */
export function attach(
  { path }: Name,
  { blocks, bridges }: Settings,
  devices: readonly Device[],
  macs: readonly Uint8Array[],
): readonly Attached[] {
  return devices.flatMap(({ name: device, type }): readonly Attached[] => {
    if (type === "net") {
      const index = bridges.findIndex(({ netif }) => netif === device);
      const bridge = bridges[index];
      const mac = macs[index];
      return bridge && mac ? [{ kind: "net", device, bridge: hostBridge(bridge), mac }] : [];
    }
    const block = blocks.find(({ name }) => name === device);
    const label = block && parseLabel(hostDevice(block));
    if (label?.ok !== true) return [];
    const at = { kind: "block", device, name: { path, label: label.value } } as const;
    return [block?.sectorSize === undefined ? at : { ...at, sectorSize: block.sectorSize }];
  });
}

/** The devices that the settings give: what its image declares, unless that cannot be started. */
export function devicesOf({ blocks, bridges }: Settings): readonly Device[] {
  return [
    ...blocks.map(({ name }): Device => ({ name, type: "block" })),
    ...bridges.map(({ netif }): Device => ({ name: netif, type: "net" })),
  ];
}
