/** Creations that count only once the new unikernel has shown that it is healthy. */
import { expect, vi } from "vitest";
import type { Health } from "../../src/core/health.ts";
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

function replace(place: Place, argument: string, health: Health): Promise<string> {
  const command = create(hello, { ...config, arguments: [argument] }, { replace: true });
  return place.ask("vm", { ...command, health } as typeof command);
}
