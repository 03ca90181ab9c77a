/** A guest that not even SIGKILL ends: one that a freezer of the first version of cgroups holds. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { until } from "./caller.ts";
import { create, destroy, openScripted, type Place, readGuest } from "./lab.ts";

vi.setConfig({ testTimeout: 60_000 });

const hello = readGuest("hello.spt");

/** Where the kernel shows the freezer, where it has one that we may use. */
function findFreezer(): string | undefined {
  const mounts = readFileSync("/proc/mounts", "latin1").split("\n");
  const line = mounts.find((mount) => / cgroup \S*\bfreezer\b/.test(mount));
  const path = line?.split(" ")[1];
  return path !== undefined && process.geteuid?.() === 0 && existsSync(join(path, "tasks")) ? path : undefined;
}

/** Freezes a process. @returns what lets it go on */
function freeze(freezer: string, pid: number): () => void {
  const group = join(freezer, `fulmar-test-${process.pid}-${pid}`);
  const say = (state: string): void => writeFileSync(join(group, "freezer.state"), state);
  mkdirSync(group);
  onTestFinished(() => {
    say("THAWED");
    for (let tries = 0; existsSync(group) && tries < 1000; tries++) {
      try {
        rmdirSync(group);
      } catch {
        // The process in it is still there.
      }
    }
  });
  writeFileSync(join(group, "cgroup.procs"), String(pid));
  say("FROZEN");
  return () => say("THAWED");
}

async function phaseOf(place: Place, target: string): Promise<string | undefined> {
  const caller = await place.call("vmmd");
  caller.say(target, { kind: "command", command: { kind: "status" } });
  const { payload } = await caller.next();
  const statuses = payload.kind === "success" && payload.success.kind === "statuses" ? payload.success.unikernels : [];
  return statuses[0]?.value.phase;
}

test("a guest that the kernel does not let go of keeps nobody waiting, and is destroyed once it does", async ({
  skip,
}) => {
  const freezer = findFreezer();
  if (freezer === undefined) return skip("no cgroup freezer of the first version is here, or we may not use it");
  const place = openScripted("while :; do sleep 1; done");
  await place.start({ grace: 100 });
  expect(await place.ask("stuck", create(hello))).toBe("created unikernel");
  await place.running(1);
  const [pid = 0] = place.tenders();
  const thaw = freeze(freezer, pid);

  const destroyed = place.ask("stuck", destroy);
  expect(await place.ask("other", create(hello))).toBe("created unikernel");
  expect(await destroyed).toMatch(/^refused: unikernel :stuck did not end, not even when it was killed/);
  expect(await phaseOf(place, "stuck")).toBe("unkillable");
  expect(await place.ask("stuck", create(hello))).toMatch(/^refused: /);
  expect(await place.ask("other", destroy)).toBe("destroyed unikernel");
  expect(place.tenders()).toEqual([pid]);

  thaw();
  await until(async () => (await place.infos()).length === 0, "the unikernel is gone");
  expect(place.tenders()).toEqual([]);
  await until(() => place.images().length === 0, "its image is gone");
  expect(await place.ask("stuck", create(hello))).toBe("created unikernel");
});

test("a daemon that is told to end does not wait for such a guest, and the next one has it", async ({ skip }) => {
  const freezer = findFreezer();
  if (freezer === undefined) return skip("no cgroup freezer of the first version is here, or we may not use it");
  const place = openScripted("while :; do sleep 1; done");
  const daemon = await place.start({ grace: 100 });
  expect(await place.ask("stuck", create(hello))).toBe("created unikernel");
  await place.running(1);
  const [pid = 0] = place.tenders();
  const thaw = freeze(freezer, pid);
  expect(await place.ask("stuck", destroy)).toMatch(/^refused: /);
  await daemon.stop();

  await place.start({ grace: 100 });
  expect((await place.infos()).map(([label]) => label)).toEqual(["stuck"]);
  thaw();
  await until(() => !place.tenders().includes(pid), "the guest has ended");
  await place.running(1);
});
