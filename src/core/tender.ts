/**
 * Tender command lines: a unikernel's settings and what the host lends it,
 * as the words of one process.
 *
 * @module
 */
import type { TenderKind } from "./manifest.ts";

/** A network device of the guest on a tap of the host. */
interface NetDevice {
  readonly kind: "net";
  readonly device: string;
  readonly tap: string;
  /** 6 bytes. */
  readonly mac: Uint8Array;
}

/** A block device of the guest in a file of the host. */
interface BlockDevice {
  readonly kind: "block";
  readonly device: string;
  readonly file: string;
  /** Bytes; absent: the tender's default, 512. */
  readonly sectorSize?: number;
}

export interface Launch {
  readonly kind: TenderKind;
  /** The tender's program. */
  readonly tender: string;
  /** virtio alone: how QEMU executes the guest. */
  readonly accel?: "kvm" | "tcg";
  /** Host CPUs that it may run on. */
  readonly cpuids: readonly number[];
  /** MB. */
  readonly memory: number;
  /** In the manifest's order. */
  readonly devices: readonly (NetDevice | BlockDevice)[];
  /** The image's file. */
  readonly image: string;
  readonly arguments: readonly string[];
}

/** The words of the command, taskset first. */
export function tenderArguments(launch: Launch): readonly string[] {
  const pinned = ["taskset", "-c", launch.cpuids.join(","), launch.tender];
  return [...pinned, ...(launch.kind === "virtio" ? qemuArguments(launch) : solo5Arguments(launch))];
}

/** The unikernel's own arguments, its name put first where it is to be told. */
export function guestArguments(label: string, addName: boolean, given: readonly string[] = []): readonly string[] {
  return addName ? [`--name=${label}`, ...given] : given;
}

/** `00:80:41:d7:9a:5d` */
export function printMac(mac: Uint8Array): string {
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/** Most characters of a guest's command line, its words joined by spaces (Solo5's tenders and boot code). */
export const maxGuestArguments = 8191;

/** In albatross's order, which its users know from their process lists. */
function solo5Arguments({ memory, devices, image, arguments: words }: Launch): readonly string[] {
  const net = devices.filter((device) => device.kind === "net");
  const block = devices.filter((device) => device.kind === "block");
  return [
    `--mem=${memory}`,
    ...net.map(({ device, tap }) => `--net:${device}=${tap}`),
    ...net.map(({ device, mac }) => `--net-mac:${device}=${printMac(mac)}`),
    ...block.map(({ device, file }) => `--block:${device}=${file}`),
    ...block.flatMap(({ device, sectorSize }) =>
      sectorSize === undefined ? [] : [`--block-sector-size:${device}=${sectorSize}`],
    ),
    "--",
    image,
    ...words,
  ];
}

/**
 * QEMU as the tender of a virtio guest: no default devices, no configuration of
 * the host's, no monitor, its own sandbox on. The guest finds its devices by
 * their order on the PCI bus, which is the manifest's.
 */
function qemuArguments({ accel, memory, devices, image, arguments: words }: Launch): readonly string[] {
  return [
    ...["-nodefaults", "-no-user-config", "-monitor", "none", "-display", "none", "-serial", "stdio"],
    ...["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"],
    ...(accel === "kvm" ? ["-accel", "kvm", "-cpu", "host"] : ["-accel", "tcg", "-cpu", "Westmere"]),
    ...["-machine", "acpi=off", "-m", String(memory), "-device", "isa-debug-exit"],
    ...devices.flatMap(qemuDevice),
    ...["-kernel", image],
    ...(words.length > 0 ? ["-append", words.join(" ")] : []),
  ];
}

function qemuDevice(device: NetDevice | BlockDevice, index: number): readonly string[] {
  const id = `dev${index}`;
  return device.kind === "net"
    ? [
        ...["-netdev", `tap,id=${id},ifname=${device.tap},script=no,downscript=no`],
        ...["-device", `virtio-net,netdev=${id},mac=${printMac(device.mac)}`],
      ]
    : [
        ...["-drive", `id=${id},file=${device.file.replaceAll(",", ",,")},if=none,format=raw`],
        ...["-device", `virtio-blk,drive=${id}`],
      ];
}
