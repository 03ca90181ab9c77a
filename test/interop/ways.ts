/** The four ways from one system's client to the other's daemon, on its sockets and through its endpoint. */
import type { TestContext } from "vitest";
import { needPrograms, needTender } from "./needs.ts";
import { Place } from "./place.ts";
import {
  type Client,
  makeAuthorities,
  mustRun,
  remote,
  startAlbatross,
  startFulmard,
  startOurEndpoint,
  startTheirEndpoint,
} from "./systems.ts";

export interface Way {
  readonly client: Client;
  readonly daemon: "fulmard" | "albatrossd";
  readonly endpoint: boolean;
}

export const ways: readonly Way[] = [
  { client: "albatross-client", daemon: "fulmard", endpoint: false },
  { client: "albatross-client", daemon: "fulmard", endpoint: true },
  { client: "fulmar", daemon: "albatrossd", endpoint: false },
  { client: "fulmar", daemon: "albatrossd", endpoint: true },
];

/** The daemon, the words with which the client goes there, and the path that those leave to be said. */
export async function open(
  context: TestContext,
  { client, daemon, endpoint }: Way,
): Promise<{ readonly place: Place; readonly to: string; readonly path: string }> {
  const place = Place.open();
  if (daemon === "fulmard") {
    needPrograms(context, client);
    await startFulmard(place, needTender(context));
  } else {
    needPrograms(context, "albatrossd", "albatross-console", "albatross-tls-endpoint", "solo5-spt");
    await startAlbatross(place);
  }
  const sockets = daemon === "fulmard" ? "run" : "theirs";
  if (!endpoint) {
    await mustRun(place, `${client} add-policy alice 2 --mem 128 --cpu 0 --block 8 --tmpdir ${sockets}`);
    return { place, to: `--tmpdir ${sockets}`, path: "alice:" };
  }
  await makeAuthorities(place, client, [{ name: "alice", asks: client, signs: client }]);
  const address = await (daemon === "fulmard" ? startOurEndpoint(place) : startTheirEndpoint(place, "theirs"));
  return { place, to: remote(address, "alice"), path: "" };
}
