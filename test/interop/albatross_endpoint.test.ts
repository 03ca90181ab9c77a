/**
 * The real albatross-tls-endpoint in front of fulmard: it adds the policies of a
 * chain one by one, innermost first, and then sends the command.
 */
import { expect, test } from "vitest";
import { needPrograms, needTender } from "./needs.ts";
import { Place, refused, succeeded } from "./place.ts";
import { type Client, makeAuthorities, remote, startFulmard, startTheirEndpoint } from "./systems.ts";

const full = refused("cannot exceed the policy of alice: 2 unikernels allowed, 2 used, 1 more asked for");
const albatross = { asks: "albatross-client", signs: "albatross-client" } as const;

test("alice, bob and charlie share alice's two unikernels", { timeout: 60_000 }, async (context) => {
  needPrograms(context, "albatross-tls-endpoint", "albatross-client");
  const tender = needTender(context);
  const place = Place.open();
  await makeAuthorities(place, "albatross-client", [
    { name: "alice", ...albatross },
    { name: "bob", by: "alice", ...albatross },
    { name: "charlie", by: "alice", ...albatross },
  ]);
  await startFulmard(place, tender);
  const address = await startTheirEndpoint(place, "run");
  const run = (line: string, who: string, client: Client = "albatross-client") =>
    place.run(`${client} ${line} ${remote(address, who)}`);
  expect(await run("create one hello.img", "bob")).toEqual(succeeded("[unikernel: alice:bob:one]: success: created"));
  expect(await run("create two hello.img", "charlie", "fulmar")).toEqual(
    succeeded("alice:charlie:two]: success: created"),
  );
  for (const who of ["alice", "bob", "charlie"]) expect(await run("create three hello.img", who)).toEqual(full);
  expect(await run("create three hello.img", "alice", "fulmar")).toEqual(full);
  await place.untilGuests(2);
  expect(await run("info", "alice")).toEqual(succeeded(/charlie:two\].*bob:one\]/));
  expect(await run("policy -p x", "alice")).toEqual(succeeded(/charlie:\]: policy.*bob:\]: policy/));
  expect(await place.watch(`fulmar console one ${remote(address, "bob")}`, /tick 1/)).toContain("subscribed");
  expect(await run("destroy one", "bob")).toEqual(succeeded("success: destroyed unikernel"));
  expect(await run("create three hello.img", "alice")).toEqual(succeeded("alice:three]: success: created"));
  expect(await run("restart three --replace-arguments --mem 97", "alice")).toEqual(
    refused("cannot exceed the policy of alice: 128 MB of memory allowed, 64 used, 65 more asked for"),
  );
  expect(await run("create-block disk 8", "charlie")).toEqual(succeeded("success: added block device"));
  expect(await run("create-block disk 1", "bob")).toEqual(refused("alice: 8 MB of block storage allowed, 8 used, 1"));
});
