/** Uploads that are refused: our client by albatrossd, albatross-client by fulmard. */
import { randomBytes } from "node:crypto";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { needPrograms, needTender } from "./needs.ts";
import { Place, refused, succeeded } from "./place.ts";
import { makeAuthorities, remote, startAlbatross, startFulmard, startTheirEndpoint } from "./systems.ts";

const large = randomBytes(20 * 1024 * 1024);

// Fault 7: albatross's daemon refuses and closes at once; its own client dies of that, or hears `writing block data`.
test("reference bug 7: fulmar hears albatrossd's refusal of an upload that goes on", {
  timeout: 60_000,
}, async (context) => {
  needPrograms(context, "albatross-console", "albatrossd", "albatross-tls-endpoint");
  const place = Place.open();
  writeFileSync(join(place.folder, "large"), large);
  await makeAuthorities(place, "fulmar", [{ name: "alice", asks: "fulmar", signs: "fulmar" }]);
  await startAlbatross(place);
  const to = remote(await startTheirEndpoint(place, "theirs"), "alice");
  for (const level of [0, 1]) {
    const line = `set-block alice:disk large --compression-level ${level} --tmpdir theirs`;
    expect(await place.run(`fulmar ${line}`)).toEqual(refused("command failed: set block: not found"));
    const far = `set-block disk large --compression-level ${level} ${to}`;
    expect(await place.run(`fulmar ${far}`)).toEqual(refused("command failed: writing block data"));
  }
  expect(await place.run(`fulmar dump-block disk ${to}`)).toEqual(refused("command failed: dump block: not found"));
  expect(readdirSync(place.folder).filter((file) => file.includes("disk"))).toEqual([]);
});

test("reference bugs 6 and 7: albatross-client hears fulmard's refusals of uploads", {
  timeout: 60_000,
}, async (context) => {
  needPrograms(context, "albatross-client");
  const tender = needTender(context);
  const place = Place.open();
  writeFileSync(join(place.folder, "large"), large);
  await startFulmard(place, tender);
  const run = (line: string) => place.run(`albatross-client ${line} --tmpdir run`);
  expect(await run("create-block disk 1")).toEqual(succeeded("success: added block device"));
  for (const level of [0, 1]) {
    const set = `--compression-level ${level}`;
    expect(await run(`set-block none large ${set}`)).toEqual(refused("block device :none not found"));
    expect(await run(`set-block disk large ${set}`)).toEqual(refused("larger than the block device"));
  }
  expect(await run("block")).toEqual(succeeded("[unikernel: :disk] size 1 MB active false"));
});
