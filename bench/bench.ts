/**
 * `npm run bench [-- PART…] [--seconds S]`: JSON lines for machines, then a
 * table for people. Parts: requests, sessions, sockets, images, blocks, clients,
 * memory, endpoint, decisions. S is how long each kind of request is measured.
 *
 * @module
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type KeyType, keyTypes } from "../src/x509/keys.ts";
import { measureClients } from "./clients.ts";
import { measureBlocks, measureImages, measureMemory, residents } from "./contents.ts";
import { measureDecisions } from "./decisions.ts";
import { compare, type Figure, printTable } from "./figure.ts";
import { measureHandshakes } from "./handshakes.ts";
import { type Host, hasAlbatross, openHosts } from "./hosts.ts";
import { Pki } from "./pki.ts";
import {
  measureConnects,
  measureHandshake,
  measureOneConnection,
  measureSession,
  openEcho,
  socketOf,
} from "./requests.ts";

interface Place {
  readonly folder: string;
  readonly pki: Pki;
  readonly hosts: readonly Host[];
  /** Milliseconds for each kind of request. */
  readonly time: number;
}

const parts: Readonly<Record<string, (place: Place) => Promise<readonly Figure[]>>> = {
  memory: async ({ hosts, pki }) => [
    ...hosts.map((host) => residents(host, "idle")),
    ...(await each(hosts, (host) => measureMemory(host, pki, 8, 7))),
  ],
  requests: ({ folder, hosts, pki, time }) => measureRequests(folder, hosts, pki, time),
  sessions: async ({ hosts, pki, time }) => {
    const ours = hosts.filter(({ who }) => who === "fulmar");
    const one = await each(ours, (host) => measureSession(host, pki, 1, time));
    const sixteen = await each(ours, (host) => measureSession(host, pki, 16, time));
    return [...one, ...sixteen, ...hosts.map((host) => residents(host, "after the requests"))];
  },
  sockets: async ({ folder, hosts, time }) => {
    const echo = await openEcho(folder);
    try {
      const connects = await each([...hosts, echo.host], (host) =>
        measureConnects(host, host.who === "node" ? echo.path : socketOf(host, "vmmd"), time),
      );
      const ones = await each([...hosts, echo.host], (host) =>
        measureOneConnection(host, host.who === "node" ? echo.path : socketOf(host, "stat"), time),
      );
      return [...connects, ...ones];
    } finally {
      await echo.host.close();
    }
  },
  images: async ({ hosts, pki }) => (await each(hosts, (host) => measureImages(host, pki, [1, 15, 50]))).flat(),
  blocks: async ({ hosts, pki }) => (await each(hosts, (host) => measureBlocks(host, pki, 100))).flat(),
  clients: ({ folder, hosts, pki }) => measureClients(folder, hosts, pki, 100),
  endpoint: async ({ time }) => {
    const runs = [
      ["ed25519", 1],
      ["rsa4096", 1],
      ["rsa4096", 2],
    ] as const;
    return (await each(runs, ([key, workers]) => measureEndpoint(key, workers, (2 * time) / 1000))).flat();
  },
  decisions: async () =>
    measureDecisions([100, 1000, 10_000, 100_000, 1_000_000]).map(({ bench, size, micros, perSecond }) => ({
      part: "decisions",
      what: `${bench}, host of ${size}`,
      who: "fulmar",
      perSecond,
      cpuMicros: micros,
    })),
};

async function main(words: readonly string[]): Promise<void> {
  const at = words.indexOf("--seconds");
  const seconds = at < 0 ? 3 : Number(words[at + 1]);
  const asked = words.filter((word, index) => word in parts && (at < 0 || index !== at + 1));
  const chosen = asked.length === 0 ? Object.keys(parts) : asked;
  if (!(seconds > 0) || asked.length + (at < 0 ? 0 : 2) !== words.length) {
    process.stderr.write(`npm run bench -- [--seconds S] [${Object.keys(parts).join("|")}]...\n`);
    process.exitCode = 1;
    return;
  }
  if (!hasAlbatross) process.stderr.write("albatross is not on PATH: nothing to compare with\n");
  const figures: Figure[] = [];
  await withPlace(seconds * 1000, async (place) => {
    for (const part of chosen) {
      for (const figure of (await parts[part]?.(place)) ?? []) {
        figures.push(figure);
        process.stdout.write(`${JSON.stringify(figure)}\n`);
      }
    }
  });
  process.stdout.write(printTable(compare(figures)));
}

async function withPlace(time: number, work: (place: Place) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "fulmar-bench-"));
  const pki = new Pki("ed25519");
  const hosts = await openHosts(folder, pki);
  const close = async (): Promise<void> => {
    for (const host of hosts) await host.close();
    rmSync(folder, { recursive: true, force: true });
  };
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => void close().then(() => process.exit(1)));
  try {
    await work({ folder, pki, hosts, time });
  } finally {
    await close();
  }
}

async function measureEndpoint(key: KeyType, workers: number, seconds: number): Promise<readonly Figure[]> {
  const what = `handshake, ${key}, workers: ${workers}`;
  const figures = await measureHandshakes(seconds, workers, key);
  return figures.map(({ perSecond, cpuMicros }, at) => {
    return { part: "endpoint alone", what, who: at === 0 ? "node" : "fulmar", perSecond, cpuMicros };
  });
}

/** The key type of the place on its hosts; the others on hosts of their own, shorter. */
async function measureRequests(
  folder: string,
  hosts: readonly Host[],
  pki: Pki,
  time: number,
): Promise<readonly Figure[]> {
  const figures = await each(hosts, (host) => measureHandshake(host, pki, time));
  for (const type of keyTypes.filter((one) => one !== pki.type)) {
    const other = new Pki(type);
    const others = await openHosts(folder, other);
    try {
      figures.push(...(await each(others, (host) => measureHandshake(host, other, time / 2))));
    } finally {
      for (const host of others) await host.close();
    }
  }
  return figures;
}

/** One after the other. */
async function each<T, U>(items: readonly T[], act: (item: T) => Promise<U>): Promise<U[]> {
  const results: U[] = [];
  for (const item of items) results.push(await act(item));
  return results;
}

await main(process.argv.slice(2));
