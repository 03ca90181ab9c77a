/**
 * Switches GRO and GSO off on a tap.
 *
 * Solo5's tenders do that themselves, but a caged one may not; then the kernel
 * may hand the guest frames that it joined to up to 64 KB, cut off at the
 * guest's buffer.
 *
 * @module
 */
import { bindLibc } from "./libc.ts";
import { run } from "./run.ts";

export interface Offloads {
  /** Switches both off, as far as this host can. */
  switchOff(tap: string): Promise<void>;
  /** Why it could not. */
  fault(): string | undefined;
}

/** Through koffi where it is installed, else through `ethtool`. */
export function createOffloads(): Offloads {
  let fault: string | undefined;
  const system = loadSystem();
  return {
    fault: () => fault,
    switchOff: async (tap) => {
      if (system !== undefined) {
        fault = system(tap) ? undefined : "SIOCETHTOOL is refused";
        return;
      }
      const done = await run(["ethtool", "-K", tap, "gro", "off", "gso", "off"]);
      fault = done.ok ? undefined : "neither koffi nor ethtool is there";
    },
  };
}

/** The ioctl, 0.1 ms where a child costs 3; undefined without koffi. */
function loadSystem(): ((tap: string) => boolean) | undefined {
  return bindLibc((libc, koffi) => {
    const socket = libc.func("int socket(int, int, int)");
    const ioctl = libc.func("int ioctl(int, unsigned long, void *)");
    const close = libc.func("int close(int)");
    return (tap: string) => {
      const fd: number = socket(afInet, sockDgram | sockCloexec, 0);
      if (fd < 0) return false;
      const value = Buffer.alloc(8);
      const request = Buffer.alloc(ifreqSize);
      request.write(tap, 0, ifNameSize - 1, "latin1");
      request.writeBigUInt64LE(koffi.address(value), ifNameSize);
      const results = [ethtoolSgro, ethtoolSgso].map((command) => {
        value.writeUInt32LE(command, 0);
        return ioctl(fd, siocEthtool, request);
      });
      close(fd);
      return results.every((result) => result === 0);
    };
  });
}

/** Numbers of linux/if.h, linux/sockios.h, linux/ethtool.h. */
const afInet = 2;
const sockDgram = 2;
const sockCloexec = 0o2000000;
const ifNameSize = 16;
const ifreqSize = 40;
const siocEthtool = 0x8946;
const ethtoolSgro = 0x2c;
const ethtoolSgso = 0x24;
