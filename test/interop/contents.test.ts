/** Images and the contents of block devices: our client with albatrossd, albatross-client with fulmard. */
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { type Place, refused, type Said, succeeded } from "./place.ts";
import { open, ways } from "./ways.ts";

test.for(ways)(
  "$client gets from $daemon what it gave (through its endpoint: $endpoint)",
  { timeout: 60_000 },
  async (way, context) => {
    const { place, to, path } = await open(context, way);
    const run = (line: string): Promise<Said> => place.run(`${way.client} ${line} ${to}`);
    const content = Buffer.concat([randomBytes(300_000), Buffer.alloc(100_000), randomBytes(100_000)]);
    writeFileSync(resolve(place.folder, "content"), content);
    expect(await run(`create ${path}web hello.img`)).toEqual(succeeded("success: created unikernel"));
    expect(await run(`create-block ${path}disk 1 --data content`)).toEqual(succeeded(/added block device.*set block/));
    expect(await run(`set-block ${path}disk content`)).toEqual(succeeded("success: set block device"));
    const whole = Buffer.concat([content, Buffer.alloc(1024 * 1024 - content.length)]);
    expect(dumped(place, await run(`get ${path}web`)).equals(image(place))).toBe(true);
    expect(dumped(place, await run(`dump-block ${path}disk`)).equals(whole)).toBe(true);
    expect(dumped(place, await run(`dump-block ${path}disk --compression-level 0`)).equals(whole)).toBe(true);
    expect(await run(`destroy ${path}web`)).toEqual(succeeded("success: destroyed unikernel"));
    expect(await run("inactive-consoles")).toEqual(succeeded("web]"));
  },
);

test("albatross-client is refused a content that does not fit, which stays out", {
  timeout: 60_000,
}, async (context) => {
  const { place, to } = await open(context, { client: "albatross-client", daemon: "fulmard", endpoint: true });
  const run = (line: string): Promise<Said> => place.run(`albatross-client ${line} ${to}`);
  writeFileSync(resolve(place.folder, "fits"), Buffer.alloc(1024 * 1024, "x"));
  writeFileSync(resolve(place.folder, "large"), randomBytes(1024 * 1024 + 1));
  expect(await run("create-block disk 1 --data fits")).toEqual(succeeded("success: set block device"));
  expect(await run("set-block other fits")).toEqual(refused("block device alice:other not found"));
  expect(await run("set-block disk large")).toEqual(refused("larger than the block device, which has 1 MB"));
  expect(dumped(place, await run("dump-block disk")).equals(Buffer.alloc(1024 * 1024, "x"))).toBe(true);
});

/** What is in the file that the client says it wrote. */
function dumped(place: Place, said: Said): Buffer {
  expect(said).toEqual(succeeded("dumped"));
  return readFileSync(resolve(place.folder, /dumped (?:image )?to (\S+)/.exec(said.text)?.[1] ?? ""));
}

function image(place: Place): Buffer {
  return readFileSync(resolve(place.folder, "hello.img"));
}
