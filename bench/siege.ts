/**
 * Rude clients by the thousand against a real endpoint and a real daemon, on
 * loopback, while an honest client keeps asking.
 *
 *     rude clients (here) ──▶ endpoint ──▶ daemon ◀── endpoint ◀── an honest client (a process and a delegate of its own)
 *
 * @module
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConnectionOptions, createSecureContext } from "node:tls";
import { connect } from "../src/client/main.ts";
import type { Command } from "../src/core/command.ts";
import { encodeKey } from "../src/x509/keys.ts";
import { encodeCertificates } from "../src/x509/pem.ts";
import { type Accounts, Honest, type Honesty } from "./honest.ts";
import { type Holder, Pki } from "./pki.ts";
import { residentMegabytes, sleep, startOwn, stop, writeTender } from "./processes.ts";
import type { Kinds, Rude, Target } from "./siege_sockets.ts";
import { rawKinds, tlsKinds } from "./siege_strangers.ts";
import { tenantKinds } from "./siege_tenant.ts";

/** Rude clients without a handshake; with one, which costs some 2 ms of processor time each; with an authority's certificate. */
export type Part = "raw" | "tls" | "tenant";

/** How many of each kind of a part; a part that is not named is left out. */
export type Counts = Partial<Readonly<Record<Part, number>>>;

/** Of the endpoint and of the daemon. */
export interface Held {
  readonly descriptors: readonly [endpoint: number, daemon: number];
  readonly megabytes: readonly [endpoint: number, daemon: number];
}

/** What was seen of one kind of rude clients. */
export interface Seen {
  readonly kind: string;
  readonly count: number;
  readonly seconds: number;
  /** Of the honest client meanwhile. */
  readonly accounts: Accounts;
  /** When the last one had come. */
  readonly held: Held;
}

export interface Siege {
  /** First, what it is like without any. */
  readonly seen: readonly Seen[];
  /** Before the first client of any kind, and when all had left. */
  readonly before: Held;
  readonly after: Held;
}

interface Place {
  readonly target: Target;
  readonly honesty: Honesty;
  /** The endpoint's and the daemon's. */
  readonly pids: readonly [number, number];
}

export interface SiegeOptions {
  /** The folder of the built programs, as seen from above this one. */
  readonly programs: string;
  /** Milliseconds from when all have left to the last look at memory. */
  readonly rest: number;
  /** Is told of each kind once it is done. */
  readonly tell?: (seen: Seen) => void;
}

