import { spawnSync } from "node:child_process";
import { expect, test, vi } from "vitest";
import type { Command } from "../../src/core/command.ts";
import type { UnikernelConfig } from "../../src/core/unikernel.ts";
import { enterNetworkNamespace } from "../host/namespace.ts";
import { config, create, destroy, openScripted, readGuest } from "./lab.ts";

vi.setConfig({ testTimeout: 30_000 });

/** Of this file's process alone, and of the daemons that it starts. */
const isAlone = enterNetworkNamespace() && ip("link", "add", "service", "type", "bridge").status === 0;
const image = readGuest("hello_net.spt");
const bridges = [{ netif: "service" }];

test("taps go with their guest, and after kill -9 with the next daemon", { skip: !isAlone }, async () => {
  const place = openScripted("while :; do sleep 1; done");
  const first = await place.spawn();
  expect(await place.ask("alice:vm", create(image))).toMatch(/declares net service, given is no net device/);
  expect(await place.ask("alice:vm", create(image, { bridges: [{ netif: "service", bridge: "none" }] }))).toMatch(
    /bridge none asked for, service allowed/,
  );
  expect(await place.ask("alice:vm", create(image, { bridges }))).toBe("created unikernel");
  const mac = Buffer.from((await place.info("alice:vm"))?.bridges[0]?.mac ?? []).toString("hex");
  expect(mac).toMatch(/^008041/);
  expect(place.commands()[0]).toContain(`--net-mac:service=${mac.match(/../g)?.join(":")}`);
  const taken = create(image, { bridges: [{ netif: "service", mac: Buffer.from(mac, "hex") }] });
  expect(await place.ask("alice:other", taken)).toMatch(/is taken on bridge service by unikernel alice:vm/);
  expect(taps()).toHaveLength(1);
  first.kill("SIGKILL");
  await new Promise((resolve) => first.once("exit", resolve));
  expect(taps()).toHaveLength(1);
  await place.spawn();
  await place.running(1);
  expect(taps()).toHaveLength(1);
  expect(await place.ask("alice:vm", create(image, { bridges }, { replace: true }))).toBe("created unikernel");
  expect(taps()).toHaveLength(1);
  expect(await place.ask("alice:vm", destroy)).toBe("destroyed unikernel");
  expect(taps()).toEqual([]);
});

test("reference bug 11: what replaces a guest is refused before that is stopped where its bridge is gone", {
  skip: !isAlone,
}, async () => {
  ip("link", "add", "passing", "type", "bridge");
  const place = openScripted("while :; do sleep 1; done");
  await place.start();
  expect(await place.ask("vm", create(image, { bridges }))).toBe("created unikernel");
  const before = place.tenders();
  ip("link", "delete", "passing");
  const settings = { bridges: [{ netif: "service", bridge: "passing" }] };
  for (const command of [create(image, settings, { replace: true }), restart(settings)]) {
    expect(await place.ask("vm", command)).toBe("refused: making the network devices: bridge missing, bridge passing");
  }
  expect(place.tenders()).toEqual(before);
});

function restart(changes: Partial<UnikernelConfig>): Command {
  const { typ: _, ...settings } = { ...config, ...changes };
  return { kind: "unikernel-restart", settings };
}

/** Those on the bridge. */
function taps(): readonly string[] {
  return ip("-brief", "link", "show", "master", "service")
    .stdout.split("\n")
    .filter((line) => line !== "");
}

function ip(...words: readonly string[]): { readonly status: number | null; readonly stdout: string } {
  return spawnSync("ip", words, { encoding: "utf8" });
}
