/**
 * What guests see of the file system: the host's programs and libraries, the
 * images, the block devices and five devices, all but the block devices
 * read-only, and their tender where it lies elsewhere.
 *
 * The folder that becomes a guest's root is a skeleton of empty folders and
 * files. mount(8) fills it by a table, anew for each guest, in the guest's own
 * mount namespace: nothing of it is ever mounted in the host's, and a daemon that
 * starts again leaves the folder as it is, below the guests that still run.
 *
 * @module
 */
import {
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { umask } from "node:process";
import { ok, type Result } from "../core/result.ts";
import { namespaceArgv } from "./cage.ts";
import { attempt, errnoOf, type IoError } from "./io.ts";
import { type RunError, run } from "./run.ts";

export class View {
  readonly #folder: string;
  /** The tables of tenders that the host's programs do not include. */
  readonly #tables: Map<string, string> = new Map();
  readonly #lines: readonly string[];

  /** @param lines - of the table that every guest has */
  constructor(folder: string, lines: readonly string[]) {
    this.#folder = folder;
    this.#lines = lines;
  }

  /** What becomes the guest's `/`. */
  get root(): string {
    return rootOf(this.#folder);
  }

  /** The table of mounts for a guest below this tender. */
  tableFor(tender: string): Promise<Result<string, IoError>> {
    const { root } = this;
    return attempt("record", tender, () => {
      const key = isProgram(tender) ? "" : tender;
      const known = this.#tables.get(key);
      if (known !== undefined) return known;
      const table = join(this.#folder, `mounts.${this.#tables.size}`);
      const more = key === "" ? [] : readable(() => placeTender(root, tender));
      writeFileSync(`${table}.new`, [...this.#lines, ...more].map((one) => `${one}\n`).join(""), { mode: 0o600 });
      renameSync(`${table}.new`, table);
      this.#tables.set(key, table);
      return table;
    });
  }
}

/** Makes the skeleton, and tries whether a guest could live in it. */
export async function openView(tmpdir: string, dbdir: string): Promise<Result<View, IoError | RunError>> {
  const folder = join(tmpdir, "view");
  const root = rootOf(folder);
  const placed = await attempt("create", root, () =>
    readable(() => [...placePrograms(root), ...placeDevices(root), ...placeState(root, dbdir)]),
  );
  if (!placed.ok) return placed;
  const view = new View(folder, placed.value);
  const table = await view.tableFor("/bin/sh");
  if (!table.ok) return table;
  const rehearsal = 'mount --all --fstab "$0" && exec unshare --root="$1" --wd=/ -- true';
  const tried = await run([...namespaceArgv(false), "/bin/sh", "-c", rehearsal, table.value, root]);
  return tried.ok ? ok(view) : tried;
}

function rootOf(folder: string): string {
  return join(folder, "root");
}

/** A folder that is a link (/bin, where /usr holds everything) is the same link for guests. */
function placePrograms(root: string): readonly string[] {
  const folders = programs.flatMap((folder) => {
    const facts = lstatSync(folder, { throwIfNoEntry: false });
    if (facts?.isSymbolicLink()) placeLink(root, folder);
    return facts?.isDirectory() ? [line(folder, placeFolder(root, folder), "rbind,ro,nosuid,nodev")] : [];
  });
  return [...folders, line(libraryCache, placeFile(root, libraryCache), "bind,ro,nofail")];
}

function placeDevices(root: string): readonly string[] {
  return devices.map((device) => line(device, placeFile(root, device), "bind,nofail"));
}

function placeState(root: string, dbdir: string): readonly string[] {
  const [images, blocks] = [join(dbdir, "images"), join(dbdir, "block")];
  return [
    line(images, placeFolder(root, images), "bind,ro,nosuid,nodev,noexec"),
    line(blocks, placeFolder(root, blocks), "bind,nosuid,nodev,noexec"),
  ];
}

function placeTender(root: string, tender: string): readonly string[] {
  return [line(tender, placeFile(root, tender), "bind,ro,nosuid,nodev")];
}

function placeFolder(root: string, path: string): string {
  const place = join(root, path);
  mkdirSync(place, { recursive: true });
  return place;
}

function placeFile(root: string, path: string): string {
  placeFolder(root, dirname(path));
  const place = join(root, path);
  closeSync(openSync(place, "a", 0o444));
  return place;
}

function placeLink(root: string, path: string): void {
  const [place, target] = [join(root, path), readlinkSync(path)];
  try {
    if (readlinkSync(place) === target) return;
  } catch (thrown) {
    errnoOf(thrown);
  }
  rmSync(place, { recursive: true, force: true });
  symlinkSync(target, place);
}

/** Makes folders that guests may pass, whatever mode new ones have in this process. */
function readable<T>(make: () => T): T {
  const before = umask(0o022);
  try {
    return make();
  } finally {
    umask(before);
  }
}

/** A line of the table, as fstab(5) has it. */
function line(source: string, target: string, options: string): string {
  const spell = (path: string): string =>
    path.replace(/[\s\\#]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, "0")}`);
  return `${spell(source)} ${spell(target)} none ${options} 0 0`;
}

function isProgram(path: string): boolean {
  return programs.some((folder) => path.startsWith(`${folder}/`));
}

/** Where distributions have programs and their libraries; the last two: NixOS and Guix. */
const programs: readonly string[] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix", "/gnu"];

/** By it the dynamic loader finds libraries outside of its own folders. */
const libraryCache = "/etc/ld.so.cache";

/** What tenders open; /dev/zero and the like are what an ordinary program expects. */
const devices: readonly string[] = ["/dev/kvm", "/dev/net/tun", "/dev/null", "/dev/zero", "/dev/urandom"];
