/**
 * A disk that loses its power: an ext4 in a file. What the file system has not
 * been told to write, nor has written by itself, is not in the file; a copy of
 * it is what a host finds when it is switched on again.
 *
 * @module
 */
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { read } from "./machine.ts";

export class Disk {
  /** Where it is mounted. */
  readonly path: string;
  readonly #folder: string = mkdtempSync(join(memory, "fulmar-disk-"));
  #image: string = join(this.#folder, "1");
  #copies = 1;

  constructor() {
    this.path = join(this.#folder, "mounted");
    chmodSync(this.#folder, 0o711);
    mkdirSync(this.path);
    writeFileSync(this.#image, "");
    truncateSync(this.#image, size);
    execFileSync("mkfs.ext4", ["-q", "-N", "1024", "-E", "lazy_itable_init=0,lazy_journal_init=0", this.#image]);
    this.#mount();
  }

  /**
   * Goes off, and on again with what had been written.
   *
   * @param journal - whether the file system has written its journal just before, as it does when anybody syncs
   * anything: names and sizes, and no content
   */
  cut(journal: boolean): void {
    if (journal) sync(join(this.path, "somebody's"));
    this.#copies += 1;
    const next = join(this.#folder, String(this.#copies));
    for (let before = ""; before !== this.#traffic(); ) {
      before = this.#traffic();
      execFileSync("cp", ["--sparse=always", this.#image, next]);
    }
    this.#unmount();
    rmSync(this.#image);
    this.#image = next;
    this.#mount();
  }

  close(): void {
    this.#unmount();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** The journal is written when somebody asks for it, and not every five seconds. */
  #mount(): void {
    execFileSync("mount", ["-o", "loop,commit=300", this.#image, this.path]);
  }

  /** Whoever still has something open in there keeps that, and nobody else sees it. */
  #unmount(): void {
    execFileSync("umount", ["--lazy", this.path]);
  }

  /** What the device has done so far; a copy that is made while it does more is none of any instant. */
  #traffic(): string {
    const [source = ""] = execFileSync("findmnt", ["-n", "-o", "SOURCE", this.path], { encoding: "utf8" }).split("\n");
    return read(`/sys/block/${source.replace("/dev/", "")}/stat`);
  }
}

/** Why there can be no such disk here; undefined where there can. */
export function findDiskHindrance(): string | undefined {
  if (!existsSync("/dev/loop-control")) return "there are no loop devices";
  const missing = ["mkfs.ext4", "mount", "umount", "findmnt"].filter(
    (one) => spawnSync(one, ["-V"]).error !== undefined,
  );
  if (missing.length > 0) return `${missing.join(", ")} not found`;
  try {
    new Disk().close();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function sync(file: string): void {
  const fd = openSync(file, "w");
  writeSync(fd, "x");
  fsyncSync(fd);
  closeSync(fd);
}

/** The file may be lost: a file system in memory serves, where there is one. */
const memory: string = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

/** Bytes. */
const size: number = 64 * 1024 * 1024;
