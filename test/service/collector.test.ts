import { expect, vi } from "vitest";
import type { Wire } from "../../src/codec/wire.ts";
import { printName } from "../../src/core/name.ts";
import { type Caller, told, until } from "./caller.ts";
import { create, destroy, type Place, readGuest, scriptTest } from "./lab.ts";

vi.setConfig({ testTimeout: 60_000 });

const hello = readGuest("hello.spt");
const long = "while :; do sleep 1; done";

/** Registers as albatross-stats does. */
async function register(place: Place): Promise<Caller> {
  const caller = await place.call("vmmd");
  caller.say(":", { kind: "command", command: { kind: "stats-initial" } });
  expect(await caller.next()).toMatchObject({
    header: { version: 5, sequence: 7n, name: { path: [] } },
    payload: { kind: "success", success: { kind: "empty" } },
  });
  return caller;
}

/** What it is told, which it then acknowledges as albatross-stats does. */
async function obey(caller: Caller, change: Partial<Wire["header"]> = {}): Promise<readonly [bigint, string, unknown]> {
  const { header, payload } = await caller.next();
  if (payload.kind !== "command") throw new Error(JSON.stringify(payload.kind));
  const text = payload.command.kind === "stats-add" ? "added" : "removed";
  caller.answer({ ...header, ...change }, { kind: "success", success: { kind: "string", text } });
  return [header.sequence, printName(header.name), payload.command];
}

scriptTest(
  "a collector is told of all guests, of those to come and of those that go, one at a time",
  long,
  async (place) => {
    await place.start();
    for (const target of ["alice:a", "b"]) await place.ask(target, create(hello, { memory: 16 }));
    await place.running(2);
    const [a = 0, b = 0] = place.tenders();
    const caller = await register(place);
    const add = { kind: "stats-add", vmmdev: "", network: [] };
    await until(() => caller.wires.length > 1, "the first");
    await place.ask("c", create(hello, { memory: 16 }));
    await place.running(3);
    expect(caller.wires).toHaveLength(2);
    expect(await obey(caller)).toEqual([1n, "alice:a", { ...add, pid: a }]);
    expect(await obey(caller)).toEqual([2n, ":b", { ...add, pid: b }]);
    expect(await obey(caller)).toEqual([
      3n,
      ":c",
      { ...add, pid: place.tenders().find((pid) => pid !== a && pid !== b) },
    ]);
    await place.ask("b", destroy);
    expect(await obey(caller)).toEqual([4n, ":b", { kind: "stats-remove" }]);
    await place.ask("c", { kind: "unikernel-restart" });
    expect(await obey(caller)).toEqual([5n, ":c", { kind: "stats-remove" }]);
    expect(await obey(caller)).toMatchObject([6n, ":c", add]);
  },
);

scriptTest(
  "a collector that answers otherwise is sent away, a new one takes an old one's place",
  long,
  async (place) => {
    await place.start();
    await place.ask("a", create(hello, { memory: 16 }));
    const wrong = await register(place);
    await obey(wrong, { sequence: 9n });
    await wrong.closed;
    const first = await register(place);
    const second = await register(place);
    await first.closed;
    expect(await obey(second)).toMatchObject([1n, ":a", { kind: "stats-add" }]);
    second.answer({ version: 5, sequence: 1n, name: { path: [] } }, { kind: "success", success: { kind: "empty" } });
    await second.closed;
    const caller = await place.call("vmmd");
    caller.say(":", { kind: "command", command: { kind: "policy-info" } });
    expect(told(await caller.next())).toBe("success");
  },
);
