import { expect, vi } from "vitest";
import { decodeUnikernel } from "../../src/codec/record.ts";
import { openStore } from "../../src/host/store.ts";
import { expectOk } from "../host/folder.ts";
import { until } from "./caller.ts";
import { create, destroy, type Place, readGuest, scriptTest } from "./lab.ts";

vi.setConfig({ testTimeout: 30_000 });

/** Below a scripted tender any image does. */
const hello = readGuest("hello.spt");
const again = { kind: "restart", codes: [] } as const;

scriptTest(
  "reference bug 12: a guest that does nothing at SIGTERM is killed after the grace",
  "trap : TERM; echo ready; while :; do sleep 1; done",
  async (place) => {
    const daemon = await place.start({ grace: 400 });
    await place.ask("vm", create(hello));
    await (await place.listen("vm")).line("ready");
    const begin = performance.now();
    expect(await place.ask("vm", destroy)).toBe("destroyed unikernel");
    expect(performance.now() - begin).toBeGreaterThanOrEqual(400);
    expect(place.tenders()).toEqual([]);
    await place.ask("vm", create(hello));
    await daemon.stop("stop");
    expect(place.leftovers()).toEqual([]);
  },
);

scriptTest("reference bug 10: a unikernel that ends starts again after 1, 2 and 4 s", "exit 3", async (place) => {
  await place.start();
  const caller = await place.listen("vm");
  await place.ask("vm", create(hello, { failBehaviour: again }));
  await caller.line(/started again in 4 s/);
  expect(caller.lines()).toEqual([
    "fulmar: ended with status 3, started again in 1 s (end 1 in a row)",
    "fulmar: ended with status 3, started again in 2 s (end 2 in a row)",
    "fulmar: ended with status 3, started again in 4 s (end 3 in a row)",
  ]);
  const times = caller.times();
  expect((times[2] ?? 0) - (times[1] ?? 0)).toBeGreaterThanOrEqual(2000);
  const begin = performance.now();
  expect(await place.ask("vm", destroy)).toBe("destroyed: removed from restarting");
  expect(performance.now() - begin).toBeLessThan(1000);
  expect([await place.infos(), place.images()]).toEqual([[], []]);
});

scriptTest("a unikernel that waits for its restart can be restarted and replaced at once", "exit 3", async (place) => {
  await place.start();
  await place.ask("vm", create(hello, { failBehaviour: again }));
  const caller = await place.listen("vm");
  await caller.line(/started again in 1 s/);
  place.script("while :; do sleep 1; done");
  expect(await place.ask("vm", { kind: "unikernel-restart" })).toBe("created unikernel");
  await place.running(1);
  place.script("exit 3");
  await place.ask("vm", { kind: "unikernel-restart" });
  await until(() => caller.lines().filter((line) => line.includes("again in 1 s")).length === 2, "its end");
  place.script("while :; do sleep 1; done");
  expect(await place.ask("vm", create(hello, {}, { replace: true }))).toBe("created unikernel");
  await place.running(1);
});

scriptTest(
  "some ends are not followed by a restart",
  "for word; do case $word in exit=*) exit $(echo $word | cut -c6-);; wait) sleep 60;; esac; done",
  async (place) => {
    await place.start();
    const ends = [
      ["quit", { failBehaviour: { kind: "quit" }, arguments: ["exit=3"] }, false],
      ["other", { failBehaviour: { kind: "restart", codes: [4, 5] }, arguments: ["exit=3"] }, false],
      ["listed", { failBehaviour: { kind: "restart", codes: [3, 5] }, arguments: ["exit=3"] }, true],
      ["well", { failBehaviour: again, arguments: ["exit=0"] }, true],
      ["refused", { failBehaviour: { kind: "restart", codes: [1] }, arguments: ["exit=1"] }, false],
      ["argument", { failBehaviour: { kind: "restart", codes: [62] }, arguments: ["exit=62"] }, false],
      ["signal", { failBehaviour: again, arguments: ["wait"] }, false],
    ] as const;
    for (const [label, settings] of ends) {
      expect(await place.ask(label, create(hello, { memory: 16, ...settings }))).toBe("created unikernel");
      if (label === "signal") for (const pid of place.tenders()) process.kill(pid, "SIGKILL");
      await (await place.listen(label)).line(/^fulmar: ended/);
    }
    const left = (await place.infos()).map(([label]) => label);
    expect(left.toSorted()).toEqual(ends.flatMap(([label, , stays]) => (stays ? [label] : [])).sort());
  },
);

scriptTest(
  "a unikernel that does not know --name is started once more without, and that is stored",
  'echo "$*"; case "$*" in *--name=*) exit 64;; esac; while :; do sleep 1; done',
  async (place) => {
    const first = await place.start();
    await place.ask("vm", create(hello, { arguments: ["a", "b"] }));
    const caller = await place.listen("vm");
    await until(() => caller.lines().length === 2, "two starts");
    expect(caller.lines().map((line) => line.replace(/.*images\/\S+ /, ""))).toEqual(["--name=vm a b", "a b"]);
    await place.running(1);
    await first.stop("stop");
    expect(await storedNames(place)).toEqual([false]);
    await place.start();
    await place.running(1);
    const later = await place.listen("vm");
    await later.line(/ a b$/);
    expect(later.lines().join()).not.toContain("--name");
  },
);

scriptTest("a unikernel that ends with 64 without --name too is gone", "echo run; exit 64", async (place) => {
  await place.start();
  await place.ask("vm", create(hello, { failBehaviour: again }));
  const caller = await place.listen("vm");
  await caller.line(/^fulmar: ended with status 64$/);
  expect(caller.lines().filter((line) => line === "run")).toHaveLength(2);
  expect([await place.infos(), place.images()]).toEqual([[], []]);
});

/** Whether the stored unikernels are to be told their names. */
async function storedNames({ dbdir }: Place): Promise<readonly boolean[]> {
  const store = expectOk(await openStore(dbdir));
  const names = store.load("unikernel").map(({ value }) => expectOk(decodeUnikernel(value)).config.addName);
  await store.close();
  return names;
}
