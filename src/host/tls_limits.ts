/**
 * What strangers may cost the endpoint, and who may come in.
 *
 * @module
 */
import { BlockList, isIPv6 } from "node:net";

export interface TlsLimits {
  /** Milliseconds from the connection to the end of the handshake, however the bytes drip. */
  readonly handshake: number;
  /** Connections whose handshake is not done, in total and of one address. */
  readonly pending: number;
  readonly pendingPerAddress: number;
  /** Connections of any kind, in total and of one address. */
  readonly connections: number;
  readonly connectionsPerAddress: number;
  /** Connections that may present certificates of up to `largeCertificates` bytes, before anything is known of them. */
  readonly large: number;
  readonly largePerAddress: number;
  /** Connections that did present more than `smallCertificates` bytes, and are still there. */
  readonly heavy: number;
  /** Milliseconds that a connection may stay after our last word, for the client to read it. */
  readonly linger: number;
  /** Milliseconds without a byte while a client's upload or the reply is under way. */
  readonly stalled: number;
  /** Milliseconds from the request to the first byte of its reply. */
  readonly reply: number;
}

/**
 * A handshake takes milliseconds, on the slowest lines a second or two. A pending one holds up to 100 KiB of
 * certificates, so that 1,000 hold 100 MB; no host needs 64 at once. A connection holds two descriptors and 50 KB:
 * 2,000 stay below the usual 4,096 and 524,288 descriptors with room; a quarter of them is for one address, which may
 * be a management server that watches many consoles. OpenSSL takes 16 MiB from the system as soon as somebody announces a
 * certificate of that size: four may. One that was sent is there three times until its request is done (OpenSSL keeps it
 * read and unread, and we have it): eight take 400 MB. An upload that stands still for a minute will not go on. The
 * longest that the daemon thinks about a request is the unpacking of a large image and the end of an old guest.
 */
export const tlsLimits: TlsLimits = {
  handshake: 10_000,
  pending: 1000,
  pendingPerAddress: 64,
  connections: 2000,
  connectionsPerAddress: 500,
  large: 4,
  largePerAddress: 1,
  heavy: 8,
  linger: 10_000,
  stalled: 60_000,
  reply: 300_000,
};

/** Bytes of a client's certificates together: what OpenSSL takes by itself, and the most that TLS can carry. */
export const smallCertificates: number = 100 * 1024;
export const largeCertificates: number = 16 * 1024 * 1024;

/** Most certificates looked at: a path has 9, then there are repetitions and the anchor. */
export const maxPresented = 16;

/** Most bytes that a client may send where none are expected, before the connection is ended. */
export const maxUnasked: number = 64 * 1024;

/** The place of one connection. Every step may be taken more than once and counts once. */
export interface Place {
  /** Whether its certificates may be large. */
  readonly large: boolean;
  /** The handshake is done; `heavy`: the certificates were large indeed. */
  settle(heavy: boolean): void;
  /** The certificates are good, or small: others may present large ones. */
  clear(): void;
  /** The connection is gone. */
  leave(): void;
}

/** Counts connections; by address, of which an IPv6 client has a whole /64. */
export class Admission {
  readonly #limits: TlsLimits;
  readonly #pending = new Counter();
  readonly #present = new Counter();
  readonly #large = new Counter();
  readonly #heavy = new Counter();

  constructor(limits: TlsLimits) {
    this.#limits = limits;
  }

  /** Absent: no room for a connection of this address. */
  admit(address: string): Place | undefined {
    const group = addressGroup(address);
    const { pending, pendingPerAddress, connections, connectionsPerAddress } = this.#limits;
    const full =
      this.#pending.total >= pending ||
      this.#present.total >= connections ||
      this.#pending.of(group) >= pendingPerAddress ||
      this.#present.of(group) >= connectionsPerAddress;
    if (full) return undefined;
    const large = this.#hasLarge(group);
    const steps = {
      settle: this.#pending.enter(group),
      clear: large ? this.#large.enter(group) : done,
      leave: this.#present.enter(group),
      lighten: done,
    };
    return {
      large,
      settle: (heavy) => {
        steps.settle();
        if (heavy && steps.lighten === done) steps.lighten = this.#heavy.enter(group);
      },
      clear: () => steps.clear(),
      leave: () => {
        for (const step of Object.values(steps)) step();
      },
    };
  }

  #hasLarge(group: string): boolean {
    const { large, largePerAddress, heavy } = this.#limits;
    return this.#large.total < large && this.#large.of(group) < largePerAddress && this.#heavy.total < heavy;
  }
}

/** Whether nobody beyond this machine reaches the address. */
export function isLoopback(address: string): boolean {
  return loopback.check(plain(address), isIPv6(plain(address)) ? "ipv6" : "ipv4");
}

const done = (): void => undefined;

class Counter {
  readonly #groups: Map<string, number> = new Map();
  total = 0;

  of(group: string): number {
    return this.#groups.get(group) ?? 0;
  }

  /** Counts one in; the function that counts it out, once. */
  enter(group: string): () => void {
    this.#add(group, 1);
    let inside = true;
    return () => {
      if (inside) this.#add(group, -1);
      inside = false;
    };
  }

  #add(group: string, step: 1 | -1): void {
    const count = this.of(group) + step;
    this.total += step;
    if (count === 0) this.#groups.delete(group);
    else this.#groups.set(group, count);
  }
}

/** Who counts as one client: an IPv4 address, the /64 of an IPv6 one. */
function addressGroup(address: string): string {
  const text = plain(address);
  if (!isIPv6(text)) return text;
  const [before = "", after = ""] = text.replace(/%.*$/, "").split("::");
  const head = before === "" ? [] : before.split(":");
  const tail = after === "" ? [] : after.split(":");
  const zeros = text.includes("::") ? Array.from({ length: 8 - head.length - tail.length }, () => "0") : [];
  return [...head, ...zeros, ...tail].slice(0, 4).join(":");
}

/** Without the IPv6 clothes of an IPv4 address. */
function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, "");
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");
