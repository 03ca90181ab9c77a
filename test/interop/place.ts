/**
 * A place for programs of ours and of others: a folder of its own, where words
 * are carried out as a shell would, and an end that leaves nothing behind.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { top } from "./needs.ts";

/** How a program ended, and what it printed on both streams: runs of white space count as one space. */
export interface Said {
  readonly status: number | undefined;
  readonly text: string;
}

/** A program that goes on running. */
export interface Server {
  /** All that it printed so far. */
  printed(): string;
  /** Ends it by its pid, and waits until it is gone. */
  end(): Promise<Said>;
}

/** What a program says that did what it was told. */
export function succeeded(text: string | RegExp): Said {
  return { status: 0, text: expect.toSatisfy((said: string) => matches(said, text), String(text)) };
}

/** What both clients say when the server refused. */
export function refused(text: string | RegExp): Said {
  return { status: 117, text: expect.toSatisfy((said: string) => matches(said, text), String(text)) };
}

export class Place {
  readonly folder: string = mkdtempSync(join(tmpdir(), "fulmar-peer-"));
  readonly #servers: Server[] = [];

  /** A place that is gone after the test, whatever its outcome. */
  static open(): Place {
    const place = new Place();
    // Guests have users of their own, and their images lie here.
    chmodSync(place.folder, 0o711);
    onTestFinished(() => place.#close());
    return place;
  }

  /** Carries out a command line: words between spaces, our programs from dist. */
  async run(line: string, limit: number = patience): Promise<Said> {
    const child = this.#spawn(line);
    const late = setTimeout(() => child.kill("SIGKILL"), limit);
    const said = await collect(child).ended;
    clearTimeout(late);
    return said;
  }

  /** Starts a program, and waits until it has printed something like `ready`, or until the condition holds. */
  async serve(line: string, ready: RegExp | (() => boolean)): Promise<Server> {
    const child = this.#spawn(line);
    const { printed, ended } = collect(child);
    const server: Server = { printed, end: () => end(child, ended) };
    this.#servers.push(server);
    let over = false;
    void ended.then(() => {
      over = true;
    });
    const isReady = ready instanceof RegExp ? () => ready.test(flat(printed())) : ready;
    await until(() => over || isReady(), `${line}: ready`);
    if (!isReady()) throw new Error(`${line}: ended with ${printed()}`);
    return server;
  }

  /** What a program that never ends has printed once there is something like `enough` among it. */
  async watch(line: string, enough: RegExp): Promise<string> {
    const server = await this.serve(line, enough);
    return (await server.end()).text;
  }

  /** How many guests run here: tenders, and what is about to become one. */
  guests(): number {
    return processesOf(this.folder).filter(({ words }) => guestPrograms.test(words[0] ?? "")).length;
  }

  /** Waits until so many guests run: a unikernel is there a moment before its tender. */
  untilGuests(count: number): Promise<void> {
    return until(() => this.guests() === count, `${count} guests run`);
  }

  folderFor(name: string): string {
    const path = join(this.folder, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  #spawn(line: string): ChildProcess {
    const [program = "", ...rest] = line.split(" ");
    const words = ours.includes(program) ? [process.execPath, join(top, "dist", "bin", `${program}.js`)] : [program];
    const { PATH = "" } = process.env;
    return spawn(words[0] ?? "", [...words.slice(1), ...rest], {
      cwd: this.folder,
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH, HOME: this.folder, TMPDIR: this.folder, LC_ALL: "C.UTF-8" },
    });
  }

  async #close(): Promise<void> {
    for (const server of this.#servers.splice(0).reverse()) await server.end();
    // Guests that outlived their daemon: their command lines name this folder, which is nobody else's.
    for (const { pid } of processesOf(this.folder)) process.kill(pid, "SIGKILL");
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

export function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => (typeof address === "object" && address !== null ? done(address.port) : fail(new Error())));
    });
  });
}

export async function until(holds: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + patience;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`not within ${patience / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function collect(child: ChildProcess): { readonly printed: () => string; readonly ended: Promise<Said> } {
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
    });
  }
  const ended = new Promise<Said>((done) => {
    child.on("error", (error) => done({ status: undefined, text: error.message }));
    child.on("close", (status) => done({ status: status ?? undefined, text: flat(text) }));
  });
  return { printed: () => text, ended };
}

async function end(child: ChildProcess, ended: Promise<Said>): Promise<Said> {
  const late = setTimeout(() => child.kill("SIGKILL"), patience);
  // Told to end otherwise, fulmard leaves its guests to the next one.
  child.kill(child.spawnargs.some((word) => word.endsWith("fulmard.js")) ? "SIGUSR2" : "SIGTERM");
  const said = await ended;
  clearTimeout(late);
  return said;
}

function matches(said: string, text: string | RegExp): boolean {
  return text instanceof RegExp ? text.test(said) : said.includes(text);
}

function flat(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}

/** Processes whose command line names the folder. */
function processesOf(folder: string): readonly { readonly pid: number; readonly words: readonly string[] }[] {
  return readdirSync("/proc").flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      const words = readFileSync(`/proc/${entry}/cmdline`, "utf8").split("\0");
      return words.some((word) => word.includes(folder)) ? [{ pid: Number(entry), words }] : [];
    } catch {
      return [];
    }
  });
}

const ours: readonly string[] = ["fulmar", "fulmard", "fulmar-endpoint"];

/** Each of these becomes the next one. */
const guestPrograms = /(^|\/)(setpriv|taskset|solo5-(spt|hvt)[^/]*|qemu-system-x86_64)$/;

/** Milliseconds for anything to happen on a busy machine. */
const patience = 20_000;
