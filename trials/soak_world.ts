/**
 * A host that is soaked: a daemon and an endpoint in folders and a network of
 * their own, which are killed and started again, and people with certificates.
 *
 * @module
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, closeSync, fstatSync, mkdirSync, openSync, readFileSync, readSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { issue } from "../bench/pki.ts";
import { type Client, connect } from "../src/client/main.ts";
import { encodeKey } from "../src/x509/keys.ts";
import { encodeCertificates } from "../src/x509/pem.ts";
import type { Limit } from "./soak_model.ts";

export type Program = "daemon" | "endpoint";

/** Who asks: the daemon's own machine, or a delegate over TLS. */
export type Person = "root" | "alice" | "alice:bob" | "alice:carol";

export class World {
  readonly folder: string;
  readonly dbdir: string;
  readonly tmpdir: string;
  readonly #top: string;
  readonly #running: Map<Program, ChildProcess> = new Map();
  readonly #journal: string[] = [];
  #log = 0;

  constructor(top: string, folder: string) {
    this.#top = top;
    this.folder = folder;
    [this.dbdir, this.tmpdir] = [join(folder, "db"), join(folder, "run")];
    chmodSync(folder, 0o711);
    mkdirSync(this.dbdir, { mode: 0o711 });
    // A double of solo5-spt: what is soaked is the daemon.
    writeFileSync(join(this.dbdir, "solo5-spt"), tender);
    chmodSync(join(this.dbdir, "solo5-spt"), 0o755);
    const network = "link set lo up\nlink add service type bridge\nlink set service up\n";
    spawnSync("ip", ["-batch", "-"], { input: network });
    makePeople(folder);
  }

