import { expect, vi } from "vitest";
import type { Command, Level } from "../../src/core/command.ts";
import { told } from "./caller.ts";
import { level, type Place, scriptTest } from "./lab.ts";

vi.setConfig({ testTimeout: 60_000 });

const long = "while :; do sleep 1; done";
const alice = level("alice", { block: 10 });

const firstBob = level("bob", { block: 10 });

/** Bob's certificate, of so many seconds after the first. */
const bob = (seconds: number): Level => ({ ...firstBob, notBefore: firstBob.notBefore + seconds * 1000 });
const disk: Command = { kind: "block-add", size: 1, form: "current" };

async function ask(place: Place, levels: readonly Level[], label: string, command: Command): Promise<string> {
  const caller = await place.call("chain");
  caller.ask(levels, label, command);
  return told(await caller.next());
}

scriptTest(
  "remove-policy brings no older certificate's policy back, nor does a restart behind it",
  long,
  async (place) => {
    const first = await place.start();
    expect(await ask(place, [alice, bob(150)], "one", disk)).toBe("added block device");
    expect(await place.ask("alice:bob:", { kind: "policy-remove" })).toBe("removed policy");
    const outdated = /policy of alice:bob in this certificate is out of date, 150 seconds older/;
    expect(await ask(place, [alice, bob(0)], "two", disk)).toMatch(outdated);
    await first.stop();
    await place.start();
    expect(await ask(place, [alice, bob(0)], "two", disk)).toMatch(outdated);
    expect(await ask(place, [alice, bob(0)], "", { kind: "block-info" })).toBe("success");
    expect(await ask(place, [alice, bob(150)], "two", disk)).toBe("added block device");
  },
);
