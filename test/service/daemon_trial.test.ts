/** Replacements and restarts that cannot start, with real processes. */
import { once } from "node:events";
import { expect, vi } from "vitest";
import type { Command } from "../../src/core/command.ts";
import { until } from "./caller.ts";
import { config, create, type Place, readGuest, scriptTest } from "./lab.ts";

vi.setConfig({ testTimeout: 60_000 });

const hello = readGuest("hello.spt");
/** Ends as its argument says, or not at all. */
const obedient = 'case "$*" in *exit=1) exit 1;; *exit=62) exit 62;; esac; while :; do sleep 1; done';

scriptTest(
  "force create and restart with arguments that cannot start bring the old one back, and say so",
  obedient,
  async (place) => {
    await place.start();
    await place.ask("vm", create(hello, { arguments: ["old"] }));
    const { typ: _, ...settings } = { ...config, arguments: ["exit=62"] };
    const attempts: readonly (readonly [Command, string])[] = [
      [create(hello, { arguments: ["exit=1"] }, { replace: true }), "it ended at once, with status 1"],
      [{ kind: "unikernel-restart", settings }, "it ended at once, with status 62"],
    ];
    for (const [command, reason] of attempts) {
      expect(await place.ask("vm", command)).toBe(`refused: it could not start, and the old one runs again: ${reason}`);
      await place.running(1);
      expect((await place.info("vm"))?.arguments).toEqual(["old"]);
      expect(place.commands()[0]).toContain(" old");
      expect(place.images()).toHaveLength(1);
    }
  },
);

scriptTest("a restart that cannot start is tried again until it can", obedient, async (place) => {
  await place.start({ trial: patience });
  await place.ask("vm", create(hello));
  place.script("exit 1");
  expect(await place.ask("vm", { kind: "unikernel-restart" })).toBe(
    "refused: it could not start, and is tried again: it ended at once, with status 1",
  );
  await (await place.listen("vm")).line(/started again in 2 s/);
  place.script(obedient);
  await place.running(1);
});

scriptTest(
  "kill -9 in the middle of a replacement leaves the old one, unless the new one was acknowledged",
  obedient,
  async (place) => {
    const first = await place.spawn();
    await place.ask("vm", create(hello, { arguments: ["old"] }));
    await place.running(1);
    const asked = place.ask("vm", create(hello, { arguments: ["new"] }, { replace: true })).catch(() => "nothing");
    await until(() => runs(place, "new"), "the new one");
    const ended = once(first, "exit");
    first.kill("SIGKILL");
    await ended;
    const meant = (await asked) === "created unikernel" ? "new" : "old";
    await place.spawn();
    await until(() => runs(place, meant) && place.commands().length === 1, `the ${meant} one alone`);
    expect((await place.info("vm"))?.arguments).toEqual([meant]);
  },
);

/** Milliseconds in which a busy machine runs a script to its end. */
const patience = 10_000;

function runs(place: Place, argument: string): boolean {
  return place.commands().some((words) => words.includes(` ${argument}`));
}