  image(name: string): string {
    return join(this.#top, "guest", `${name}.spt`);
  }

  pid(program: Program): number {
    return this.#running.get(program)?.pid ?? 0;
  }

  async start(program: Program): Promise<void> {
    const { dbdir, tmpdir, folder } = this;
    const words = {
      daemon: ["--dbdir", dbdir, "--tmpdir", tmpdir, "--tenders", "spt", "--grace", "2", "--no-drop-path", "-v"],
      endpoint: [
        ...["cacert.pem", "server.pem", "server.key"].map((file) => join(folder, file)),
        ...["--tmpdir", tmpdir, "--ip", "127.0.0.1", "--port", String(port), "--allow-root"],
      ],
    }[program];
    const script = join(this.#top, "dist/bin", { daemon: "fulmard.js", endpoint: "fulmar-endpoint.js" }[program]);
    for (let tries = 1; ; tries++) {
      const log = openSync(join(folder, "log"), "a");
      const child = spawn(process.execPath, [script, ...words], { stdio: ["ignore", "pipe", log] });
      closeSync(log);
      this.#running.set(program, child);
      const serves = once(child.stdout ?? child, "data").then(() => true);
      if (await Promise.race([serves, once(child, "exit").then(() => false)])) return;
      if (tries === startTries)
        throw new Error(`no ${program}: ${readFileSync(join(folder, "log"), "utf8").slice(-2000)}`);
      await sleep(startInterval);
    }
  }

  async stop(program: Program, signal: "SIGKILL" | "SIGTERM" | "SIGUSR2"): Promise<void> {
    const child = this.#running.get(program);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    const late = new AbortController();
    const patience = sleep(stopLimit, "late" as const, { signal: late.signal }).catch(() => "late" as const);
    if ((await Promise.race([ended, patience])) === "late") throw new Error(`the ${program} does not end at ${signal}`);
    late.abort();
  }

  connect(person: Person): Promise<Client> {
    if (person === "root") return connect({ tmpdir: this.tmpdir });
    const file = (suffix: string): string => join(this.folder, `${person}.${suffix}`);
    const serverCa = join(this.folder, "cacert.pem");
    return connect({ destination: `127.0.0.1:${port}`, ca: file("pem"), caKey: file("key"), serverCa });
  }

  /** Writes down what happens, for whoever looks for the reason of a fault. */
  note(text: string): void {
    this.#journal.push(text);
    if (this.#journal.length > journalLength) this.#journal.shift();
  }

  /** The last of it that is about something of this name, and what happened to the programs meanwhile. */
  recall(name: string): readonly string[] {
    const about = (line: string): boolean => line.includes(` ${name} `) || line.includes(` ${name}:`);
    const first = this.#journal.findLastIndex(
      (line, index) => about(line) && this.#journal.slice(index).filter(about).length === recalled,
    );
    const lines = this.#journal.slice(Math.max(first, 0)).filter((line) => about(line) || !line.includes(": "));
    return lines.toSorted((a, b) => Number.parseFloat(a) - Number.parseFloat(b));
  }

  /** What the programs said since the last time that is a bug of theirs; what happened to guests goes to the journal. */
  bugs(): readonly string[] {
    const lines = readFrom(join(this.folder, "log"), this.#log).split("\n");
    this.#log += Buffer.byteLength(lines.slice(0, -1).join("\n"));
    for (const line of lines) {
      const [, time, target, happening] = /"time":(\d+),.*"target":"([^"]*)","happening":(.*),"msg"/.exec(line) ?? [];
      if (time !== undefined) this.note(`${clock(Number(time))}: the daemon tells of ${target} : ${happening}`);
    }
    return lines.filter((line) => /"level":60|^\s+at |Error/.test(line));
  }
}

/** Seconds, of every hour. */
export function clock(milliseconds: number = Date.now()): string {
  return `${((milliseconds / 1000) % 3600).toFixed(2)} s`;
}

function readFrom(file: string, position: number): string {
  const fd = openSync(file, "r");
  try {
    const bytes = Buffer.alloc(fstatSync(fd).size - position);
    return bytes.toString("utf8", 0, readSync(fd, bytes, 0, bytes.length, position));
  } finally {
    closeSync(fd);
  }
}

/** What the certificates of the delegates allow. */
export const allowed: Readonly<Record<Exclude<Person, "root">, Limit>> = {
  alice: { unikernels: 7, memory: 260, block: 20 },
  "alice:bob": { unikernels: 4, memory: 140, block: 10 },
  "alice:carol": { unikernels: 5, memory: 180, block: 14 },
};

function makePeople(folder: string): void {
  const policy = (person: Exclude<Person, "root">) =>
    ({ kind: "policy-add", policy: { ...allowed[person], cpuids: [0], bridges: ["service"] } }) as const;
  const root = issue("ed25519", "authority", "root");
  const server = issue("ed25519", "server", "server", root);
  const alice = issue("ed25519", "authority", "alice", root, policy("alice"));
  const bob = issue("ed25519", "authority", "bob", alice, policy("alice:bob"));
  const carol = issue("ed25519", "authority", "carol", alice, policy("alice:carol"));
  const write = (name: string, chain: readonly (typeof root)[]): void => {
    const [holder = root] = chain;
    const certificates = encodeCertificates(chain.map(({ certificate }) => certificate.raw));
    writeFileSync(join(folder, `${name}.pem`), certificates);
    writeFileSync(join(folder, `${name}.key`), encodeKey(holder.key), { mode: 0o600 });
  };
  write("cacert", [root]);
  write("server", [server]);
  write("alice", [alice]);
  write("alice:bob", [bob, alice]);
  write("alice:carol", [carol, alice]);
}

/** The words of the demo guest that end it, and nothing else. */
const tender = `#!/bin/sh
if [ "$1" = --version ]; then echo "double of solo5-spt"; echo "ABI version 2"; exit 0; fi
status= after=0
for word; do case $word in exit=*) status=\${word#exit=};; after=*) after=\${word#after=};; esac; done
echo "started $*"
[ -z "$status" ] || { sleep "$after"; exit "$status"; }
while :; do sleep 5; done
`;

/** In a network of our own every port is free. */
const port = 1025;

/** A daemon that was killed may hold its socket or its store for a moment. */
const startTries = 20;

/** Milliseconds. */
const startInterval = 100;
const stopLimit = 30_000;

/** Lines that are kept, and those about one name that are told. */
const journalLength = 5000;
const recalled = 14;
