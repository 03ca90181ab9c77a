/**
 * Solo5's own test guests under fulmard.
 *
 * The environment variable FULMAR_SOLO5_GUESTS names the folder of Solo5's built
 * tests: `test_hello.spt`, `test_blk.spt`, `test_net.spt`. With `solo5-spt` on PATH:
 *
 *     FULMAR_SOLO5_GUESTS=<folder> npx vitest run --dir test/interop solo5
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createSocket } from "node:dgram";
import { expect, onTestFinished, test } from "vitest";
import { enterNetworkNamespace } from "../host/namespace.ts";
import { needGuest, needPrograms, needRoot } from "./needs.ts";
import { Place, succeeded, until } from "./place.ts";
import { startFulmard } from "./systems.ts";

test("test_hello says SUCCESS with its argument", { timeout: 60_000 }, async (context) => {
  needPrograms(context, "solo5-spt");
  const guest = needGuest(context, "test_hello");
  const place = Place.open();
  await startFulmard(place, "spt");
  const create = `fulmar create hello ${guest} --arg Hello_Solo5 --no-add-name --tmpdir run`;
  expect(await place.run(create)).toEqual(succeeded("created unikernel"));
  const console = await place.watch("fulmar console hello --tmpdir run", /solo5_exit\(0\) called/);
  expect(console).toMatch(/Solo5: Bindings version .*Hello, World .*Command line is: 'Hello_Solo5' .*SUCCESS/);
});

test("test_blk says SUCCESS on a block device of ours", { timeout: 60_000 }, async (context) => {
  needPrograms(context, "solo5-spt");
  const guest = needGuest(context, "test_blk");
  const place = Place.open();
  await startFulmard(place, "spt");
  expect(await place.run("fulmar create-block disk 1 --tmpdir run")).toEqual(succeeded("added block device"));
  const create = `fulmar create blk ${guest} --block storage:disk --no-add-name --tmpdir run`;
  expect(await place.run(create)).toEqual(succeeded("created unikernel"));
  const console = await place.watch("fulmar console blk --tmpdir run", /solo5_exit\(\d+\) called/);
  expect(console).toMatch(/SUCCESS .*solo5_exit\(0\)/);
});

test("test_net answers on a bridge, from the MAC address that albatross would give it", {
  timeout: 60_000,
}, async (context) => {
  needPrograms(context, "solo5-spt", "ip");
  needRoot(context);
  const guest = needGuest(context, "test_net");
  if (!enterNetworkNamespace()) context.skip("no network namespace of its own can be had here");
  const links = "link add service type bridge\naddress add 10.0.0.1/24 dev service\nlink set service up\n";
  expect(spawnSync("ip", ["-batch", "-"], { input: links }).status).toBe(0);
  const place = Place.open();
  await startFulmard(place, "spt");
  const create = `fulmar create net ${guest} --net service0:service --no-add-name --tmpdir run`;
  expect(await place.run(create)).toEqual(succeeded("created unikernel"));
  const digest = createHash("md5").update("service0:net").digest("hex");
  const mac = `00:80:41:${digest.slice(0, 2)}:${digest.slice(2, 4)}:${digest.slice(4, 6)}`;
  const socket = createSocket("udp4");
  onTestFinished(() => {
    socket.close();
  });
  const neighbours = (): string => spawnSync("ip", ["neighbour"], { encoding: "utf8" }).stdout;
  await until(() => {
    socket.send("x", 9, "10.0.0.2");
    return neighbours().includes(`10.0.0.2 dev service lladdr ${mac} REACHABLE`);
  }, "10.0.0.2 answers");
  expect(await place.run("fulmar destroy net --tmpdir run")).toEqual(succeeded("destroyed unikernel"));
  expect(spawnSync("ip", ["-brief", "link", "show", "master", "service"], { encoding: "utf8" }).stdout).toBe("");
});
