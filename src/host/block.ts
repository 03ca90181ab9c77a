/**
 * Block devices: sparse files in `<dbdir>/block`, named as albatross names them.
 *
 * A device belongs to the daemon until a guest has it: then it belongs to the
 * guest's uid, which cannot read the folder, nor any other file in it.
 *
 * @module
 */
import { constants, existsSync } from "node:fs";
import { lstat, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { getegid, geteuid } from "node:process";
import { pipeline } from "node:stream";
import { createDeflate } from "node:zlib";
import { type Name, parseName, printName } from "../core/name.ts";
import { err, ok, type Result } from "../core/result.ts";
import { fileName, isHashed, isNameFile, nameFile, parseFileName } from "./file_name.ts";
import { attempt, type IoError, isTemporary, makeFolder, removeWhole, writeWhole } from "./io.ts";
import { type FolderSpace, readFolderSpace } from "./proc.ts";
import { pieceSize, receive, type StreamError, type StreamOptions } from "./stream.ts";

export interface BlockDevice {
  readonly name: Name;
  /** MB. */
  readonly size: number;
}

/** What lies in the folder: the devices, and the files that are none. */
export interface BlockListing {
  readonly devices: readonly BlockDevice[];
  /** MB that the devices occupy: sparse ones less than their size. */
  readonly occupied: number;
  readonly ignored: readonly string[];
}

/** Makes the folder, removes what broken uploads left, and lists the devices. */
export function listBlocks(dbdir: string): Promise<Result<BlockListing, IoError>> {
  const path = folder(dbdir);
  return attempt("list", path, async () => {
    await makeFolder(path, 0o711);
    const files = await readdir(path);
    for (const file of files.filter(isTemporary)) await rm(join(path, file));
    const devices: BlockDevice[] = [];
    const ignored: string[] = [];
    let occupied = 0;
    for (const file of files.filter((name) => !isTemporary(name) && !isNameFile(name))) {
      const device = await readDevice(path, file);
      if (device === undefined) ignored.push(file);
      else {
        devices.push(device);
        occupied += (await lstat(join(path, file))).blocks * statBlock;
      }
    }
    return { devices, occupied: Math.floor(occupied / megabyte), ignored };
  });
}

export function blockPath(dbdir: string, name: Name): string {
  return join(folder(dbdir), fileName(name));
}

/** Free and total size of the file system that the devices are on. */
export function readBlockSpace(dbdir: string): FolderSpace {
  return readFolderSpace(folder(dbdir));
}

/** Makes a device of zeros that takes no space yet; one that is there already stays, and is the error EEXIST. */
export async function createBlock(dbdir: string, device: BlockDevice): Promise<Result<void, IoError>> {
  const path = blockPath(dbdir, device.name);
  if (existsSync(path)) return err({ kind: "io-failed", action: "create", path, code: "EEXIST" });
  return writeWhole<void, IoError>(folder(dbdir), 0o600, (file) =>
    attempt("create", path, async () => {
      await file.truncate(device.size * megabyte);
      if (isHashed(fileName(device.name))) await writeFile(nameFile(path), printName(device.name), { mode: 0o600 });
      return { path, value: undefined };
    }),
  );
}

/** It is no error if there is none. */
export function removeBlock(dbdir: string, name: Name): Promise<Result<void, IoError>> {
  const path = blockPath(dbdir, name);
  return attempt("remove", path, async () => {
    await removeWhole(folder(dbdir), path);
    // Alone it says nothing, and stands in nobody's way.
    if (isHashed(fileName(name))) await attempt("remove", path, () => rm(nameFile(path), { force: true }));
  });
}

/** Replaces the content by a stream, filled up with zeros; the old content stays until the new one is complete. */
export function setBlock(
  dbdir: string,
  device: BlockDevice,
  source: AsyncIterable<Uint8Array>,
  options: Omit<StreamOptions, "maxBytes" | "flushed">,
): Promise<Result<void, StreamError>> {
  const maxBytes = device.size * megabyte;
  // The old content stays until then: a full disk would break this off, and whatever else writes meanwhile.
  if (readBlockSpace(dbdir).free < device.size) return Promise.resolve(err(noRoom));
  return writeWhole<void, StreamError>(folder(dbdir), 0o600, async (file) => {
    const received = await receive(source, file, { ...options, maxBytes, flushed: true });
    if (!received.ok) return received;
    const path = blockPath(dbdir, device.name);
    const filled = await attempt("fill", path, () => file.truncate(maxBytes));
    return filled.ok ? ok({ path, value: undefined }) : filled;
  });
}

/**
 * The content of a device, as it is now: what replaces or removes it later does not matter.
 *
 * @param level - of zlib; 0: as it is
 */
export function readBlock(
  dbdir: string,
  name: Name,
  level: number,
): Promise<Result<AsyncIterable<Uint8Array>, IoError>> {
  const path = blockPath(dbdir, name);
  return attempt("read", path, async () => {
    const content = (await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)).createReadStream({
      highWaterMark: pieceSize,
    });
    return level === 0 ? content : pipeline(content, createDeflate({ level, chunkSize: pieceSize }), () => undefined);
  });
}

