/**
 * Rude clients by the thousand against a real endpoint and a real daemon, on
 * loopback, while an honest client keeps asking.
 *
 *     npm run siege [-- COUNT]      of each kind; 10,000 at most, and without a number
 *
 * @module
 */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConnectionOptions, connect, createSecureContext, type TLSSocket } from "node:tls";
import type { Command } from "../src/core/command.ts";
import { Pki } from "./pki.ts";
import { residentMegabytes, sleep, startOwn, stop } from "./processes.ts";

/** What was seen of one kind of rude clients. */
export interface Seen {
  readonly kind: string;
  readonly count: number;
  readonly seconds: number;
  /** Of the honest client meanwhile: its requests, those that failed, and milliseconds of the slowest. */
  readonly served: number;
  readonly failed: number;
  readonly slowest: number;
}

export interface Siege {
  readonly seen: readonly Seen[];
  /** The endpoint's descriptors and MB, before the first and after the last. */
  readonly descriptors: readonly [number, number];
  readonly megabytes: readonly [number, number];
}

interface Target {
  readonly port: number;
  /** What anybody presents who asks for that. */
  readonly asking: (command: Command) => ConnectionOptions;
}

/** One rude client; resolves when its part is done, and leaves what it holds to be ended later. */
type Rude = (target: Target, from: string, held: Set<Socket>) => Promise<void>;

/** How many of each kind: of those without a handshake, and of the others, which cost some 2 ms of processor time each. */
export interface Counts {
  readonly raw: number;
  readonly tls: number;
}

/**
 * @param programs - the folder of the built programs, as seen from above this one
 * @param tell - is told of each kind once it is done
 */
export async function besiege(
  counts: Counts,
  programs: string,
  tell: (seen: Seen) => void = () => undefined,
): Promise<Siege> {
  const folder = mkdtempSync(join(tmpdir(), "fulmar-siege-"));
  const pki = new Pki("ed25519");
  const words = ["--tmpdir", folder];
  const daemon = await startOwn(
    `${programs}/fulmard.js`,
    [...words, "--dbdir", join(folder, "db"), "--no-cage"],
    /serving/,
  );
  try {
    const ip = ["--ip", "127.0.0.1", "--port", "0", "--allow-root", "-q"];
    const endpoint = await startOwn(
      `${programs}/fulmar-endpoint.js`,
      [...pki.write(folder), ...words, ...ip],
      /port (\d+)/,
    );
    try {
      return await attack(counts, targetOf(pki, Number(endpoint.match[1])), endpoint.child.pid ?? 0, tell);
    } finally {
      await stop(endpoint.child);
    }
  } finally {
    await stop(daemon.child);
    rmSync(folder, { recursive: true, force: true });
  }
}

function targetOf(pki: Pki, port: number): Target {
  const known = new Map<string, ConnectionOptions>();
  const asking = (command: Command): ConnectionOptions => {
    const options = known.get(command.kind) ?? {
      secureContext: createSecureContext({ ...pki.present(command, "x"), ca: [] }),
      rejectUnauthorized: false,
    };
    known.set(command.kind, options);
    return options;
  };
  return { port, asking };
}

async function attack({ raw, tls }: Counts, target: Target, pid: number, tell: (seen: Seen) => void): Promise<Siege> {
  await honest(target);
  const before = [descriptorsOf(pid), residentMegabytes([pid])] as const;
  const seen: Seen[] = [];
  const all = [[raw, rawKinds] as const, [tls, tlsKinds] as const];
  for (const [count, kinds] of all) {
    for (const [kind, rude] of Object.entries(kinds)) {
      const one = await waves(kind, count, rude, target);
      seen.push(one);
      tell(one);
    }
  }
  for (let tries = 0; tries < patience && descriptorsOf(pid) > before[0]; tries++) await sleep(100);
  return {
    seen,
    descriptors: [before[0], descriptorsOf(pid)],
    megabytes: [before[1], residentMegabytes([pid])],
  };
}

/** So many of a kind, some at once; the honest client asks until all are done. */
async function waves(kind: string, count: number, rude: Rude, target: Target): Promise<Seen> {
  const begun = performance.now();
  const held = new Set<Socket>();
  let left = count;
  let over = false;
  const asked = askOnAndOn(target, () => over);
  const one = async (_: unknown, worker: number): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await rude(target, `127.0.${1 + (worker % addresses)}.1`, held);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, one));
  over = true;
  const latencies = await asked;
  for (const socket of held) socket.destroy();
  const served = latencies.filter((latency) => latency !== undefined);
  return {
    ...{ kind, count, seconds: (performance.now() - begun) / 1000 },
    ...{ served: served.length, failed: latencies.length - served.length, slowest: Math.max(0, ...served) },
  };
}

