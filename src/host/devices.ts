/**
 * The host's devices that tenders open. Where a caged guest may not, they are
 * given the modes that udev gives them on an ordinary host.
 *
 * @module
 */
import { chmodSync, chownSync, readFileSync, statSync } from "node:fs";
import { errnoOf } from "./io.ts";

export const kvmDevice = "/dev/kvm";

/** The group whose members may use KVM: the primary group of a caged hvt. Never root's, which opens more than that. */
export function kvmGroup(): number | undefined {
  try {
    const { mode, gid } = statSync(kvmDevice);
    return (mode & 0o060) === 0o060 && gid !== 0 ? gid : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Lets caged guests open the tun device. That is harmless: a user without
 * CAP_NET_ADMIN can only attach to a tap that is his own.
 *
 * @returns why they cannot, where that could not be done
 */
export function openTun(): string | undefined {
  return change(tunDevice, (mode) => {
    if ((mode & 0o006) !== 0o006) chmodSync(tunDevice, 0o666);
  });
}

/** Lets the members of a group, the host's `kvm` or one of ours, open the KVM device. @returns as `openTun` */
export function openKvm(): string | undefined {
  return change(kvmDevice, (mode) => {
    if ((mode & 0o006) === 0o006 || kvmGroup() !== undefined) return;
    chownSync(kvmDevice, 0, hostKvmGroup() ?? guestKvmGroup);
    chmodSync(kvmDevice, 0o660);
  });
}

function change(device: string, act: (mode: number) => void): string | undefined {
  try {
    act(statSync(device).mode);
    return undefined;
  } catch (thrown) {
    return `${device}: ${errnoOf(thrown)}`;
  }
}

function hostKvmGroup(): number | undefined {
  const gid = /^kvm:[^:]*:(\d+):/m.exec(readFileSync("/etc/group", "utf8"))?.[1];
  return gid === undefined ? undefined : Number(gid);
}

const tunDevice = "/dev/net/tun";

/** Behind the uids of guests (see cage): no user's group, and no guest's own. */
const guestKvmGroup = 1_900_065_536;
