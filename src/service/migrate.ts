/**
 * From albatross and back: its state file becomes what the store holds, and the other way round.
 *
 * Both need the folder for themselves: no daemon runs meanwhile. An import is
 * one commit, after the images; an export is one new file. What policies allow
 * is not asked: what an imported state is over it stays over, as after a
 * smaller policy.
 *
 * @module
 */
import type { DerError } from "../codec/der.ts";
import { decodeGrant, decodeUnikernel, encodeGrant, encodeUnikernel } from "../codec/record.ts";
import { decodeState, encodeState, type HostState } from "../codec/state.ts";
import { type Name, parseLabel, parseName, parsePath, printName, printPath } from "../core/name.ts";
import { err, ok, type Result } from "../core/result.ts";
import { hostDevice } from "../core/unikernel.ts";
import { listBlocks } from "../host/block.ts";
import { createFile, type FileError, readFile } from "../host/client_files.ts";
import { type ImageError, openImage, prepareImages, receiveImage, verifyImage } from "../host/image.ts";
import type { IoError } from "../host/io.ts";
import { prepareStateFolder, type StateFolderError } from "../host/state_folder.ts";
import { type Change, findStore, openStore, type Store, type StoreError } from "../host/store.ts";

export type MigrationError =
  | { readonly kind: "state-unreadable"; readonly path: string; readonly error: DerError }
  | { readonly kind: "store-not-empty"; readonly unikernels: number; readonly policies: number }
  | { readonly kind: "record-unreadable"; readonly key: string }
  | { readonly kind: "image-missing" | "image-damaged"; readonly name: Name }
  /** Bytes. */
  | { readonly kind: "state-too-large"; readonly limit: number }
  | FileError
  | StateFolderError
  | StoreError
  | IoError;

/** What an import could not take, and what a unikernel that it took still wants. */
export type Remark =
  /** The host's own is found at every start. */
  | { readonly kind: "root-policy-left-out" }
  | { readonly kind: "path-left-out"; readonly name: Name }
  | { readonly kind: "image-left-out"; readonly name: Name; readonly error: ImageError }
  | { readonly kind: "block-missing"; readonly name: Name; readonly device: Name }
  | { readonly kind: "bhyve"; readonly name: Name };

/** What went from one place to the other, counted. */
export interface Migrated {
  readonly unikernels: number;
  readonly policies: number;
  readonly remarks: readonly Remark[];
}

type Unikernels = HostState["unikernels"];

/**
 * Takes a state file of albatross, of any version.
 *
 * @param replace - whether what the store holds goes; without it the store must be empty
 */
export async function importState(
  path: string,
  { dbdir, replace }: { readonly dbdir: string; readonly replace: boolean },
): Promise<Result<Migrated, MigrationError>> {
  const bytes = await readFile(".", path);
  if (!bytes.ok) return bytes;
  const state = decodeState(bytes.value);
  if (!state.ok) return err({ kind: "state-unreadable", path, error: state.error });
  const folder = await prepareStateFolder(dbdir, false);
  if (!folder.ok) return folder;
  return await withStore(dbdir, async (store) => {
    const policies = store.load("policy").map(({ key }): Change => ({ table: "policy", key }));
    const unikernels = store.load("unikernel").map(({ key }): Change => ({ table: "unikernel", key }));
    if (policies.length + unikernels.length > 0 && !replace) {
      return err({ kind: "store-not-empty", unikernels: unikernels.length, policies: policies.length });
    }
    const past = store.load("past").map(({ key }): Change => ({ table: "past", key }));
    return await fill(store, dbdir, state.value, [...policies, ...past, ...unikernels]);
  });
}

/** Writes what the store holds as a state file of albatross 2.7.2, images included; never over another file. */
export async function exportState(path: string, dbdir: string): Promise<Result<Migrated, MigrationError>> {
  const found = await findStore(dbdir);
  if (!found.ok) return found;
  return await withStore(dbdir, async (store) => {
    const policies = readPolicies(store);
    if (!policies.ok) return policies;
    const unikernels = await readUnikernels(store, dbdir);
    if (!unikernels.ok) return unikernels;
    const state = { unikernels: unikernels.value, policies: policies.value };
    const written = await createFile(".", path, encodeState(state), 0o600);
    if (!written.ok) return written;
    return ok({ unikernels: state.unikernels.length, policies: state.policies.length, remarks: [] });
  });
}

async function withStore<T>(
  dbdir: string,
  use: (store: Store) => Promise<Result<T, MigrationError>>,
): Promise<Result<T, MigrationError>> {
  const store = await openStore(dbdir);
  if (!store.ok) return store;
  try {
    return await use(store.value);
  } finally {
    await store.value.close();
  }
}

