/**
 * Hosts that are measured: fulmar's, and albatross's where it is on PATH. Each
 * in a folder of its own, with the same authority and the same tender, a double
 * that sleeps.
 *
 * @module
 */
import type { ChildProcess } from "node:child_process";
import { mkdirSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import type { Figure } from "./figure.ts";
import type { Pki } from "./pki.ts";
import { onPath, startOther, startOwn, stop, writeTender } from "./processes.ts";

export interface Host {
  readonly who: Figure["who"];
  readonly port: number;
  /** With util/vmmd.sock. */
  readonly tmpdir: string;
  readonly pids: readonly number[];
  close(): Promise<void>;
}

export const hasAlbatross: boolean = onPath([
  "albatrossd",
  "albatross-console",
  "albatross-stats",
  "albatross-tls-endpoint",
]);

export const hasClient: boolean = onPath(["albatross-client"]);

/** Those that are here. */
export async function openHosts(folder: string, pki: Pki): Promise<readonly Host[]> {
  const fulmar = await openFulmar(join(folder, `fulmar-${pki.type}`), pki);
  if (!hasAlbatross) return [fulmar];
  try {
    return [fulmar, await openAlbatross(join(folder, `albatross-${pki.type}`), pki)];
  } catch (error) {
    await fulmar.close();
    throw error;
  }
}

async function openFulmar(folder: string, pki: Pki): Promise<Host> {
  const { tmpdir, dbdir } = prepare(folder);
  const daemonWords = ["--tmpdir", tmpdir, "--dbdir", dbdir, "--tenders", "spt", "--no-cage", "--grace", "1"];
  const daemon = await startOwn("bin/fulmard.js", daemonWords, /./);
  const words = [...pki.write(folder), "--tmpdir", tmpdir, "--ip", "127.0.0.1", "--port", "0", "--allow-root"];
  const endpoint = await startOwn("bin/fulmar-endpoint.js", words, /port (\d+)/);
  return host("fulmar", Number(endpoint.match[1]), tmpdir, [daemon.child, endpoint.child]);
}

async function openAlbatross(folder: string, pki: Pki): Promise<Host> {
  const { tmpdir, dbdir } = prepare(folder);
  for (const name of ["util", "fifo"]) mkdirSync(join(tmpdir, name));
  const port = await freePort();
  const answers = (where: Parameters<typeof isOpen>[0]) => (): Promise<boolean> => isOpen(where);
  const log = join(folder, "log");
  const up = async (
    program: string,
    words: readonly string[],
    where: Parameters<typeof isOpen>[0],
  ): Promise<ChildProcess> => startOther(program, ["-q", `--tmpdir=${tmpdir}`, ...words], log, answers(where));
  const console = await up("albatross-console", [], { path: join(tmpdir, "util/console.sock") });
  const daemon = await up("albatrossd", [`--dbdir=${dbdir}`], { path: join(tmpdir, "util/vmmd.sock") });
  const stats = await up("albatross-stats", [], { path: join(tmpdir, "util/stat.sock") });
  const words = ["--ip=127.0.0.1", `--port=${port}`, ...pki.write(folder)];
  const endpoint = await up("albatross-tls-endpoint", words, { port, host: "127.0.0.1" });
  return host("albatross", port, tmpdir, [console, daemon, stats, endpoint]);
}

function host(who: Host["who"], port: number, tmpdir: string, children: readonly ChildProcess[]): Host {
  const close = async (): Promise<void> => {
    for (const child of children.toReversed()) await stop(child);
  };
  return { who, port, tmpdir, pids: children.flatMap(({ pid }) => pid ?? []), close };
}

function prepare(folder: string): { readonly tmpdir: string; readonly dbdir: string } {
  const [tmpdir, dbdir] = [join(folder, "run"), join(folder, "db")];
  for (const made of [tmpdir, join(dbdir, "block")]) mkdirSync(made, { recursive: true });
  writeTender(dbdir, "exec sleep 100000");
  return { tmpdir, dbdir };
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

function isOpen(where: { readonly path: string } | { readonly port: number; readonly host: string }): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(where);
    probe.on("error", () => resolve(false));
    probe.on("connect", () => {
      probe.destroy();
      resolve(true);
    });
  });
}
