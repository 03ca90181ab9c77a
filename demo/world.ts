/**
 * A place for a session: a folder of its own, as root also a network namespace
 * with a bridge, and an end that leaves nothing of it.
 *
 * @module
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { TenderKind } from "../src/core/manifest.ts";
import type { Step } from "./session.ts";

/** What one command printed, on both streams, and how it ended. */
export interface Outcome {
  readonly printed: string;
  readonly status: number | undefined;
}

export class World {
  readonly folder: string = mkdtempSync(join(tmpdir(), "fulmar-"));
  readonly #top: string;
  readonly #tender: TenderKind;
  readonly #servers: ChildProcess[] = [];
  readonly #namespace: string | undefined;
  readonly #port: number;

  private constructor(top: string, tender: TenderKind, namespace: string | undefined, port: number) {
    this.#top = top;
    this.#tender = tender;
    this.#namespace = namespace;
    this.#port = port;
    chmodSync(this.folder, 0o711);
  }

  /** @param top - of the repository, with guest/ and dist/ */
  static async open(top: string, tender: TenderKind): Promise<World> {
    const namespace = process.geteuid?.() === 0 ? openNamespace() : undefined;
    return new World(resolve(top), tender, namespace, namespace === undefined ? await freePort() : defaultPort);
  }

  /** Whether guests can be put on a bridge here. */
  get hasBridge(): boolean {
    return this.#namespace !== undefined;
  }

  /** Carries out a step; one in the background is done when it printed its first line. */
  async run(step: Step): Promise<Outcome> {
    const [program = "", ...words] = this.#place(step);
    const child = spawn(program, words, {
      cwd: this.folder,
      stdio: ["ignore", "pipe", "pipe"],
      env: this.#environment(),
    });
    let printed = "";
    const ended = new Promise<number | undefined>((done) => {
      child.on("error", (error) => {
        printed += `${error.message}\n`;
        done(undefined);
      });
      child.on("close", (status) => done(status ?? undefined));
    });
    const spoke = new Promise<undefined>((done) => {
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8").on("data", (text: string) => {
          printed += text;
          if (printed.includes("\n")) done(undefined);
        });
      }
    });
    if (step.background) this.#servers.push(child);
    const status = await (step.background ? Promise.race([spoke, ended]) : ended);
    return { printed, status };
  }

  /** Ends the servers by their pids, the last one first, and removes folder and namespace. */
  async close(): Promise<void> {
    for (const server of this.#servers.splice(0).reverse()) await end(server);
    if (this.#namespace !== undefined) spawnSync("ip", ["netns", "delete", this.#namespace]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The words as they are carried out here: our programs from dist, the port and the image that work on this machine. */
  #place({ words }: Step): readonly string[] {
    const port = this.#port === defaultPort ? [] : ["--port", String(this.#port)];
    const extra: Readonly<Record<string, readonly string[]>> = {
      fulmard: this.#tender === "virtio" ? ["--tenders", "virtio", "--allow-tcg"] : [],
      "fulmar-endpoint": port,
    };
    const placed = words.flatMap((word) => {
      if (programs.includes(word))
        return [process.execPath, join(this.#top, "dist", "bin", `${word}.js`), ...(extra[word] ?? [])];
      if (word === "127.0.0.1" && words[words.indexOf(word) - 1] === "-d") return [`127.0.0.1:${this.#port}`];
      return [word.replace(/^(hello\w*)\.spt$/, join(this.#top, "guest", `$1.${this.#tender}`))];
    });
    return this.#namespace === undefined ? placed : ["ip", "netns", "exec", this.#namespace, ...placed];
  }

  #environment(): NodeJS.ProcessEnv {
    const { PATH = "" } = process.env;
    return { PATH: `${PATH}:/usr/local/sbin:/usr/sbin:/sbin`, HOME: this.folder, LC_ALL: "C.UTF-8" };
  }
}

/** A namespace with its loopback up and the bridge `service`; undefined where the kernel gives us none. */
function openNamespace(): string | undefined {
  const name = `fulmar-${process.pid}`;
  if (spawnSync("ip", ["netns", "add", name], { stdio: "ignore" }).status !== 0) return undefined;
  const links = "link set lo up\nlink add service type bridge\nlink set service up\n";
  if (spawnSync("ip", ["-n", name, "-batch", "-"], { input: links }).status === 0) return name;
  spawnSync("ip", ["netns", "delete", name]);
  return undefined;
}

function freePort(): Promise<number> {
  return new Promise((done) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => done(typeof address === "object" && address !== null ? address.port : defaultPort));
    });
  });
}

function end(server: ChildProcess): Promise<void> {
  return new Promise((done) => {
    if (server.exitCode !== null || server.signalCode !== null) return done();
    const late = setTimeout(() => server.kill("SIGKILL"), patience);
    server.once("exit", () => {
      clearTimeout(late);
      done();
    });
    // Told to end otherwise, fulmard leaves its guests to the next one.
    server.kill(server.spawnargs.some((word) => word.endsWith("fulmard.js")) ? "SIGUSR2" : "SIGTERM");
  });
}

const programs: readonly string[] = ["fulmar", "fulmard", "fulmar-endpoint"];
const defaultPort = 1025;

/** Milliseconds that a server has for stopping its guests. */
const patience = 20_000;