/** @param before - the removal of everything that the store holds */
async function fill(
  store: Store,
  dbdir: string,
  { unikernels, policies }: HostState,
  before: readonly Change[],
): Promise<Result<Migrated, MigrationError>> {
  const taken = await takeUnikernels(dbdir, unikernels);
  if (!taken.ok) return taken;
  const granted = policies.filter(({ name }) => name.path.length > 0);
  const grants = granted.map(({ name, value }): Change => {
    // Older than any certificate, so that every one may change it.
    return { table: "policy", key: printPath(name.path), value: encodeGrant({ policy: value, notBefore: 0 }) };
  });
  const changes = [...grants, ...taken.value.changes];
  const coming = new Set(changes.map(placeOf));
  const committed = await store.commit([...before.filter((change) => !coming.has(placeOf(change))), ...changes]);
  if (!committed.ok) return committed;
  const rootLeft: readonly Remark[] = granted.length < policies.length ? [{ kind: "root-policy-left-out" }] : [];
  const remarks = [...rootLeft, ...taken.value.remarks];
  return ok({ unikernels: taken.value.changes.length, policies: grants.length, remarks });
}

/** Stores the images. */
async function takeUnikernels(
  dbdir: string,
  unikernels: Unikernels,
): Promise<Result<{ readonly changes: readonly Change[]; readonly remarks: readonly Remark[] }, MigrationError>> {
  const prepared = await prepareImages(dbdir);
  if (!prepared.ok) return prepared;
  const blocks = await listBlocks(dbdir);
  if (!blocks.ok) return blocks;
  const devices = new Set(blocks.value.devices.map(({ name }) => printName(name)));
  const changes: Change[] = [];
  const remarks: Remark[] = [];
  for (const { name, value } of unikernels) {
    const { config, image } = value;
    if (name.label === undefined) {
      remarks.push({ kind: "path-left-out", name });
      continue;
    }
    const maxBytes = image.compressed ? config.memory * megabyte : image.bytes.length;
    const stored = await receiveImage(dbdir, once(image.bytes), { compressed: image.compressed, maxBytes });
    if (stored.ok) {
      const record = encodeUnikernel({ config, digest: stored.value.digest });
      changes.push({ table: "unikernel", key: printName(name), value: record });
      remarks.push(...wants(name, value, devices));
    } else if (stored.error.kind === "io-failed") {
      return err(stored.error);
    } else {
      remarks.push({ kind: "image-left-out", name, error: stored.error });
    }
  }
  return ok({ changes, remarks });
}

/** What keeps it from starting here, as far as this tells. */
function wants(name: Name, { config }: Unikernels[number]["value"], devices: ReadonlySet<string>): readonly Remark[] {
  if (config.typ === "bhyve") return [{ kind: "bhyve", name }];
  return config.blocks.flatMap((block): readonly Remark[] => {
    const label = parseLabel(hostDevice(block));
    if (!label.ok) return [];
    const device = { path: name.path, label: label.value };
    return devices.has(printName(device)) ? [] : [{ kind: "block-missing", name, device }];
  });
}

function readPolicies(store: Store): Result<HostState["policies"], MigrationError> {
  const policies: HostState["policies"][number][] = [];
  for (const { key, value } of store.load("policy")) {
    const path = parsePath(key);
    const grant = decodeGrant(value);
    if (!path.ok || !grant.ok) return err({ kind: "record-unreadable", key });
    policies.push({ name: { path: path.value }, value: grant.value.policy });
  }
  return ok(policies);
}

async function readUnikernels(store: Store, dbdir: string): Promise<Result<Unikernels, MigrationError>> {
  const unikernels: Unikernels[number][] = [];
  const images = new Map<string, Uint8Array>();
  let size = 0;
  for (const { key, value } of store.load("unikernel")) {
    const name = parseName(key);
    const record = decodeUnikernel(value);
    if (!name.ok || !record.ok) return err({ kind: "record-unreadable", key });
    const { config, digest } = record.value;
    const place = digest.join();
    const known = images.get(place);
    const image = known === undefined ? await readImage(dbdir, name.value, digest) : ok(known);
    if (!image.ok) return image;
    images.set(place, image.value);
    size += value.length + image.value.length;
    if (size > largestState) return err({ kind: "state-too-large", limit: largestState });
    unikernels.push({ name: name.value, value: { config, image: { compressed: false, bytes: image.value } } });
  }
  return ok(unikernels);
}

async function readImage(dbdir: string, name: Name, digest: Uint8Array): Promise<Result<Uint8Array, MigrationError>> {
  const intact = await verifyImage(dbdir, digest);
  if (!intact.ok) return intact.error.code === "ENOENT" ? err({ kind: "image-missing", name }) : intact;
  if (!intact.value) return err({ kind: "image-damaged", name });
  const image = await openImage(dbdir, digest);
  if (!image.ok) return image;
  const bytes = image.value.read(0, image.value.size);
  image.value.close();
  return bytes === undefined ? err({ kind: "image-damaged", name }) : ok(bytes);
}

function placeOf({ table, key }: Change): string {
  return `${table} ${key}`;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

const megabyte: number = 1024 * 1024;

/** Bytes: what Node reads as one file, so that an import takes every export. */
const largestState: number = 2 ** 31 - 1 - megabyte;
