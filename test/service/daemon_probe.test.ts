/** Creations whose health is asked for over the network, through the daemon. */
import { spawnSync } from "node:child_process";
import { expect, test, vi } from "vitest";
import type { Health } from "../../src/core/health.ts";
import { enterNetworkNamespace } from "../host/namespace.ts";
import { standIn } from "../host/stand_in.ts";
import { findProgram } from "../x509/vectors.ts";
import { until } from "./caller.ts";
import { create, openScripted, type Place, readGuest } from "./lab.ts";

vi.setConfig({ testTimeout: 90_000 });

const links =
  "link add service type bridge\naddress add 10.0.0.1/24 dev service\nlink set service up\nlink set lo up\n";
/** Of this file's process alone, and of the daemons that it starts. */
const isAlone =
  enterNetworkNamespace() &&
  findProgram("bridge") !== undefined &&
  spawnSync("ip", ["-batch", "-"], { input: links }).status === 0;
const image = readGuest("hello_net.spt");
const long = "while :; do sleep 1; done";

test("a replacement whose probe nobody answers gives way, and one that is answered stays", {
  skip: !isAlone,
}, async () => {
  const place = openScripted(long);
  await place.start({ grace: 500 });
  expect(await ask(place, "old", undefined)).toBe("created unikernel");
  expect(await ask(place, "sick", { within: 1000, probe: "tcp:10.0.0.2:8080" })).toBe(
    "refused: it could not start, and the old one runs again: it was not healthy within 1000 ms: nobody answers for 10.0.0.2 on its bridge",
  );
  expect((await place.info("vm"))?.arguments).toEqual(["old"]);
  const asked = ask(place, "new", { within: 60_000, probe: "http://10.0.0.2:8080/ok" });
  await until(
    async () => (await place.info("vm"))?.arguments?.[0] === "new" && place.tenders().length === 1,
    "the new one",
  );
  await until(() => spawnSync("ip", ["link", "delete", "fulmar0"]).status === 0, "its tap");
  const mac =
    Buffer.from((await place.info("vm"))?.bridges[0]?.mac ?? [])
      .toString("hex")
      .match(/../g)
      ?.join(":") ?? "";
  const guest = await standIn("fulmar0", "service", mac, "10.0.0.2");
  expect(await asked).toBe("created unikernel");
  expect(guest.heard).toContain("/ok");
});

test("a probe of what cannot be the unikernel is refused before anything is stopped", { skip: !isAlone }, async () => {
  const place = openScripted(long);
  await place.start();
  expect(await ask(place, "old", undefined)).toBe("created unikernel");
  const before = place.tenders();
  for (const address of ["127.0.0.1", "10.0.0.1", "192.0.2.1"]) {
    expect(await ask(place, "new", { within: 60_000, probe: `http://${address}:8080/` })).toBe(
      `refused: its health cannot be found out: ${address} is no address of its own: the host has it itself, or does not reach it directly over bridge service`,
    );
  }
  expect(await ask(place, "new", { within: 60_000, probe: "tcp:localhost:80" })).toMatch(/^refused: health is written/);
  expect(place.tenders()).toEqual(before);
  const bare = { ...create(readGuest("hello.spt")), health: { within: 1000, probe: "tcp:80" } };
  expect(await place.ask("bare", bare)).toMatch(/^refused: a unikernel without a network device/);
});

function ask(place: Place, argument: string, health: Health | undefined): Promise<string> {
  const changes = { arguments: [argument], bridges: [{ netif: "service" }] };
  const command = create(image, changes, { replace: true });
  return place.ask("vm", health === undefined ? command : ({ ...command, health } as typeof command));
}
