/**
 * Roots, requests and certificates of both clients, crosswise, at both
 * endpoints: each in front of its own daemon.
 */
import { expect, test } from "vitest";
import { needPrograms } from "./needs.ts";
import { Place, succeeded } from "./place.ts";
import {
  type Client,
  type Delegation,
  makeAuthorities,
  mustRun,
  remote,
  startAlbatross,
  startFulmard,
  startOurEndpoint,
  startTheirEndpoint,
} from "./systems.ts";

/** albatross-client signs with a first-level authority at most: it wants one certificate in the issuer's file. */
const delegations: readonly Delegation[] = [
  { name: "alice", asks: "albatross-client", signs: "fulmar" },
  { name: "bob", by: "alice", asks: "fulmar", signs: "albatross-client" },
  { name: "dora", by: "bob", asks: "albatross-client", signs: "fulmar" },
];
const clients: readonly Client[] = ["albatross-client", "fulmar"];

/** The deepest authority's certificates are all of them. */
const uses: readonly (readonly [Client, string])[] = [
  ["albatross-client", "alice"],
  ["albatross-client", "alice:bob"],
  ["albatross-client", "alice:bob:dora"],
  ["fulmar", "alice:bob:dora"],
];

test.for(clients)(
  "below a root of %s, both endpoints take what both clients make",
  { timeout: 90_000 },
  async (root, context) => {
    needPrograms(context, "albatross-client", "albatrossd", "albatross-console", "albatross-tls-endpoint", "solo5-spt");
    const place = Place.open();
    await makeAuthorities(place, root, delegations);
    await startFulmard(place, "spt");
    await startAlbatross(place);
    const leaves = await makeLeaves(place);
    for (const address of [await startOurEndpoint(place), await startTheirEndpoint(place, "theirs")]) {
      for (const [client, path] of uses) {
        const authority = path.split(":").at(-1) ?? "";
        expect(await place.run(`${client} info ${remote(address, authority)}`), `${client} as ${path}`).toEqual(
          succeeded(`host [unikernel: ${path}:]: no unikernels`),
        );
      }
      for (const { client, name } of leaves) {
        expect(await place.run(`${client} certificate -d ${address} ${name}.pem ${name}.key`)).toEqual(
          succeeded(`host [unikernel: alice:${name}]: success: created unikernel`),
        );
      }
    }
  },
);

/** Certificates that the one client asked for and the other signed. */
async function makeLeaves(place: Place): Promise<readonly { readonly client: Client; readonly name: string }[]> {
  const leaves: { readonly client: Client; readonly name: string }[] = [];
  for (const [client, signs] of [clients, clients.toReversed()]) {
    if (client === undefined) continue;
    const name = `of-${client}`;
    await mustRun(place, `${client} create --csr ${name} hello.img`);
    await mustRun(place, `${signs} sign alice.pem issued alice.key ${name}.req`);
    leaves.push({ client, name });
  }
  return leaves;
}
