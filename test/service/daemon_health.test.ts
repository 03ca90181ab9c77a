/** Creations that count only once the new unikernel has shown that it is healthy. */
import { once } from "node:events";
import { expect, vi } from "vitest";
import type { Command } from "../../src/core/command.ts";
import type { Health } from "../../src/core/health.ts";
import { until } from "./caller.ts";
import { config, create, type Place, readGuest, scriptTest } from "./lab.ts";

vi.setConfig({ testTimeout: 60_000 });

const hello = readGuest("hello.spt");
const ready = 'echo starting; case "$*" in *sick*) ;; *) echo "ready to serve";; esac; while :; do sleep 1; done';

scriptTest(
  "a replacement that does not print in time what it should gives way to the old one",
  ready,
  async (place) => {
    await place.start({ grace: 500 });
    expect(await replace(place, "old", { within: 30_000, pattern: "^ready" })).toBe("created unikernel");
    expect(await replace(place, "sick", { within: 1500, pattern: "^ready" })).toBe(
      "refused: it could not start, and the old one runs again: it was not healthy within 1500 ms",
    );
    await place.running(1);
    expect((await place.info("vm"))?.arguments).toEqual(["old"]);
    expect(await replace(place, "sick", { within: 700 })).toBe("created unikernel");
    expect(await replace(place, "new", { within: 1, pattern: "(" })).toMatch(
      /^refused: the pattern for a healthy console/,
    );
    expect((await place.info("vm"))?.arguments).toEqual(["sick"]);
  },
);

scriptTest("a first create on trial is told that its daemon ends, and is gone with it", ready, async (place) => {
  const first = await place.start();
  const command = healthy(create(hello, { arguments: ["sick"] }), { within: 200_000, pattern: "^ready" });
  const asked = place.ask("vm", command);
  await until(() => place.tenders().length === 1, "its start");
  await until(async () => (await place.info("vm"))?.started !== undefined, "its trial");
  await first.stop();
  expect(await asked).toBe("refused: the daemon is shutting down, try again once it is back");
  await place.start();
  await until(() => place.tenders().length === 0, "its end");
  expect(await place.infos()).toEqual([]);
});

scriptTest("a first create on trial is forgotten where its daemon is killed", ready, async (place) => {
  const first = await place.spawn();
  const health = { within: 200_000, pattern: "^ready" };
  const asked = place.ask("vm", healthy(create(hello, { arguments: ["sick"] }), health)).catch(() => "no answer");
  expect(await place.ask("well", healthy(create(hello), health))).toBe("created unikernel");
  await place.running(2);
  first.kill("SIGKILL");
  await once(first, "exit");
  expect(await asked).toBe("no answer");
  await place.spawn();
  await place.running(1);
  expect((await place.infos()).map(([label]) => label)).toEqual(["well"]);
});

function replace(place: Place, argument: string, health: Health): Promise<string> {
  return place.ask("vm", healthy(create(hello, { ...config, arguments: [argument] }, { replace: true }), health));
}

function healthy(command: Command, health: Health): Command {
  return command.kind === "unikernel-create" ? { ...command, health } : command;
}
