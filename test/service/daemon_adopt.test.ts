/** Guests that outlive their daemon, by kill -9 and by SIGTERM, and the next daemon's dealings with them. */
import { type ChildProcess, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, vi } from "vitest";
import { openStore } from "../../src/host/store.ts";
import { expectOk, isRoot } from "../host/folder.ts";
import { until } from "./caller.ts";
import { create, destroy, guestTest, type Place, readGuest, scriptTest } from "./lab.ts";

vi.setConfig({ testTimeout: 60_000 });

const hello = readGuest("hello.spt");
const long = "while :; do sleep 1; done";
const again = { failBehaviour: { kind: "restart", codes: [] } } as const;
/** Prints a number now and then, and ends with its last argument's status once there is a file of its name. */
/** It ends when a file appears where it may look. */
const counting = `for last; do :; done
at=$(dirname "$0")/images/end; n=0
while :; do n=$((n+1)); echo "line $n"; [ -e "$at" ] && exit "\${last#status=}"; sleep 0.1; done`;

for (const signal of ["SIGKILL", "SIGTERM"] as const) {
  scriptTest(`guests run on through ${signal}, and the next daemon has them as they were`, counting, async (place) => {
    const first = await place.spawn();
    await place.ask("alice:vm", create(hello));
    await place.ask("other", create(hello, again));
    await place.running(2);
    const [before, tenders] = [await place.infos(), place.tenders()];
    await end(first, signal);
    expect(place.tenders()).toEqual(tenders);
    await new Promise((done) => setTimeout(done, 500));
    await place.spawn();
    expect(await place.infos()).toEqual(before);
    expect(place.tenders()).toEqual(tenders);
    const caller = await place.listen("alice:vm");
    await until(() => caller.lines().length > 8, "the console goes on");
    const numbers = caller.lines().map((line) => Number(line.replace("line ", "")));
    expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] ?? 0) + index));
    expect(await place.ask("alice:vm", { kind: "unikernel-restart" })).toBe("created unikernel");
    expect(await place.ask("alice:vm", destroy)).toBe("destroyed unikernel");
    expect(await place.ask("other", destroy)).toBe("destroyed unikernel");
    expect([place.tenders(), place.images(), readdirSync(join(place.tmpdir, "guest"))]).toEqual([[], [], []]);
  });
}

guestTest("a real guest is adopted, and prints and ends for the next daemon", async (place) => {
  const first = await place.spawn();
  await place.ask("vm", create(readGuest(`hello.${place.tender}`), { arguments: ["after=600"] }));
  await (await place.listen("vm")).line(/arguments: --name=vm after=600/);
  const [before, tenders] = [await place.infos(), place.tenders()];
  await end(first, "SIGKILL");
  await place.spawn();
  expect([await place.infos(), place.tenders()]).toEqual([before, tenders]);
  expect(await place.ask("vm", destroy)).toBe("destroyed unikernel");
  expect(place.tenders()).toEqual([]);
});

scriptTest("ends that no daemon saw are dealt with by the next one, as any end", counting, async (place) => {
  const first = await place.spawn();
  await place.ask("quits", create(hello, { arguments: ["status=3"] }));
  await place.ask("restarts", create(hello, { ...again, arguments: ["status=3"] }));
  await place.ask("refuses", create(hello, { ...again, arguments: ["status=62"] }));
  await place.running(3);
  await trialTime();
  await end(first, "SIGKILL");
  writeFileSync(join(place.dbdir, "images", "end"), "");
  await until(() => place.tenders().length === 0, "the ends");
  place.script(long);
  await place.spawn();
  await place.running(1);
  expect((await place.infos()).map(([label]) => label)).toEqual(["restarts"]);
  expect(place.log).toContain('"status":{"kind":"exited","code":62}');
  expect(place.log.match(/"delay":1000/g)).toHaveLength(1);
});

scriptTest(
  "a guest is ended that the store knows nothing of, and one started anew that was told to end",
  long,
  async (place) => {
    const first = await place.spawn();
    for (const label of ["gone", "told", "stays"]) await place.ask(label, create(hello));
    await place.running(3);
    const [gone, told, stays] = place.tenders();
    await end(first, "SIGKILL");
    writeFileSync(join(place.tmpdir, "guest", ":told.stop"), "");
    const store = expectOk(await openStore(place.dbdir));
    expectOk(await store.commit([{ table: "unikernel", key: ":gone" }]));
    await store.close();
    await place.spawn();
    await until(() => !place.tenders().some((pid) => pid === gone || pid === told), "the ends of two");
    await place.running(2);
    expect(place.tenders()).toContain(stays);
    expect((await place.infos()).map(([label]) => label).toSorted()).toEqual(["stays", "told"]);
  },
);

