import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inflateSync } from "node:zlib";
import { expect, test } from "vitest";
import { decodeGrant } from "../../src/codec/record.ts";
import { decodeState, encodeState, type HostState } from "../../src/codec/state.ts";
import { printName } from "../../src/core/name.ts";
import { imagePath } from "../../src/host/image.ts";
import { openStore } from "../../src/host/store.ts";
import { exportState, importState } from "../../src/service/migrate.ts";
import { describeMigration } from "../../src/service/migrate_describe.ts";
import { currentLive, fixtures, liveStates, stateVectors } from "../codec/state_files.ts";
import { hex, unhex } from "../codec/vectors.ts";
import { expectError, expectOk, name, subfolder, temporaryFolder } from "../host/folder.ts";

test.for([...liveStates.keys()])("what importState takes of encoding %s, exportState writes", async (encoding) => {
  const bytes = liveStates.get(encoding) ?? new Uint8Array(0);
  const place = prepare(bytes);
  const taken = expectOk(await importState(place.state, { ...place, replace: false }));
  expect(taken.unikernels).toBe(4);
  const written = expectOk(await exportState(place.out, place.dbdir));
  expect(written).toMatchObject({ unikernels: 4, policies: taken.policies });
  expect(hex(readFileSync(place.out))).toBe(hex(encodeState(normal(expectOk(decodeState(bytes))))));
});

test.for(stateVectors.map(({ id }, at) => [id, at] as const))(
  "what importState takes of %s, exportState writes as albatross does",
  async ([, at]) => {
    const vector = stateVectors[at];
    expect(await roundTrip(unhex(vector?.der ?? ""))).toBe(
      hex(encodeState(normal(expectOk(decodeState(unhex(vector?.reencoded ?? "")))))),
    );
  },
);

test.skipIf(fixtures === undefined)(
  "importState and exportState take albatross's own test data (skipped where it is not beside the checkout)",
  async () => {
    for (const { der, reencoded } of fixtures ?? []) {
      expect(await roundTrip(unhex(der))).toBe(reencoded === "same" ? der : reencoded);
    }
  },
);

test("importState stores images under their digests, and policies older than any certificate's", async () => {
  const place = prepare(liveStates.get(currentLive));
  const taken = expectOk(await importState(place.state, { ...place, replace: false }));
  expect(taken).toEqual({
    unikernels: 4,
    policies: 2,
    remarks: [
      { kind: "root-policy-left-out" },
      { kind: "block-missing", name: name("dev:full"), device: name("dev:store") },
    ],
  });
  // Two of the four share one.
  const images = readdirSync(join(place.dbdir, "images"));
  expect(images).toHaveLength(3);
  for (const image of images) expect(sha256(readFileSync(join(place.dbdir, "images", image)))).toBe(image);
  const store = expectOk(await openStore(place.dbdir));
  const grants = store.load("policy").map(({ key, value }) => [key, expectOk(decodeGrant(value)).notBefore]);
  await store.close();
  expect(Object.fromEntries(grants)).toEqual({ dev: 0, "dev:team": 0 });
});

test("importState finds the block devices that are there already", async () => {
  const place = prepare(liveStates.get(currentLive));
  writeFileSync(join(subfolder(place.dbdir, "block"), "dev:store"), new Uint8Array(1024 * 1024));
  const taken = expectOk(await importState(place.state, { ...place, replace: false }));
  expect(taken.remarks).toEqual([{ kind: "root-policy-left-out" }]);
});

test("importState takes what is over its policy", async () => {
  const live = expectOk(decodeState(liveStates.get(currentLive) ?? new Uint8Array(0)));
  const policies = live.policies.map((one) => ({ ...one, value: { ...one.value, unikernels: 0, memory: 0 } }));
  const bytes = encodeState({ ...live, policies });
  expect(await roundTrip(bytes)).toBe(hex(encodeState(normal({ ...live, policies }))));
});

test("importState leaves out what can be no unikernel here, and says so", async () => {
  const live = expectOk(decodeState(liveStates.get(currentLive) ?? new Uint8Array(0)));
  const [full, plain, web, small] = live.unikernels;
  if (full === undefined || plain === undefined || web === undefined || small === undefined) throw new Error("four");
  const place = prepare(
    encodeState({
      policies: [],
      unikernels: [
        { ...small, name: { path: name("dev:").path } },
        { ...full, value: { ...full.value, image: { compressed: true, bytes: unhex("789c00ff8069") } } },
        { ...plain, value: { ...plain.value, config: { ...plain.value.config, typ: "bhyve" } } },
        { ...web, value: { ...web.value, config: { ...web.value.config, memory: 0 } } },
      ],
    }),
  );
  const taken = await importState(place.state, { ...place, replace: false });
  const said = describeMigration("took", taken);
  expect(said).toMatchObject({ stdout: "took 1 unikernel, 0 policies\n", status: 1 });
  expect(said.stderr.split("\n")).toEqual([
    "fulmard: dev: is left out: it is the name of a path, not of a unikernel",
    expect.stringContaining("fulmard: dev:full is left out: its image is no whole zlib stream (Z_"),
    "fulmard: dev:plain is for bhyve: it is kept, and not run here",
    "fulmard: dev:team:web is left out: its image is more than 0 bytes once inflated, more than the memory that it asks for",
    "",
  ]);
});

