/**
 * What strangers may cost the endpoint, and who may come in.
 *
 * @module
 */
import { BlockList, isIPv6 } from "node:net";
import { Crowd } from "../core/crowd.ts";
import { type EndpointLimits, usualEndpointLimits } from "../core/limits.ts";

/** Milliseconds and bytes. */
export interface TlsLimits {
  /** From the connection to the end of the handshake, however the bytes drip. */
  readonly handshake: number;
  /** Connections whose handshake is not done, in total and of one address. */
  readonly pending: number;
  readonly pendingPerAddress: number;
  /** Connections of any kind in total; of one address those of no delegate. */
  readonly connections: number;
  readonly connectionsPerAddress: number;
  /** Certificates of a client that are looked at. */
  readonly certificates: number;
  /** Bytes of a client's certificates together, as a rule, and where they may be large. */
  readonly smallCertificates: number;
  readonly largeCertificates: number;
  /** Connections that may present certificates of up to `largeCertificates` bytes, before anything is known of them. */
  readonly large: number;
  readonly largePerAddress: number;
  /** Connections that did present more than `smallCertificates` bytes, and are still there. */
  readonly heavy: number;
  /** Bytes of one command of a session. */
  readonly frame: number;
  /** Commands of one session that are not answered, and of all sessions of one delegate. */
  readonly unanswered: number;
  readonly unansweredPerDelegate: number;
  /** That a connection may stay after our last word, for the client to read it. */
  readonly linger: number;
  /** Without a byte while a client's upload or the reply is under way. */
  readonly stalled: number;
  /** From the request to the first byte of its reply. */
  readonly reply: number;
  /** In which a session is asked nothing. */
  readonly idle: number;
  /** Most bytes that a client may send where none are expected. */
  readonly unasked: number;
}

export function tlsLimitsOf(limits: EndpointLimits): TlsLimits {
  return {
    handshake: limits.handshake * 1000,
    pending: limits.handshakes,
    pendingPerAddress: limits["handshakes-per-address"],
    connections: limits.connections,
    connectionsPerAddress: limits["connections-per-address"],
    certificates: limits.certificates,
    smallCertificates: limits["certificate-bytes"],
    largeCertificates: limits["large-certificate-bytes"],
    large: limits["large-handshakes"],
    largePerAddress: 1,
    heavy: limits["large-requests"],
    frame: limits.frame,
    unanswered: limits.unanswered,
    unansweredPerDelegate: limits["unanswered-per-delegate"],
    linger: limits.linger * 1000,
    stalled: limits.stalled * 1000,
    reply: limits.reply * 1000,
    idle: limits.idle * 1000,
    unasked: limits.unasked,
  };
}

export const tlsLimits: TlsLimits = tlsLimitsOf(usualEndpointLimits);

/** The place of one connection. Every step may be taken more than once and counts once. */
export interface Place {
  /** Whether its certificates may be large. */
  readonly large: boolean;
  /** The handshake is done; `heavy`: the certificates were large indeed. */
  settle(heavy: boolean): void;
  /** The certificates are good, or small: others may present large ones. */
  clear(): void;
  /** It is a delegate's, no stranger's: it counts with his others. */
  belong(delegate: string): void;
  /** Something moves. */
  touch(): void;
  /** The connection is gone. */
  leave(): void;
}

/**
 * Counts connections; by address, of which an IPv6 client has a whole /64, until
 * they belong to a delegate. Anyone has as many as are free; when all are taken,
 * whoever has most makes room.
 */
export class Admission {
  readonly #limits: TlsLimits;
  readonly #now: () => number;
  readonly #pending = new Crowd<Seat>();
  readonly #present = new Crowd<Seat>();
  readonly #large = new Crowd<Seat>();
  readonly #heavy = new Crowd<Seat>();
  /** Those whose handshake is done and who are no delegate's, who came first first: they are told so, and go. */
  readonly #strangers: Set<Seat> = new Set();

  /** @param now - milliseconds of a clock that never goes back */
  constructor(limits: TlsLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  /**
   * Absent: no room for a connection of this address.
   *
   * @param end - ends the connection, for another one to have its place
   */
  admit(address: string, end: () => void): Place | undefined {
    const group = addressGroup(address);
    if (!this.#hasRoom(group)) return undefined;
    const seat: Seat = { end, since: this.#now() };
    const isLarge = this.#hasLarge(group);
    const leavePending = this.#pending.enter(group, seat);
    const leaveLarge = isLarge ? this.#large.enter(group, seat) : done;
    let leavePresent = this.#present.enter(group, seat);
    let leaveHeavy = done;
    let owner = group;
    let gone = false;
    const leave = (): void => {
      for (const step of [leavePending, leaveLarge, leavePresent, leaveHeavy]) step();
      this.#strangers.delete(seat);
      gone = true;
    };
    // Whoever needs the place need not wait for the connection's end.
    seat.end = () => {
      leave();
      end();
    };
    return {
      large: isLarge,
      settle: (heavy) => {
        leavePending();
        if (!gone && owner === group) this.#strangers.add(seat);
        if (heavy && leaveHeavy === done) leaveHeavy = this.#heavy.enter(group, seat);
      },
      clear: leaveLarge,
      belong: (delegate) => {
        leavePresent();
        this.#strangers.delete(seat);
        owner = `delegate ${delegate}`;
        leavePresent = this.#present.enter(owner, seat);
      },
      touch: () => this.#present.refresh(owner, seat),
      leave,
    };
  }

  #hasRoom(group: string): boolean {
    const { pending, pendingPerAddress, connections, connectionsPerAddress } = this.#limits;
    if (this.#present.of(group) >= connectionsPerAddress) return false;
    if (this.#pending.of(group) >= pendingPerAddress && !this.#endSlow(group)) return false;
    if (this.#pending.total >= pending && !this.#endOfMost(group)) return false;
    if (this.#present.total >= connections) this.#makeRoom();
    return this.#present.total < connections;
  }

  /** Ends a handshake of the address with most: whoever has fewer need not wait until it is a slow one. */
  #endOfMost(group: string): boolean {
    const largest = this.#pending.largest();
    if (largest === undefined || this.#pending.of(group) + 1 >= this.#pending.of(largest))
      return this.#endSlow(largest);
    this.#pending.first(largest)?.end();
    return true;
  }

  /**
   * Of strangers first: those of any number of addresses take no delegate's place. But some handshakes may be slow where
   * idle connections of one delegate take the rest, or nobody with a slow line would ever get in.
   */
  #makeRoom(): void {
    const [stranger] = this.#strangers;
    const many = this.#pending.total > this.#limits.connections * slowShare;
    if (stranger !== undefined) stranger.end();
    else if (!(many && this.#endSlow(this.#pending.largest()))) this.#present.first(this.#present.largest())?.end();
  }

  /** Ends a handshake that takes longer than an honest one does. */
  #endSlow(group: string | undefined): boolean {
    const oldest = this.#pending.first(group);
    if (oldest === undefined || this.#now() - oldest.since < slow) return false;
    oldest.end();
    return true;
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

interface Seat {
  end: () => void;
  readonly since: number;
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

/** Milliseconds: an honest handshake takes less, but for the slowest lines, and those only when all places are taken. */
const slow = 1000;

/** Of all connections: so many handshakes may be slow though all are taken. */
const slowShare = 1 / 16;