/** Milliseconds of each answer; undefined where there was none. */
async function askOnAndOn(target: Target, over: () => boolean): Promise<readonly (number | undefined)[]> {
  const latencies: (number | undefined)[] = [];
  do {
    const before = performance.now();
    latencies.push((await honest(target)) ? performance.now() - before : undefined);
    await sleep(20);
  } while (!over());
  return latencies;
}

/** @returns whether there was an answer */
function honest({ port, asking }: Target): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", ...asking({ kind: "policy-info" }) });
    let bytes = 0;
    socket.on("data", (piece: Buffer) => {
      bytes += piece.length;
    });
    socket.on("error", () => undefined).on("close", () => resolve(bytes > 0));
    socket.setTimeout(answerLimit, () => socket.destroy());
  });
}

const rawKinds: Readonly<Record<string, Rude>> = {
  "silent from the start": async (target, from, held) => hold(await open(target, from), held),
  "half a ClientHello, then a byte now and then": async (target, from, held) => {
    const socket = await open(target, from);
    socket.write(Buffer.from("1603010200010001fc0303", "hex"));
    const drip = setInterval(() => socket.write("\0"), 500);
    socket.once("close", () => clearInterval(drip));
    hold(socket, held);
  },
  "reset at once": async (target, from) => void (await open(target, from)).resetAndDestroy(),
  "half-closed": async (target, from, held) => {
    const socket = await open(target, from);
    socket.end();
    hold(socket, held);
  },
  garbage: async (target, from) => {
    const socket = await open(target, from);
    await ended(socket.resume(), () => socket.write(Buffer.alloc(16_384, "GET / HTTP/1.0\r\n")));
  },
};

const tlsKinds: Readonly<Record<string, Rude>> = {
  "no certificate": async (target, from) => {
    const socket = shake(target, from, { rejectUnauthorized: false, ca: [] });
    await ended(socket.resume());
  },
  "resuming what was never there": async (target, from) => {
    const socket = shake(target, from, { ...target.asking({ kind: "policy-info" }), session: Buffer.alloc(200, 1) });
    await ended(socket.resume());
  },
  "never reading": async (target, from, held) => {
    const socket = shake(target, from, target.asking({ kind: "unikernel-info", form: "current" }));
    await secured(socket.pause());
    hold(socket, held);
  },
  "an upload that never comes": async (target, from, held) => {
    const socket = shake(target, from, target.asking({ kind: "block-set", compressed: false }));
    await secured(socket);
    hold(socket, held);
  },
  "a session in which nothing is asked": async (target, from, held) => {
    const socket = shake(target, from, target.asking({ kind: "session" }));
    await secured(socket);
    hold(socket, held);
  },
};

function open({ port }: Target, localAddress: string): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: "127.0.0.1", localAddress, allowHalfOpen: true });
    socket.on("error", () => undefined);
    socket.once("connect", () => resolve(socket)).once("close", () => resolve(socket));
  });
}

function shake(target: Target, localAddress: string, options: ConnectionOptions): TLSSocket {
  const raw = createConnection({ port: target.port, host: "127.0.0.1", localAddress });
  raw.on("error", () => undefined);
  const socket = connect({ socket: raw, ...options });
  raw.once("close", () => socket.destroy());
  return socket.on("error", () => undefined);
}

/** What is held is let go, the oldest first, before there is more of it than this process may have open. */
function hold(socket: Socket, held: Set<Socket>): void {
  if (socket.destroyed) return;
  held.add(socket);
  socket.once("close", () => held.delete(socket));
  const [oldest] = held;
  if (held.size > mostHeld) oldest?.destroy();
}

function secured(socket: TLSSocket): Promise<void> {
  return new Promise((resolve) => {
    socket.once("secureConnect", () => resolve()).once("close", () => resolve());
  });
}

function ended(socket: Socket, first: () => void = () => undefined): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) return resolve();
    socket.once("close", () => resolve());
    socket.once("end", () => socket.destroy());
    socket.setTimeout(answerLimit, () => socket.destroy());
    first();
  });
}

function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Rude clients at once, and the addresses that they come from; more connections are held than the endpoint has. */
const atOnce = 100;
const addresses = 50;
const mostHeld = 3000;

/** Milliseconds. */
const answerLimit = 20_000;

/** Tenths of a second for the endpoint to let go: what lingers does so for ten seconds. */
const patience = 300;
