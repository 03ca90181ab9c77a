import { readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { expect, vi } from "vitest";
import type { Policy } from "../../src/core/policy.ts";
import { openStore } from "../../src/host/store.ts";
import { describeHostError } from "../../src/service/host_describe.ts";
import { startDaemon } from "../../src/service/start.ts";
import { expectError, expectOk } from "../host/folder.ts";
import { until } from "./caller.ts";
import { config, create, destroy, guestTest, type Place, readGuest, scriptTest } from "./lab.ts";

vi.setConfig({ testTimeout: 60_000 });

const alice: Policy = { unikernels: 3, cpuids: config.cpuids, memory: 100, block: 5, bridges: [] };
const hello = readGuest("hello.spt");
const long = "while :; do sleep 1; done";

guestTest("reference bug 14: what ran runs again after the daemon, with the same settings", async (place) => {
  const image = readGuest(`hello.${place.tender}`);
  const first = await place.start();
  const settings = { arguments: ["after=600", "secret=1"], memory: 24, startup: 7 };
  await place.ask("alice:vm", create(image, settings));
  const before = await place.info("alice:vm");
  await first.stop("stop");
  expect(place.leftovers()).toEqual([]);
  const second = await place.start();
  await place.running(1);
  const { started: _, ...after } = (await place.info("alice:vm")) ?? {};
  expect(before).toMatchObject(after);
  await (await place.listen("alice:vm")).line("arguments: --name=vm after=600 secret=1");
  await second.stop("stop");
  expect(place.leftovers()).toEqual([]);
});

scriptTest("unikernels start again in the order of their startup, policies stay", long, async (place) => {
  const first = await place.start();
  expect(await place.ask("alice:", { kind: "policy-add", policy: alice })).toBe("added policy");
  expect(await place.ask("bob:", { kind: "policy-add", policy: alice })).toBe("added policy");
  expect(await place.ask("bob:", { kind: "policy-remove" })).toBe("removed policy");
  for (const [label, startup] of [
    ["last", 90],
    ["usual", undefined],
    ["early", 10],
    ["first", 0],
  ] as const) {
    const command = create(hello, { memory: 16, ...(startup === undefined ? {} : { startup }) });
    expect(await place.ask(label, command)).toBe("created unikernel");
  }
  await first.stop("stop");
  await place.start();
  const labels = (): readonly unknown[] => place.commands().map((words) => / --name=(\S+)/.exec(words)?.[1]);
  await place.running(4);
  expect(labels()).toEqual(["first", "early", "usual", "last"]);
  expect((await place.policies()).slice(1)).toEqual([["alice", alice]]);
});

scriptTest("reference bug 16: a destroyed unikernel and a refused one do not come back", long, async (place) => {
  const first = await place.start();
  await place.ask("kept", create(hello));
  await place.ask("gone", create(hello));
  await place.ask("gone", destroy);
  await place.ask("kept", create(hello, { bridges: [{ netif: "service" }] }, { replace: true }));
  await first.stop("stop");
  expect(await stored(place)).toEqual([":kept"]);
  await place.start();
  await place.running(1);
  expect((await place.infos()).map(([label]) => label)).toEqual(["kept"]);
});

scriptTest(
  "reference bug 16: a unikernel that cannot start with the daemon loses nothing, and starts once it can",
  long,
  async (place) => {
    const first = await place.start();
    await place.ask("vm", create(hello));
    await first.stop("stop");
    const script = join(place.dbdir, "solo5-spt");
    renameSync(script, `${script}.away`);
    const second = await place.start({ tenders: ["hvt"] });
    await until(() => place.log.includes("tender-not-offered"), "a refusal");
    expect(await place.ask("vm", create(hello))).toMatch(/vm exists already/);
    await second.stop("stop");
    renameSync(`${script}.away`, script);
    await place.start();
    await place.running(1);
  },
);

scriptTest("reference bug 14: after kill -9 the next daemon has the same guests, each once", long, async (place) => {
  const first = await place.spawn();
  await place.ask("alice:vm", create(hello));
  await place.ask("alice:gone", create(hello));
  await place.running(2);
  const tenders = place.tenders();
  first.kill("SIGKILL");
  await new Promise((resolve) => first.once("exit", resolve));
  const second = await place.spawn();
  await place.running(2);
  expect(place.tenders()).toEqual(tenders);
  await place.ask("alice:gone", destroy);
  expect(readdirSync(join(place.tmpdir, "fifo"))).toEqual(["alice:vm"]);
  second.kill("SIGUSR2");
  await new Promise((resolve) => second.once("exit", resolve));
  expect(second.exitCode).toBe(0);
  expect(place.leftovers()).toEqual([]);
});

scriptTest("a second daemon is refused, and the first one's guests live on", long, async (place) => {
  const daemon = await place.start();
  await place.ask("vm", create(hello));
  const tenders = place.tenders();
  const sameStore = place.options({ tmpdir: join(place.folder, "other") });
  expect(expectError(await startDaemon(sameStore))).toMatchObject({
    step: "opening the store",
    error: { kind: "store-locked", pid: process.pid },
  });
  const sameSockets = place.options({ dbdir: join(place.folder, "other") });
  expect(expectError(await startDaemon(sameSockets))).toMatchObject({ error: { kind: "socket-in-use" } });
  expect(place.tenders()).toEqual(tenders);
  expect((await place.info("vm"))?.started).toBeDefined();
  await daemon.stop("stop");
  await expectOk(await startDaemon(sameSockets)).stop("stop");
});

scriptTest("a daemon that is stopped while guests start leaves none", long, async (place) => {
  const first = await place.start();
  const labels = ["a", "b", "c", "d"];
  await Promise.all(labels.map((label) => place.ask(label, create(hello, { memory: 16 }))));
  await first.stop("stop");
  for (const delay of [0, 20, 40, 80, 160]) {
    const daemon = await place.start();
    await new Promise((resolve) => setTimeout(resolve, delay));
    await daemon.stop("stop");
    expect(place.leftovers()).toEqual([]);
  }
  expect(await stored(place)).toEqual(labels.map((label) => `:${label}`));
});

/** Names in the store of a daemon that has stopped. */
async function stored({ dbdir }: Place): Promise<readonly string[]> {
  const store = expectOk(await openStore(dbdir));
  const keys = store.load("unikernel").map(({ key }) => key);
  await store.close();
  return keys.sort();
}

scriptTest("a folder that there cannot be ends the daemon with its reason", "exit 1", async (place) => {
  for (const option of ["dbdir", "tmpdir"] as const) {
    for (const folder of ["/proc/x", "/proc/x/y"]) {
      const { error } = expectError(await startDaemon(place.options({ [option]: folder })));
      expect(error).toMatchObject({ path: expect.stringContaining(folder), code: "ENOENT" });
      expect(describeHostError(error)).toMatch(/\/proc\/x.*: there is no such file$/);
    }
  }
});