export async function besiege(counts: Counts, options: SiegeOptions): Promise<Siege> {
  const { programs } = options;
  const folder = mkdtempSync(join(tmpdir(), "fulmar-siege-"));
  const pki = new Pki("ed25519");
  const dbdir = join(folder, "db");
  mkdirSync(dbdir, { mode: 0o711 });
  writeTender(dbdir, printing);
  const words = ["--tmpdir", folder];
  const daemonWords = ["--dbdir", dbdir, "--no-cage", "--tenders", "spt", "--grace", "1"];
  const daemon = await startOwn(`${programs}/fulmard.js`, [...words, ...daemonWords], /serving/);
  try {
    await settleMallory(folder, join(import.meta.dirname, "..", programs, "../../guest/hello.spt"));
    const ip = ["--ip", "127.0.0.1", "--port", "0", "--allow-root", "-q"];
    const endpoint = await startOwn(
      `${programs}/fulmar-endpoint.js`,
      [...pki.write(folder), ...words, ...ip],
      /port (\d+)/,
    );
    try {
      const port = Number(endpoint.match[1]);
      const pids = [endpoint.child.pid ?? 0, daemon.child.pid ?? 0] as const;
      const place = { target: targetOf(pki, port), honesty: honestyOf(pki, port), pids };
      return await attack(counts, place, options);
    } finally {
      await stop(endpoint.child);
    }
  } finally {
    await stop(daemon.child);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What mallory has before. */
async function settleMallory(folder: string, image: string): Promise<void> {
  const client = await connect({ tmpdir: folder });
  await client.addPolicy("mallory", { unikernels: 10, cpuids: [0], memory: 1024, block: 2000 });
  await client.create("mallory:vm", { image, memory: 32 });
  await client.blocks.create("mallory:data", 64);
  await client.close();
}

function targetOf(pki: Pki, port: number): Target {
  const mallory = pki.delegate("mallory", pki.root);
  const present = (command: Command, label: string, chain: readonly [Holder, ...Holder[]]): ConnectionOptions => ({
    secureContext: createSecureContext({ ...pki.present(command, label, chain), ca: [] }),
    rejectUnauthorized: false,
  });
  const known = new Map<string, ConnectionOptions>();
  const asking = (command: Command, label = "vm"): ConnectionOptions => {
    const key = `${command.kind} ${label}`;
    const options = known.get(key) ?? present(command, label, [mallory]);
    known.set(key, options);
    return options;
  };
  let delegates = 0;
  const delegated = (command: Command): ConnectionOptions => {
    delegates += 1;
    return present(command, "vm", [pki.delegate(`delegate${delegates}`, mallory), mallory]);
  };
  return { port, asking, delegated };
}

function honestyOf(pki: Pki, port: number): Honesty {
  const { alice, root } = pki;
  return {
    port,
    ask: pki.present({ kind: "policy-info" }),
    ca: encodeCertificates([alice.certificate.raw]),
    caKey: encodeKey(alice.key),
    serverCa: encodeCertificates([root.certificate.raw]),
  };
}

async function attack(
  counts: Counts,
  { target, honesty, pids }: Place,
  { programs, rest, tell }: SiegeOptions,
): Promise<Siege> {
  const before = heldBy(pids);
  const honest = await Honest.start(`${programs}/../bench`, honesty);
  const seen: Seen[] = [];
  const see = async (kind: string, count: number, rude: Rude): Promise<void> => {
    const one = await waves(kind, count, rude, target, honest, pids);
    seen.push(one);
    tell?.(one);
  };
  try {
    await see("nobody", 1, () => sleep(alone));
    for (const part of ["raw", "tls", "tenant"] as const) {
      const count = counts[part] ?? 0;
      if (count > 0) for (const [kind, rude] of Object.entries(parts[part])) await see(kind, count, rude);
    }
  } finally {
    await honest.stop();
  }
  return { seen, before, after: await restOf(pids, before, rest) };
}

/** So many of a kind, some at once. */
async function waves(
  kind: string,
  count: number,
  rude: Rude,
  target: Target,
  honest: Honest,
  pids: Place["pids"],
): Promise<Seen> {
  const begun = performance.now();
  const held = new Set<Socket>();
  let come = 0;
  const one = async (_: unknown, worker: number): Promise<void> => {
    while (come < count) {
      come += 1;
      await rude(target, `127.0.${1 + (worker % addresses)}.1`, held, come);
    }
  };
  await honest.account();
  await Promise.all(Array.from({ length: atOnce }, one));
  const holds = heldBy(pids);
  const accounts = await honest.account();
  for (const socket of held) socket.destroy();
  return { kind, count, seconds: (performance.now() - begun) / 1000, accounts, held: holds };
}

/** When all have gone: what lingers does so for ten seconds. */
async function restOf(pids: Place["pids"], before: Held, rest: number): Promise<Held> {
  for (let tries = 0; tries < patience; tries++) {
    await sleep(100);
    const { descriptors } = heldBy(pids);
    if (descriptors.every((count, at) => count <= (before.descriptors[at] ?? 0))) break;
  }
  await sleep(rest);
  return heldBy(pids);
}

function heldBy([endpoint, daemon]: Place["pids"]): Held {
  return {
    descriptors: [descriptorsOf(endpoint), descriptorsOf(daemon)],
    megabytes: [residentMegabytes([endpoint]), residentMegabytes([daemon])],
  };
}

function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

export const parts: Readonly<Record<Part, Kinds>> = { raw: rawKinds, tls: tlsKinds, tenant: tenantKinds };

/** Rude clients at once, and the addresses that they come from. */
const atOnce = 100;
const addresses = 50;

/** Milliseconds that the honest client is alone. */
const alone = 3000;

/** Tenths of a second. */
const patience = 300;

/** What every unikernel does. */
const printing = 'while :; do echo "a line of some forty characters, no more."; sleep 0.05; done';
