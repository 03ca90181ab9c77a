/** Certificates with our permissions, shown to the real albatross-client and albatross-tls-endpoint, which know nothing of them. */
import { expect, test } from "vitest";
import { needPrograms } from "./needs.ts";
import { Place, refused, succeeded } from "./place.ts";
import { mustRun, remote, startAlbatross, startFulmard, startOurEndpoint, startTheirEndpoint } from "./systems.ts";

test("albatross takes certificates with permissions, and fulmar holds its client to them", {
  timeout: 120_000,
}, async (context) => {
  needPrograms(context, "albatross-client", "albatrossd", "albatross-console", "albatross-tls-endpoint", "solo5-spt");
  const place = Place.open();
  await mustRun(place, "fulmar generate ca issued");
  await mustRun(place, "fulmar add-policy --csr alice 2 --mem 128 --permit info,create");
  await mustRun(place, "fulmar sign cacert.pem issued ca.key alice.req");
  await mustRun(place, "albatross-client add-policy --csr bob 2 --mem 128");
  await mustRun(place, "albatross-client sign alice.pem issued alice.key bob.req");
  await startFulmard(place, "spt");
  await startAlbatross(place);
  const ours = await startOurEndpoint(place);
  const theirs = await startTheirEndpoint(place, "theirs");
  const run = (line: string, address: string, who: string) =>
    place.run(`albatross-client ${line} ${remote(address, who)}`);
  for (const who of ["alice", "bob"]) {
    const vm = `vm-${who}`;
    for (const address of [theirs, ours]) {
      expect(await run("info", address, who)).toEqual(succeeded("no unikernels"));
      expect(await run(`create ${vm} hello.img`, address, who)).toEqual(succeeded("success: created"));
    }
    expect(await run(`destroy ${vm}`, theirs, who)).toEqual(succeeded("success: destroyed"));
    expect(await run(`destroy ${vm}`, ours, who)).toEqual(
      refused("the certificate of alice permits info, create only, and this needs destroy"),
    );
    await mustRun(place, `fulmar destroy ${who === "bob" ? "alice:bob" : "alice"}:${vm} --tmpdir run`);
  }
});
