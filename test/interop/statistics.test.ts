/** Statistics: albatross-client with fulmard, our client with albatross-stats. */
import { expect, test } from "vitest";
import { needPrograms, needTender } from "./needs.ts";
import { Place } from "./place.ts";
import {
  makeAuthorities,
  mustRun,
  remote,
  startAlbatross,
  startFulmard,
  startOurEndpoint,
  startTheirEndpoint,
  startTheirStatistics,
} from "./systems.ts";

const measured = /success: subscribed .*stats: utime \d+\.\d+ .*maxrss \d+ .*virtual-size \d+ rss \d+ .*no vmm stats/;

test("albatross-client sees what guests of fulmard use", { timeout: 60_000 }, async (context) => {
  needPrograms(context, "albatross-client");
  const tender = needTender(context);
  const place = Place.open();
  const albatross = { asks: "albatross-client", signs: "albatross-client" } as const;
  await makeAuthorities(place, "albatross-client", [{ name: "alice", ...albatross }]);
  await startFulmard(place, tender);
  const to = remote(await startOurEndpoint(place), "alice");
  await mustRun(place, `albatross-client create web hello.img ${to}`);
  for (const line of [`stats ${to}`, `stats -n web ${to}`, "stats --tmpdir run"]) {
    expect(await place.watch(`albatross-client ${line}`, measured)).toContain("success: subscribed");
  }
});

test("fulmar sees what albatross-stats measures", { timeout: 60_000 }, async (context) => {
  needPrograms(context, "albatrossd", "albatross-console", "albatross-stats", "albatross-tls-endpoint", "solo5-spt");
  const place = Place.open();
  await makeAuthorities(place, "fulmar", [{ name: "alice", asks: "fulmar", signs: "fulmar" }]);
  await startAlbatross(place);
  await startTheirStatistics(place);
  const to = remote(await startTheirEndpoint(place, "theirs"), "alice");
  await mustRun(place, `fulmar create web hello.img ${to}`);
  for (const line of [`stats ${to}`, "stats --tmpdir theirs"]) {
    expect(await place.watch(`fulmar ${line}`, measured)).toContain("[unikernel: alice:web] stats:");
  }
});
