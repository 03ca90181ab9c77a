/** Our client on the real albatrossd's sockets, and through the real albatross-tls-endpoint. */
import { expect, type TestContext, test } from "vitest";
import { needPrograms } from "./needs.ts";
import { freePort, Place, refused, succeeded } from "./place.ts";
import { makeAuthorities, mustRun, remote, startAlbatross, startTheirEndpoint } from "./systems.ts";

const ours = { asks: "fulmar", signs: "fulmar" } as const;
const alice = { name: "alice", ...ours };
const bob = { name: "bob", by: "alice", ...ours };

function needAlbatross(context: TestContext): void {
  needPrograms(context, "albatrossd", "albatross-console", "solo5-spt");
}

test("fulmar carries out every command on albatrossd's sockets", { timeout: 60_000 }, async (context) => {
  needAlbatross(context);
  const place = Place.open();
  await startAlbatross(place);
  const run = (line: string) => place.run(`fulmar ${line} --tmpdir theirs`);
  expect(await run("add-policy alice 2 --mem 128 --cpu 0 --block 8")).toEqual(succeeded("success: added policy"));
  expect(await run("policy -p alice")).toEqual(
    succeeded("[unikernel: alice:]: policy: 2 unikernels 0 CPUids 128 MB memory 8 MB block"),
  );
  const created = succeeded("host [unikernel: alice:web]: success: created unikernel");
  expect(await run("create alice:web hello.img --arg one")).toEqual(created);
  expect(await run("create alice:web hello.img")).toEqual(refused("Unikernel with same name is already running"));
  expect(await run("create -f alice:web hello.img --compression-level 6")).toEqual(created);
  expect(await run("restart alice:web --replace-arguments --arg two")).toEqual(created);
  expect(await run("info -n alice:web -v -v")).toEqual(
    succeeded(/\[unikernel: alice:web\]: typ solo5 started .* argv two/),
  );
  expect(await place.watch("fulmar console alice:web --tmpdir theirs", /web two .*tick 1/)).toContain("subscribed");
  expect(await run("create-block alice:disk 4")).toEqual(succeeded("success: added block device"));
  expect(await run("create-block alice:more 5")).toEqual(refused("block device policy limit of 8 MB"));
  expect(await run("block")).toEqual(succeeded("block [unikernel: alice:disk] size 4 MB active false"));
  expect(await run("destroy-block alice:disk")).toEqual(succeeded("success: removed block"));
  expect(await run("destroy alice:web")).toEqual(succeeded("success: destroyed unikernel"));
  expect(await run("remove-policy -p alice")).toEqual(succeeded("success: removed policy"));
});

test("fulmar carries out every command through albatross's endpoint", { timeout: 60_000 }, async (context) => {
  needAlbatross(context);
  needPrograms(context, "albatross-tls-endpoint");
  const place = Place.open();
  await makeAuthorities(place, "fulmar", [alice, bob]);
  await startAlbatross(place);
  const to = remote(await startTheirEndpoint(place, "theirs"), "bob");
  const run = (line: string) => place.run(`fulmar ${line} ${to}`);
  const policy = "policy: 2 unikernels 0 CPUids 128 MB memory 8 MB block";
  expect(await run("policy")).toEqual(succeeded(`[unikernel: alice:bob:]: ${policy}`));
  const created = succeeded("host [unikernel: alice:bob:web]: success: created unikernel");
  expect(await run("create web hello.img --arg one")).toEqual(created);
  expect(await run("create big hello.img --mem 100")).toEqual(refused("maximum allowed memory (128, used 32)"));
  expect(await run("create -f web hello.img --compression-level 0")).toEqual(created);
  expect(await run("restart web --replace-arguments --arg two")).toEqual(created);
  expect(await run("info")).toEqual(succeeded("[unikernel: alice:bob:web]: typ solo5"));
  expect(await place.watch(`fulmar console web ${to}`, /web two .*tick 1/)).toContain("subscribed");
  expect(await run("create-block disk 4")).toEqual(succeeded("success: added block device"));
  expect(await run("create-block more 5")).toEqual(refused("block device policy limit of 8 MB"));
  expect(await run("block")).toEqual(succeeded("block [unikernel: alice:bob:disk] size 4 MB active false"));
  expect(await run("destroy-block disk")).toEqual(succeeded("success: removed block"));
  expect(await run("destroy web")).toEqual(succeeded("success: destroyed unikernel"));
  expect(await run("destroy nobody")).toEqual(refused("not found"));
});

test("fulmar's exit codes tell why albatross's endpoint was of no use", { timeout: 60_000 }, async (context) => {
  needAlbatross(context);
  needPrograms(context, "albatross-tls-endpoint");
  const place = Place.open();
  await makeAuthorities(place, "fulmar", [alice]);
  await startAlbatross(place);
  const address = await startTheirEndpoint(place, "theirs");
  const code = async (line: string) => (await place.run(`fulmar info ${line}`)).status;
  expect(await code(remote(`127.0.0.1:${await freePort()}`, "alice"))).toBe(122);
  // A second authority takes the first one's names: its server is another's, its clients are strangers.
  await mustRun(place, "cp alice.pem mine.pem");
  await mustRun(place, "cp alice.key mine.key");
  await mustRun(place, "cp cacert.pem known.pem");
  await mustRun(place, "rm ca.key alice.key alice.req server.key");
  await makeAuthorities(place, "fulmar", [alice]);
  expect(await code(`${remote(address, "mine")} --server-ca known.pem`)).toBe(0);
  expect(await code(`${remote(address, "mine")} --server-ca cacert.pem`)).toBe(120);
  expect(await code(`${remote(address, "alice")} --server-ca known.pem`)).toBe(119);
});
