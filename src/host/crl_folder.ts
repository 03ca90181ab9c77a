/**
 * A folder of files that somebody puts there now and then, read again when it
 * changes.
 *
 * Where the system does not tell of a change (another machine's file system),
 * it is seen a while later. What cannot be read does not take away what was
 * read before.
 *
 * @module
 */
import { type FSWatcher, watch } from "node:fs";
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Result } from "../core/result.ts";
import { attempt, type IoError } from "./io.ts";
import type { Log } from "./log.ts";

export interface FolderFile {
  readonly name: string;
  readonly text: string;
}

export class CrlFolder {
  readonly #path: string;
  readonly #log: Log;
  readonly #changed: (files: readonly FolderFile[]) => void;
  #watcher: FSWatcher | undefined;
  #tick: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;

  /** @param changed - told what is there, each time that it may have changed */
  constructor(path: string, changed: (files: readonly FolderFile[]) => void, log: Log) {
    this.#path = path;
    this.#changed = changed;
    this.#log = log;
  }

  /** Reads it for the first time, then follows it. */
  async open(): Promise<Result<void, IoError>> {
    const first = await this.#read();
    if (!first.ok) return first;
    this.#watch();
    this.#tick = setInterval(() => this.#again(), slow).unref();
    return first;
  }

  close(): void {
    this.#watcher?.close();
    clearInterval(this.#tick);
    clearTimeout(this.#soon);
  }

  #watch(): void {
    try {
      this.#watcher = watch(this.#path, { persistent: false }, () => {
        // Files come in pieces and several at once.
        this.#soon ??= setTimeout(() => this.#again(), settling);
      });
      this.#watcher.on("error", () => this.#watcher?.close());
    } catch (thrown) {
      this.#log.warn({ path: this.#path, problem: String(thrown) }, "changes of the folder are seen late");
    }
  }

  #again(): void {
    this.#soon = undefined;
    void this.#read().then((read) => {
      if (!read.ok) this.#log.error({ error: read.error }, "cannot read the folder, what was there before holds");
    });
  }

  async #read(): Promise<Result<void, IoError>> {
    const names = await attempt("list", this.#path, async () => (await readdir(this.#path)).filter(isList).sort());
    if (!names.ok) return names;
    const many = names.value.length - maxFiles;
    if (many > 0) this.#log.error({ path: this.#path, limit: maxFiles }, "more files than are read");
    const files: FolderFile[] = [];
    for (const name of names.value.slice(0, maxFiles)) {
      const text = await attempt("read", join(this.#path, name), () => readSome(join(this.#path, name)));
      if (text.ok) files.push({ name, text: text.value });
      else this.#log.error({ error: text.error }, "cannot read a file, what it held before holds");
    }
    this.#changed(files);
    return { ok: true, value: undefined };
  }
}

/** Drafts of editors and of our own are not meant yet. */
function isList(name: string): boolean {
  return !name.startsWith(".") && !name.endsWith("~");
}

/** The beginning of a file, which is all of any that is meant to be here. */
async function readSome(path: string): Promise<string> {
  const file = await open(path, "r");
  try {
    const bytes = Buffer.alloc(Math.min((await file.stat()).size, maxFile));
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    return bytes.toString("latin1", 0, bytesRead);
  } finally {
    await file.close();
  }
}

/** Milliseconds from the first sign of a change until the folder is read. */
const settling = 200;

/** Milliseconds from one reading to the next where nothing tells of changes. */
const slow = 30_000;

/** Bytes: the largest list as PEM, and some certificates with it. */
const maxFile: number = 1024 * 1024;

/** Authorities that somebody keeps lists of by hand. */
const maxFiles = 1000;
