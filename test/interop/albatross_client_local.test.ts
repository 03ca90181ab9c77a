/** The real albatross-client on fulmard's Unix sockets. */
import { expect, test } from "vitest";
import { needPrograms, needTender } from "./needs.ts";
import { Place, refused, succeeded } from "./place.ts";
import { startFulmard } from "./systems.ts";

const local = "--tmpdir run";

test("albatross-client creates, shows, restarts and destroys a unikernel", { timeout: 60_000 }, async (context) => {
  needPrograms(context, "albatross-client");
  const tender = needTender(context);
  const place = Place.open();
  await startFulmard(place, tender);
  const run = (line: string) => place.run(`albatross-client ${line}`);
  expect(await run(`info ${local}`)).toEqual(succeeded("host [unikernel: :]: no unikernels"));
  const created = succeeded("host [unikernel: alice:web]: success: created unikernel");
  expect(await run(`create ${local} alice:web hello.img --arg=one`)).toEqual(created);
  expect(await run(`create ${local} alice:web hello.img`)).toEqual(refused("unikernel alice:web exists already"));
  expect(await run(`create ${local} -f alice:web hello.img --arg=two`)).toEqual(created);
  expect(await run(`restart ${local} alice:web`)).toEqual(created);
  expect(await run(`info ${local} -n alice:web -v -v`)).toEqual(
    succeeded(/^host \[unikernel: alice:web\]: \[unikernel: alice:web\]: typ solo5 .* 32 MB memory .* argv two$/),
  );
  expect(await run(`restart ${local} alice:web --replace-arguments --arg=three --mem=20`)).toEqual(created);
  expect(await run(`info ${local} -v -v`)).toEqual(succeeded(/\[unikernel: alice:web\].* 20 MB memory .* argv three$/));
  await place.untilGuests(1);
  const destroyed = succeeded("host [unikernel: alice:web]: success: destroyed unikernel");
  expect(await run(`destroy ${local} alice:web`)).toEqual(destroyed);
  expect(place.guests()).toBe(0);
  expect(await run(`destroy ${local} alice:web`)).toEqual(refused("unikernel alice:web not found"));
  expect(await run(`restart ${local} alice:web`)).toEqual(refused("unikernel alice:web not found"));
  expect(await run(`destroy ${local} alice:`)).toEqual(refused("alice is a path"));
});

test("albatross-client reads a console: history, count, live lines", { timeout: 60_000 }, async (context) => {
  needPrograms(context, "albatross-client");
  const tender = needTender(context);
  const place = Place.open();
  await startFulmard(place, tender);
  expect(await place.run(`albatross-client create ${local} web hello.img --arg=one`)).toEqual(succeeded("created"));
  const all = await place.watch(`albatross-client console ${local} web`, /tick 2/);
  expect(all).toMatch(/^host \[unikernel: :web\]: success: subscribed console \S+: Hello from .*--name=web one/);
  expect(all).toMatch(/tick 1 console \S+-00:00: tick 2$/);
  const last = await place.watch(`albatross-client console ${local} web --count=1`, /tick \d/);
  expect(last).toMatch(/^host \[unikernel: :web\]: success: subscribed console \S+: tick \d/);
  const awaited = await place.watch(`albatross-client console ${local} nobody`, /success/);
  expect(awaited).toBe("host [unikernel: :nobody]: success: waiting for VM");
});

test("albatross-client adds, shows and removes policies, which then bind", { timeout: 60_000 }, async (context) => {
  needPrograms(context, "albatross-client");
  const tender = needTender(context);
  const place = Place.open();
  await startFulmard(place, tender);
  const run = (line: string) => place.run(`albatross-client ${line}`);
  const two = "2 --mem=128 --cpu=0 --block=8";
  expect(await run(`add-policy ${local} alice ${two}`)).toEqual(succeeded("success: added policy"));
  expect(await run(`add-policy ${local} alice ${two}`)).toEqual(succeeded("success: no modification of policy"));
  expect(await run(`add-policy ${local} alice:bob ${two}`)).toEqual(succeeded("success: added policy"));
  expect(await run(`add-policy ${local} alice:eve 3 --mem=64 --cpu=0`)).toEqual(refused("alice"));
  expect(await run(`policy ${local}`)).toEqual(
    succeeded(/^host \[unikernel: :\]: \[unikernel: :\]: policy: 4611686018427387903 unikernels /),
  );
  const shown = "policy: 2 unikernels 0 CPUids 128 MB memory 8 MB block";
  const both = `host [unikernel: alice:]: [unikernel: :]: ${shown} [unikernel: bob:]: ${shown}`;
  expect(await run(`policy ${local} -p alice`)).toEqual(succeeded(both));
  expect(await run(`create ${local} alice:bob:one hello.img`)).toEqual(succeeded("created unikernel"));
  expect(await run(`create ${local} alice:two hello.img`)).toEqual(succeeded("created unikernel"));
  const full = "cannot exceed the policy of alice: 2 unikernels allowed, 2 used, 1 more asked for";
  expect(await run(`create ${local} alice:bob:three hello.img`)).toEqual(refused(`command failed ${full}`));
  expect(await run(`restart ${local} alice:two --replace-arguments --mem=120`)).toEqual(
    refused("cannot exceed the policy of alice: 128 MB of memory allowed, 64 used, 88 more asked for"),
  );
  expect(await run(`remove-policy ${local} -p alice:bob`)).toEqual(succeeded("success: removed policy"));
  expect(await run(`remove-policy ${local} -p alice:bob`)).toEqual(refused("there is no policy for alice:bob"));
  expect(await run(`create ${local} alice:bob:three hello.img`)).toEqual(refused(full));
});

test("albatross-client creates, shows, attaches and destroys a block device", { timeout: 60_000 }, async (context) => {
  needPrograms(context, "albatross-client");
  const tender = needTender(context);
  const place = Place.open();
  await startFulmard(place, tender);
  const run = (line: string) => place.run(`albatross-client ${line}`);
  expect(await run(`block ${local}`)).toEqual(succeeded("host [unikernel: :]: no block devices"));
  expect(await run(`add-policy ${local} alice 2 --mem=128 --cpu=0 --block=8`)).toEqual(succeeded("added policy"));
  expect(await run(`create-block ${local} alice:disk 4`)).toEqual(succeeded("success: added block device"));
  expect(await run(`create-block ${local} alice:disk 4`)).toEqual(refused("block device alice:disk exists already"));
  expect(await run(`create-block ${local} alice:more 5`)).toEqual(
    refused("cannot exceed the policy of alice: 8 MB of block storage allowed, 4 used, 5 more asked for"),
  );
  expect(await run(`create ${local} alice:db hello_block.img --block=storage:disk`)).toEqual(succeeded("created"));
  expect(await run(`block ${local}`)).toEqual(succeeded("block [unikernel: alice:disk] size 4 MB active true"));
  expect(await place.watch(`albatross-client console ${local} alice:db`, /tick/)).toMatch(/storage: 4194304 bytes/);
  expect(await run(`destroy-block ${local} alice:disk`)).toEqual(refused("alice:disk"));
  expect(await run(`destroy ${local} alice:db`)).toEqual(succeeded("destroyed unikernel"));
  expect(await run(`destroy-block ${local} alice:disk`)).toEqual(succeeded("success: removed block"));
  expect(await run(`destroy-block ${local} alice:disk`)).toEqual(refused("block device alice:disk not found"));
});