test("importState refuses where something is, and changes nothing; with replace that goes", async () => {
  const place = prepare(liveStates.get(currentLive));
  expectOk(await importState(place.state, { ...place, replace: false }));
  writeFileSync(place.state, liveStates.get("0") ?? "");
  const refused = await importState(place.state, { ...place, replace: false });
  expect(expectError(refused)).toEqual({ kind: "store-not-empty", unikernels: 4, policies: 2 });
  expect(describeMigration("took", refused)).toEqual({
    stdout: "",
    stderr:
      "fulmard: there are 4 unikernels and 2 policies already; --replace puts what the file holds in their place\n",
    status: 1,
  });
  const only = expectOk(decodeState(liveStates.get("0") ?? new Uint8Array(0))).unikernels.slice(0, 1);
  writeFileSync(place.state, encodeState({ unikernels: only, policies: [] }));
  expectOk(await importState(place.state, { ...place, replace: true }));
  expectOk(await exportState(place.out, place.dbdir));
  expect(hex(readFileSync(place.out))).toBe(hex(encodeState(normal({ unikernels: only, policies: [] }))));
});

test("neither importState nor exportState works while a daemon has the folder", async () => {
  const place = prepare(liveStates.get(currentLive));
  const store = expectOk(await openStore(place.dbdir));
  const imported = await importState(place.state, { ...place, replace: true });
  expect(expectError(imported)).toMatchObject({ kind: "store-locked", pid: process.pid });
  expect(describeMigration("took", imported).stderr).toBe(
    `fulmard: a daemon has this folder (process ${process.pid}): stop it first\n`,
  );
  expect(expectError(await exportState(place.out, place.dbdir))).toMatchObject({ kind: "store-locked" });
  await store.close();
  expect(existsSync(place.out)).toBe(false);
});

test("importState says what is no state file, and makes no folder for it", async () => {
  const place = prepare(new TextEncoder().encode("hello"));
  const dbdir = join(place.dbdir, "new");
  const wrong = await importState(place.state, { dbdir, replace: false });
  expect(describeMigration("took", wrong).stderr).toBe(
    `fulmard: ${place.state} is no state file of albatross: tag unexpected at byte 0\n`,
  );
  const missing = await importState(join(dbdir, "state"), { dbdir, replace: false });
  expect(describeMigration("took", missing).stderr).toBe(`fulmard: ${dbdir}/state: there is no such file\n`);
  expect(existsSync(dbdir)).toBe(false);
});

test("exportState makes a file for its owner alone, and never writes over one", async () => {
  const place = prepare(liveStates.get(currentLive));
  expectOk(await importState(place.state, { ...place, replace: false }));
  writeFileSync(place.out, "mine");
  const refused = await exportState(place.out, place.dbdir);
  expect(describeMigration("wrote", refused).stderr).toBe(`fulmard: ${place.out}: exists already\n`);
  expect(readFileSync(place.out, "utf8")).toBe("mine");
  rmSync(place.out);
  expect(describeMigration("wrote", await exportState(place.out, place.dbdir))).toEqual({
    stdout: "wrote 4 unikernels, 2 policies\n",
    stderr: "",
    status: 0,
  });
  expect(statSync(place.out).mode & 0o777).toBe(0o600);
});

test("exportState makes no store where there is none", async () => {
  const { dbdir, out } = prepare(undefined);
  expect(expectError(await exportState(out, dbdir))).toMatchObject({ kind: "io-failed", code: "ENOENT" });
  expect(readdirSync(dbdir)).toEqual([]);
});

test("exportState writes nothing where an image is not what it was, or gone", async () => {
  const place = prepare(liveStates.get(currentLive));
  expectOk(await importState(place.state, { ...place, replace: false }));
  const digest = unhex("0ded56f7d15e63443e5ebf940b8e5f22f7a6dbb1e9175a5ba614e0969f27dd96");
  rmSync(imagePath(place.dbdir, digest));
  const missing = await exportState(place.out, place.dbdir);
  expect(describeMigration("wrote", missing).stderr).toBe("fulmard: the image of dev:full is not there\n");
  writeFileSync(imagePath(place.dbdir, digest), "another");
  expect(expectError(await exportState(place.out, place.dbdir))).toEqual({
    kind: "image-damaged",
    name: name("dev:full"),
  });
  expect(existsSync(place.out)).toBe(false);
});

interface Prepared {
  readonly dbdir: string;
  readonly state: string;
  readonly out: string;
}

function prepare(state: Uint8Array | undefined): Prepared {
  const folder = temporaryFolder();
  const place = { dbdir: subfolder(folder, "db"), state: join(folder, "state"), out: join(folder, "out") };
  if (state !== undefined) writeFileSync(place.state, state);
  return place;
}

/** What is exported after an import. */
async function roundTrip(bytes: Uint8Array): Promise<string> {
  const place = prepare(bytes);
  expectOk(await importState(place.state, { ...place, replace: false }));
  expectOk(await exportState(place.out, place.dbdir));
  return hex(readFileSync(place.out));
}

/**
 * What an import keeps: not the root's policy, which is the host's; images uncompressed; no unikernel whose image cannot
 * be inflated (the dummies of the vectors).
 */
function normal({ unikernels, policies }: HostState): HostState {
  return {
    unikernels: unikernels.flatMap((one) => {
      const bytes = uncompressed(one);
      return bytes === undefined ? [] : [{ ...one, value: { ...one.value, image: { compressed: false, bytes } } }];
    }),
    policies: policies.filter((one) => printName(one.name) !== ":"),
  };
}

function uncompressed({ value: { image } }: HostState["unikernels"][number]): Uint8Array | undefined {
  try {
    return image.compressed ? inflateSync(image.bytes) : image.bytes;
  } catch {
    return undefined;
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