/** Gives a device to a guest's user. */
export function lendBlock(dbdir: string, name: Name, uid: number, gid: number): Promise<Result<void, IoError>> {
  return setOwner(blockPath(dbdir, name), uid, gid);
}

/** Takes a device back from whichever guest had it. */
export function takeBackBlock(dbdir: string, name: Name): Promise<Result<void, IoError>> {
  return setOwner(blockPath(dbdir, name), geteuid?.() ?? 0, getegid?.() ?? 0);
}

/** Takes back all devices that are not ours, but for those of `kept`: an earlier daemon lent them. */
export function reclaimBlocks(dbdir: string, kept: readonly Name[]): Promise<Result<void, IoError>> {
  const path = folder(dbdir);
  const files = new Set(kept.map(fileName));
  const own = geteuid?.() ?? 0;
  return attempt("own", path, async () => {
    for (const file of await readdir(path)) {
      const facts = await lstat(join(path, file));
      if (facts.isFile() && facts.uid !== own && !files.has(file))
        await setOwner(join(path, file), own, getegid?.() ?? 0);
    }
  });
}

/** By descriptor, and never through a symbolic link: whatever lies in the folder, no other file changes hands. */
function setOwner(path: string, uid: number, gid: number): Promise<Result<void, IoError>> {
  return attempt("own", path, async () => {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      await file.chown(uid, gid);
      await file.chmod(0o600);
    } finally {
      await file.close();
    }
  });
}

/** The device in a file, or undefined: a regular file whose size is a non-zero multiple of 1 MB counts. */
async function readDevice(path: string, file: string): Promise<BlockDevice | undefined> {
  const facts = await lstat(join(path, file));
  if (!facts.isFile() || facts.size === 0 || facts.size % megabyte !== 0) return undefined;
  const name = isHashed(file) ? await readName(join(path, file)) : parseFileName(file);
  return name?.label === undefined || fileName(name) !== file ? undefined : { name, size: facts.size / megabyte };
}

async function readName(path: string): Promise<Name | undefined> {
  const text = await attempt("read", path, () => readFile(nameFile(path), "utf8"));
  const name = text.ok ? parseName(text.value) : text;
  return name.ok ? name.value : undefined;
}

function folder(dbdir: string): string {
  return join(dbdir, "block");
}

const noRoom: IoError = { kind: "io-failed", action: "fill", path: "", code: "ENOSPC" };

/** albatross's MB. */
const megabyte: number = 1024 * 1024;

/** Bytes: the unit of st_blocks (stat(2)), whatever the file system's own is. */
const statBlock = 512;
