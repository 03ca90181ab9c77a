/** A real guest's network through the end of its daemon: Solo5's test_net, from the folder that FULMAR_SOLO5_GUESTS names. */
import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { enterNetworkNamespace } from "../host/namespace.ts";
import { needGuest, needPrograms, needRoot } from "../interop/needs.ts";
import { until } from "./caller.ts";
import { create, Place } from "./lab.ts";

vi.setConfig({ testTimeout: 90_000 });

const links = "link add service type bridge\naddress add 10.0.0.1/24 dev service\nlink set service up\n";

test("a guest answers on its bridge all through kill -9 of its daemon and its adoption by the next", async (context) => {
  needPrograms(context, "solo5-spt", "ip", "bridge");
  needRoot(context);
  const image = readFileSync(needGuest(context, "test_net"));
  if (!enterNetworkNamespace()) context.skip("no network namespace of its own can be had here");
  expect(spawnSync("ip", ["-batch", "-"], { input: links }).status).toBe(0);
  const place = new Place("spt");
  const first = await place.spawn();
  const config = { bridges: [{ netif: "service0", bridge: "service" }], addName: false };
  expect(await place.ask("net", create(image, config))).toBe("created unikernel");
  await answers();
  const before = [await place.infos(), place.tenders()];
  let [asked, isOver] = [0, false];
  const asking = (async () => {
    for (; !isOver; asked++) await answers();
  })();
  first.kill("SIGKILL");
  await once(first, "exit");
  const alone = asked;
  await until(() => asked > alone + 3, "answers while no daemon runs");
  await place.spawn();
  const adopted = asked;
  await until(() => asked > adopted + 3, "answers after the adoption");
  isOver = true;
  await asking;
  expect([await place.infos(), place.tenders()]).toEqual(before);
  // Its own address, behind its own tap: the probe goes out, to a port that it does not serve.
  const unhealthy = { ...create(image, config, { replace: true }), health: { within: 2000, probe: "tcp:10.0.0.2:80" } };
  expect(await place.ask("net", unhealthy)).toBe(
    "refused: it could not start, and the old one runs again: it was not healthy within 2000 ms: 10.0.0.2 takes no connection on port 80 (ETIMEDOUT)",
  );
  await answers();
});

/** Has the guest asked for its address anew, and waits until it has told it: the kernel asks three times, a second apart. */
async function answers(): Promise<void> {
  spawnSync("ip", ["neighbour", "delete", "10.0.0.2", "dev", "service"]);
  execFileSync("ip", ["neighbour", "replace", "10.0.0.2", "dev", "service", "nud", "none", "use"]);
  await until(() => /^10\.0\.0\.2 +0x1 +0x2 /m.test(readFileSync("/proc/self/net/arp", "latin1")), "its answer", 3000);
}
