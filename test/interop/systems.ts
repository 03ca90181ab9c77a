/**
 * Both systems in a place: fulmard and fulmar-endpoint, albatross's console,
 * daemon and endpoint, and authorities made by either client.
 *
 * Our sockets are in `run`, albatross's in `theirs`; the endpoints take `cacert.pem`, `server.pem` and
 * `server.key` as either client's `generate ca db` writes them.
 */
import { copyFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { TenderKind } from "../../src/core/manifest.ts";
import { top } from "./needs.ts";
import { freePort, type Place, type Server } from "./place.ts";

/** Starts fulmard, with our guest as `hello.img` and, with a block device `storage`, `hello_block.img`. */
export async function startFulmard(place: Place, tender: TenderKind, options = ""): Promise<Server> {
  for (const name of ["hello", "hello_block"]) {
    copyFileSync(join(top, "guest", `${name}.${tender}`), join(place.folder, `${name}.img`));
  }
  const tenders = tender === "virtio" ? " --tenders virtio --allow-tcg" : "";
  return place.serve(`fulmard --tmpdir run --dbdir db --grace 2 --interval 1${tenders} ${options}`.trim(), /serving/);
}

/** Starts albatross's console and daemon below `theirs`, with our guest as `hello.img`; Solo5's tenders are found on PATH. */
export async function startAlbatross(place: Place): Promise<void> {
  copyFileSync(join(top, "guest", "hello.spt"), join(place.folder, "hello.img"));
  for (const folder of ["util", "fifo", "block"]) place.folderFor(`theirs/${folder}`);
  const folder = join(place.folder, "theirs");
  await start(place, `albatross-console --tmpdir ${folder}`, join(folder, "util/console.sock"));
  await start(place, `albatrossd --tmpdir ${folder} --dbdir ${folder}`, join(folder, "util/vmmd.sock"));
}

/** Starts albatross's statistics; its daemon runs. */
export async function startTheirStatistics(place: Place): Promise<void> {
  const folder = join(place.folder, "theirs");
  await start(place, `albatross-stats --tmpdir ${folder} --interval 1`, join(folder, "util/stat.sock"));
}

/**
 * @param anchor - where clients' chains have to end
 * @returns the address for clients' `-d`
 */
export async function startOurEndpoint(place: Place, anchor = "cacert.pem"): Promise<string> {
  const line = `fulmar-endpoint ${anchor} server.pem server.key --tmpdir run --ip 127.0.0.1 --port 0 --allow-root`;
  const server = await place.serve(line, /listening on \S+ port \d+/);
  return `127.0.0.1:${/port (\d+)/.exec(server.printed())?.[1]}`;
}

/**
 * @param sockets - the folder of the daemon's: `theirs` or `run`
 * @returns the address for clients' `-d`
 */
export async function startTheirEndpoint(place: Place, sockets: "theirs" | "run"): Promise<string> {
  const port = await freePort();
  const options = `--tmpdir ${sockets} --ip 127.0.0.1 --port ${port}`;
  const line = `albatross-tls-endpoint ${options} cacert.pem server.pem server.key`;
  await place.serve(line, () => isListening(port));
  return `127.0.0.1:${port}`;
}

/** A client's program: albatross's or ours. Both take the same words. */
export type Client = "albatross-client" | "fulmar";

/** Who does what for an authority: writes the request, signs it. */
export interface Delegation {
  readonly name: string;
  /** Absent: the root. */
  readonly by?: string;
  readonly asks: Client;
  readonly signs: Client;
}

/** Makes a root and, in this order, delegates of 2 unikernels, 128 MB, CPU 0 and 8 MB of block devices each. */
export async function makeAuthorities(place: Place, root: Client, delegations: readonly Delegation[]): Promise<void> {
  await mustRun(place, `${root} generate ca issued`);
  for (const { name, by, asks, signs } of delegations) {
    await mustRun(place, `${asks} add-policy --csr ${name} 2 --mem 128 --cpu 0 --block 8`);
    await mustRun(place, `${signs} sign ${by ?? "cacert"}.pem issued ${by ?? "ca"}.key ${name}.req`);
  }
}

/** Carries out a command line that has to succeed. */
export async function mustRun(place: Place, line: string): Promise<void> {
  const { status, text } = await place.run(line);
  if (status !== 0) throw new Error(`${line}: ${status}, ${text}`);
}

/** The options with which a client goes to `address` by an authority's power. */
export function remote(address: string, authority: string): string {
  return `-d ${address} --ca ${authority}.pem --ca-key ${authority}.key`;
}

/** It does not say when it is ready. */
function isListening(port: number): boolean {
  const address = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")} 00000000:0000 0A`;
  return readFileSync("/proc/net/tcp", "latin1").includes(address);
}

async function start(place: Place, line: string, socket: string): Promise<void> {
  await place.serve(line, () => existsSync(socket));
}
