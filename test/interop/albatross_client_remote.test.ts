/** The real albatross-client through fulmar-endpoint. */
import { randomBytes } from "node:crypto";
import { appendFileSync, copyFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { needLargeCertificates, needPrograms, needTender } from "./needs.ts";
import { freePort, Place, refused, succeeded } from "./place.ts";
import { makeAuthorities, mustRun, remote, startFulmard, startOurEndpoint } from "./systems.ts";

const albatross = { asks: "albatross-client", signs: "albatross-client" } as const;
const alice = { name: "alice", ...albatross };
const bob = { name: "bob", by: "alice", ...albatross };

test("albatross-client carries out every command with its own authority", { timeout: 60_000 }, async (context) => {
  needPrograms(context, "albatross-client");
  const tender = needTender(context);
  const place = Place.open();
  await makeAuthorities(place, "albatross-client", [alice, bob]);
  await startFulmard(place, tender);
  const to = remote(await startOurEndpoint(place), "bob");
  const run = (line: string) => place.run(`albatross-client ${line}`);
  expect(await run(`info ${to}`)).toEqual(succeeded("host [unikernel: alice:bob:]: no unikernels"));
  const policies = "[unikernel: :]: policy: 2 unikernels 0 CPUids 128 MB memory 8 MB block";
  expect(await run(`policy ${to}`)).toEqual(succeeded(`host [unikernel: alice:bob:]: ${policies}`));
  expect(await run(`policy ${to} -p x`)).toEqual(succeeded(policies));
  const created = succeeded("host [unikernel: alice:bob:web]: success: created unikernel");
  expect(await run(`create ${to} web hello.img --arg=one`)).toEqual(created);
  expect(await run(`create ${to} web hello.img`)).toEqual(refused("unikernel alice:bob:web exists already"));
  expect(await run(`create ${to} -f web hello.img`)).toEqual(created);
  expect(await run(`restart ${to} web`)).toEqual(created);
  expect(await run(`restart ${to} web --replace-arguments --arg=two`)).toEqual(created);
  const shown = "host [unikernel: alice:bob:web]: [unikernel: alice:bob:web]: typ solo5";
  expect(await run(`info ${to} -n web`)).toEqual(succeeded(shown));
  expect(await place.watch(`albatross-client console ${to} web`, /name=web two .*tick 1/)).toContain("subscribed");
  expect(await run(`create-block ${to} disk 4`)).toEqual(succeeded("success: added block device"));
  expect(await run(`create-block ${to} more 5`)).toEqual(refused("alice: 8 MB of block storage allowed, 4 used, 5"));
  expect(await run(`block ${to}`)).toEqual(succeeded("block [unikernel: :disk] size 4 MB active false"));
  expect(await run(`destroy-block ${to} disk`)).toEqual(succeeded("success: removed block"));
  expect(await run(`destroy ${to} web`)).toEqual(succeeded("success: destroyed unikernel"));
  expect(await run(`destroy ${to} web`)).toEqual(refused("unikernel alice:bob:web not found"));
});

test("albatross-client has a signed certificate carried out, with its image in it", {
  timeout: 60_000,
}, async (context) => {
  needPrograms(context, "albatross-client");
  const tender = needTender(context);
  const place = Place.open();
  await makeAuthorities(place, "albatross-client", [alice, bob]);
  await startFulmard(place, tender);
  const address = await startOurEndpoint(place);
  await mustRun(place, "albatross-client create --csr web hello.img --arg=signed --compression-level=0");
  await mustRun(place, "albatross-client sign alice.pem issued alice.key web.req");
  const line = `albatross-client certificate -d ${address} web.pem web.key`;
  expect(await place.run(line)).toEqual(succeeded("host [unikernel: alice:web]: success: created unikernel"));
  expect(await place.run(line)).toEqual(refused("unikernel alice:web exists already"));
});

test("albatross-client presents a certificate of three megabytes", { timeout: 60_000 }, async (context) => {
  needPrograms(context, "albatross-client");
  needLargeCertificates(context);
  const tender = needTender(context);
  const place = Place.open();
  await makeAuthorities(place, "albatross-client", [alice, bob]);
  await startFulmard(place, tender);
  const to = remote(await startOurEndpoint(place), "bob");
  appendFileSync(join(place.folder, "hello.img"), randomBytes(3_000_000));
  const line = `albatross-client create web hello.img --compression-level=0 ${to}`;
  expect(await place.run(line)).toEqual(succeeded("host [unikernel: alice:bob:web]: success: created unikernel"));
});

test("albatross-client's exit codes tell who refused whom", { timeout: 60_000 }, async (context) => {
  needPrograms(context, "albatross-client");
  const tender = needTender(context);
  const place = Place.open();
  await makeAuthorities(place, "albatross-client", [alice]);
  const elsewhere = await makeStranger(place);
  await startFulmard(place, tender);
  const address = await startOurEndpoint(place);
  const code = async (line: string) => (await place.run(`albatross-client info ${line}`)).status;
  expect(await code(remote(address, "alice"))).toBe(0);
  expect(await code(remote(address, "mallory"))).toBe(116);
  expect(await code(remote(await startOurEndpoint(elsewhere), "alice"))).toBe(120);
  expect(await code(remote(`127.0.0.1:${await freePort()}`, "alice"))).toBe(122);
  // An endpoint whose certificate the client knows, with another authority over clients that has the same name.
  const other = await startOurEndpoint(place, "other.pem");
  expect(await place.run(`albatross-client info ${remote(other, "alice")}`)).toEqual(
    refused("command failed the signature of certificate 2 (alice) is not by the one after it"),
  );
});

test("albatross-client is refused with 117 and our sentence", { timeout: 60_000 }, async (context) => {
  needPrograms(context, "albatross-client");
  const tender = needTender(context);
  const place = Place.open();
  await makeAuthorities(place, "albatross-client", [alice]);
  await startFulmard(place, tender);
  const to = remote(await startOurEndpoint(place), "alice");
  await mustRun(place, "albatross-client add-policy --tmpdir run alice 2 --mem 64 --cpu 0");
  expect(await place.run(`albatross-client create ${to} web hello.img --mem 65`)).toEqual(
    refused("cannot exceed the policy of alice: 64 MB of memory allowed, 0 used, 65 more asked for"),
  );
  expect(await place.run(`albatross-client destroy ${to} .`)).toEqual(refused("alice is a path"));
});

test("albatross-client as the delegate bob does not reach alice's unikernel bob", {
  timeout: 60_000,
}, async (context) => {
  needPrograms(context, "albatross-client");
  const tender = needTender(context);
  const place = Place.open();
  await makeAuthorities(place, "albatross-client", [alice, bob]);
  await startFulmard(place, tender);
  const address = await startOurEndpoint(place);
  const run = (line: string, who: string) => place.run(`albatross-client ${line} ${remote(address, who)}`);
  expect(await run("create bob hello.img", "alice")).toEqual(
    succeeded("host [unikernel: alice:bob]: success: created"),
  );
  expect(await run("info", "bob")).toEqual(succeeded("host [unikernel: alice:bob:]: no unikernels"));
  expect(await run("destroy .", "bob")).toEqual(refused("alice:bob is a path"));
  expect(await run("create bob hello.img", "bob")).toEqual(succeeded("[unikernel: alice:bob:bob]: success: created"));
  expect(await run("destroy bob", "bob")).toEqual(succeeded("[unikernel: alice:bob:bob]: success: destroyed"));
  await place.untilGuests(1);
  expect(await run("info", "alice")).toEqual(succeeded("[unikernel: :bob]: typ solo5"));
});

/** An authority that nobody here trusts, `other.pem`, and its delegate `mallory`. */
async function makeStranger(place: Place): Promise<Place> {
  const elsewhere = Place.open();
  await makeAuthorities(elsewhere, "albatross-client", [{ ...alice, name: "mallory" }]);
  for (const [from, to] of [
    ["cacert.pem", "other.pem"],
    ["mallory.pem", "mallory.pem"],
    ["mallory.key", "mallory.key"],
  ] as const) {
    copyFileSync(join(elsewhere.folder, from), join(place.folder, to));
  }
  return elsewhere;
}
