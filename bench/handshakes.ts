/**
 * What one command per handshake costs: processor time of the endpoint, against
 * Node's own TLS server.
 *
 * Clients present a chain of three, signed before. Both servers run at once and
 * take turns, so that both meet the same machine. The daemon is a stand-in that
 * answers at once, in this process, whose time does not count.
 *
 * @module
 */
import type { ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, createSecureContext, type SecureContext } from "node:tls";
import { encodeMessage } from "../src/codec/wire.ts";
import type { Command } from "../src/core/command.ts";
import { encodeKey, type KeyType } from "../src/x509/keys.ts";
import { encodeCertificates } from "../src/x509/pem.ts";
import { issue } from "./pki.ts";
import { cpuMicros, startOwn } from "./processes.ts";

export interface HandshakeFigure {
  readonly bench: string;
  /** Handshakes with one command each, a second, as far as this one client gets. */
  readonly perSecond: number;
  /** Microseconds of the server's processor time for each. */
  readonly cpuMicros: number;
  /** That time in terms of Node's own server's, of the same run. */
  readonly ratio: number;
}

/**
 * @param seconds - how long each server is asked, in all
 * @param workers - of the endpoint
 * @param key - of the servers: with RSA's, most of the work is theirs, and a client is enough for several workers
 */
export async function measureHandshakes(
  seconds = 12,
  workers = 1,
  key: KeyType = "ed25519",
): Promise<readonly HandshakeFigure[]> {
  const dir = mkdtempSync(join(tmpdir(), "fulmar-bench-"));
  const client = prepare(dir, key);
  const daemon = await standInForDaemon(join(dir, "util/chain.sock"));
  const files = ["ca.pem", "server.pem", "server.key"].map((file) => join(dir, file));
  const words = [...files, "--tmpdir", dir, "--ip", "127.0.0.1", "--port", "0", "--allow-root"];
  const more = workers > 1 ? ["--workers", `${workers}`] : [];
  const servers = await Promise.all([
    start("handshake, node:tls", ["bench/bare_server.js", ...files]),
    start(`handshake, endpoint with ${workers}`, ["bin/fulmar-endpoint.js", ...words, ...more]),
  ]);
  const totals = servers.map(() => ({ count: 0, cpu: 0, time: 0 }));
  for (let round = -1; round < rounds; round++) {
    for (const [at, server] of servers.entries()) {
      const total = totals[at];
      const took = await load(server, client, (seconds * 1000) / rounds);
      if (round < 0 || total === undefined) continue;
      total.count += took.count;
      total.cpu += took.cpu;
      total.time += took.time;
    }
  }
  for (const { child } of servers) child.kill();
  daemon.close();
  rmSync(dir, { recursive: true });
  const costs = totals.map(({ count, cpu }) => cpu / count);
  return totals.map(({ count, time }, at) => ({
    bench: servers[at]?.bench ?? "",
    perSecond: (count * 1000) / time,
    cpuMicros: costs[at] ?? 0,
    ratio: (costs[at] ?? 0) / (costs[0] ?? 1),
  }));
}

interface Running {
  readonly bench: string;
  readonly child: ChildProcess;
  readonly port: number;
}

async function start(bench: string, [script = "", ...words]: readonly string[]): Promise<Running> {
  const { child, match } = await startOwn(script, words, /port (\d+)/);
  return { bench, child, port: Number(match[1]) };
}

async function load(
  { child, port }: Running,
  context: SecureContext,
  milliseconds: number,
): Promise<{ readonly count: number; readonly cpu: number; readonly time: number }> {
  let count = 0;
  const before = cpuMicros([child.pid ?? 0]);
  const begin = performance.now();
  const one = async (): Promise<void> => {
    while (performance.now() - begin < milliseconds) {
      await ask(port, context);
      count++;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, one));
  const time = performance.now() - begin;
  return { count, time, cpu: cpuMicros([child.pid ?? 0]) - before };
}

function ask(port: number, secureContext: SecureContext): Promise<void> {
  return new Promise((resolve, reject) => {
    let bytes = 0;
    const socket = connect({ port, host: "127.0.0.1", secureContext, rejectUnauthorized: false });
    socket.on("data", (piece: Buffer) => (bytes += piece.length));
    socket.on("error", reject);
    socket.on("end", () => socket.end());
    socket.on("close", () => (bytes > 0 ? resolve() : reject(new Error("no reply"))));
  });
}

/** The servers' files; what a client presents. */
function prepare(dir: string, type: KeyType): SecureContext {
  const root = issue("ed25519", "authority", "root");
  const server = issue(type, "server", "server", root);
  const delegates: Command = { kind: "policy-add", policy: { unikernels: 2, cpuids: [0], memory: 64, bridges: [] } };
  const alice = issue("ed25519", "authority", "alice", root, delegates);
  const bob = issue("ed25519", "authority", "bob", alice, delegates);
  const leaf = issue("ed25519", "client", "hello", bob, { kind: "unikernel-info", form: "current" });
  mkdirSync(join(dir, "util"));
  writeFileSync(join(dir, "ca.pem"), encodeCertificates([root.certificate.raw]));
  writeFileSync(join(dir, "server.pem"), encodeCertificates([server.certificate.raw]));
  writeFileSync(join(dir, "server.key"), encodeKey(server.key), { mode: 0o600 });
  const cert = encodeCertificates([leaf, bob, alice].map(({ certificate }) => certificate.raw));
  return createSecureContext({ cert, key: encodeKey(leaf.key), ca: [], minVersion: "TLSv1.3" });
}

function standInForDaemon(path: string): Promise<Server> {
  const payload = { kind: "success", success: { kind: "string", text: "done" } } as const;
  const reply = encodeMessage({ header: { version: 5, sequence: 0n, name: { path: [] } }, payload });
  const server = createServer((socket) => {
    socket.once("data", () => socket.end(reply));
    socket.on("error", () => socket.destroy());
  });
  return new Promise((resolve) => server.listen(path, () => resolve(server)));
}

const concurrency = 8;
const rounds = 6;

if (process.argv[1] === import.meta.filename) {
  const [seconds, workers] = process.argv.slice(2).map(Number);
  for (const figure of await measureHandshakes(seconds, workers)) process.stdout.write(`${JSON.stringify(figure)}\n`);
}