scriptTest(
  "a block device stays its guest's through kill -9, and is the daemon's again when that ended unseen",
  long,
  async (place) => {
    const image = readGuest("hello_block.spt");
    const first = await place.spawn();
    for (const label of ["a", "b"]) {
      expect(await place.ask(label, { kind: "block-add", size: 1, form: "current" })).toBe("added block device");
      const given = create(image, { blocks: [{ name: "storage", device: label }] });
      expect(await place.ask(`vm-${label}`, given)).toBe("created unikernel");
    }
    await place.running(2);
    await trialTime();
    const owner = (label: string): number => statSync(join(place.dbdir, "block", `:${label}`)).uid;
    const before = owner("a");
    await end(first, "SIGKILL");
    const [, ended = 0] = place.tenders();
    process.kill(ended, "SIGKILL");
    await until(() => place.tenders().length === 1, "the end of one");
    await place.spawn();
    await place.running(1);
    if (isRoot) expect(before).not.toBe(process.geteuid?.());
    expect([owner("a"), owner("b")]).toEqual([before, process.geteuid?.()]);
    const devices = (await place.blocks()).map(([label, { active }]) => [label, active]);
    expect(Object.fromEntries(devices)).toEqual({ ":a": true, ":b": false });
    if (isRoot) {
      expect(await place.ask("vm-b", create(image, { blocks: [{ name: "storage", device: "b" }] }))).toBe(
        "created unikernel",
      );
      expect(owner("b")).not.toBe(owner("a"));
    }
  },
);

scriptTest(
  "fulmard --stop-guests ends all guests, with a daemon and without, and keeps what is stored",
  long,
  async (place) => {
    const first = await place.spawn();
    for (const label of ["a", "b"]) await place.ask(label, create(hello));
    await place.running(2);
    const ended = once(first, "exit");
    expect(stopGuests(place)).toMatchObject({ status: 0, stderr: "" });
    expect([await ended, place.leftovers()]).toEqual([[0, null], []]);
    const second = await place.spawn();
    await place.running(2);
    await end(second, "SIGTERM");
    expect(place.tenders()).toHaveLength(2);
    expect(stopGuests(place)).toMatchObject({ status: 0, stderr: "" });
    expect(place.leftovers()).toEqual([]);
    await place.spawn();
    await place.running(2);
  },
);

scriptTest(
  "a daemon that is told to end finishes what it is stopping, and adopts the rest",
  "trap '' TERM; while :; do sleep 0.1; done",
  async (place) => {
    const first = await place.start({ grace: 1000 });
    for (const label of ["stays", "goes"]) await place.ask(label, create(hello));
    await place.running(2);
    const [stays] = place.tenders();
    const destroyed = place.ask("goes", destroy);
    await until(() => readdirSync(join(place.tmpdir, "guest")).includes(":goes.stop"), "the stop");
    await first.stop();
    expect(await destroyed).toBe("destroyed unikernel");
    expect(place.tenders()).toEqual([stays]);
    await place.start();
    expect([(await place.infos()).map(([label]) => label), place.tenders()]).toEqual([["stays"], [stays]]);
  },
);

/** An end before this counts as a start that failed. */
function trialTime(): Promise<void> {
  return new Promise((done) => setTimeout(done, 700));
}

async function end(daemon: ChildProcess, signal: "SIGKILL" | "SIGTERM"): Promise<void> {
  const ended = once(daemon, "exit");
  daemon.kill(signal);
  await ended;
}

function stopGuests({ dbdir, tmpdir }: Place): { readonly status: number | null; readonly stderr: string } {
  const fulmard = join(import.meta.dirname, "../../dist/bin/fulmard.js");
  const words = ["--stop-guests", "--dbdir", dbdir, "--tmpdir", tmpdir, "--grace", "5"];
  return spawnSync(process.execPath, [fulmard, ...words], { encoding: "utf8" });
}
