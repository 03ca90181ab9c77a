import { expect, test, vi } from "vitest";
import type { Command } from "../../src/core/command.ts";
import { printName } from "../../src/core/name.ts";
import type { Statistics } from "../../src/core/statistics.ts";
import { type Caller, told, until } from "./caller.ts";
import { create, destroy, guestTest, level, Place, readGuest, scriptTest } from "./lab.ts";

vi.setConfig({ testTimeout: 60_000 });

const often = { interval: 40 };
const hello = readGuest("hello.spt");
const long = "while :; do sleep 1; done";
const subscription: Command = { kind: "stats-subscribe" };
const removal: Command = { kind: "stats-remove" };
const adding = (pid: number, changes: Partial<Extract<Command, { kind: "stats-add" }>> = {}): Command => ({
  ...{ kind: "stats-add", vmmdev: "", pid, network: [] },
  ...changes,
});

/** The measurements that came so far: sequence, name, content. */
function measured(caller: Caller): readonly (readonly [bigint, string, Statistics])[] {
  return caller.wires.flatMap(({ header, payload }) =>
    payload.kind === "data" && payload.data.kind === "statistics"
      ? [[header.sequence, printName(header.name), payload.data.statistics] as const]
      : [],
  );
}

function names(caller: Caller): ReadonlySet<string> {
  return new Set(measured(caller).map(([, name]) => name));
}

async function subscribe(place: Place, target: string): Promise<Caller> {
  const caller = await place.call("stat");
  caller.say(target, { kind: "command", command: subscription });
  expect(told(await caller.next())).toBe("subscribed");
  return caller;
}

async function say(caller: Caller, target: string, command: Command): Promise<string> {
  const before = caller.wires.length;
  caller.say(target, { kind: "command", command });
  const answers = (): readonly string[] =>
    caller.wires.slice(before).flatMap((wire) => (wire.payload.kind === "data" ? [] : [told(wire)]));
  await until(() => answers().length > 0, "an answer");
  return answers()[0] ?? "";
}

guestTest("a subscriber is told what a guest uses, until it is gone", async (place) => {
  await place.start(often);
  await place.ask("alice:vm", create(readGuest(`hello.${place.tender}`), { arguments: ["after=600"] }));
  const caller = await subscribe(place, "alice:vm");
  await until(() => measured(caller).length >= 3, "measurements");
  const [sequence, name, statistics] = measured(caller)[2] ?? [];
  const { memory } = statistics ?? {};
  expect([sequence, name, statistics?.interfaces, statistics?.vmm]).toEqual([0n, ":vm", [], undefined]);
  expect(statistics?.rusage.maxrss).toBeGreaterThan(0n);
  expect(memory?.vsize).toBeGreaterThan(16n * 1024n * 1024n);
  const started = Number(memory?.start.seconds) * 1000;
  expect(Math.abs(((await place.info("alice:vm"))?.started ?? 0) - started)).toBeLessThan(5000);
  await place.ask("alice:vm", destroy);
  const count = measured(caller).length;
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(measured(caller).length).toBeLessThanOrEqual(count + 1);
});

scriptTest(
  "a subscription covers its name, a path's all below it; names come as seen from its path",
  long,
  async (place) => {
    await place.start(often);
    for (const target of ["vm", "alice:vm", "alice:bob:b1", "alice:bob"])
      await place.ask(target, create(hello, { memory: 16 }));
    const listeners = await Promise.all(
      [":", "alice:", "alice:bob:", "alice:bob:b1", "alice:bob", "eve:"].map((target) => subscribe(place, target)),
    );
    await until(() => listeners.slice(0, 5).every((caller) => measured(caller).length > 8), "measurements");
    expect(listeners.map(names)).toEqual(
      [[":vm", "alice:bob", "alice:bob:b1", "alice:vm"], [":bob", ":vm", "bob:b1"], [":b1"], [":b1"], [":bob"], []].map(
        (all) => new Set(all),
      ),
    );
  },
);

scriptTest(
  "stat.sock takes many commands, several subscribers of a name, and watches processes on request",
  long,
  async (place) => {
    await place.start(often);
    const [one, two] = [await subscribe(place, "dev:"), await subscribe(place, "dev:")];
    const admin = await place.call("stat");
    expect(
      await say(
        admin,
        "dev:me",
        adding(process.pid, {
          network: [
            { bridge: "loop", tap: "lo" },
            { bridge: "x", tap: "none" },
          ],
        }),
      ),
    ).toBe("added");
    await until(() => [one, two].every((caller) => names(caller).has(":me")), "measurements");
    expect(measured(one)[0]?.[2].interfaces.map(({ bridge }) => bridge)).toEqual(["loop"]);
    expect(await say(one, "other:", subscription)).toBe("subscribed");
    expect(await say(one, "dev:", subscription)).toBe("subscribed");
    expect(await say(admin, "other:me", adding(process.pid))).toBe("added");
    await until(() => measured(one).filter(([, name]) => name === ":me").length > 20, "both");
    expect(await say(admin, "dev:me", removal)).toBe("removed");
    expect(await say(admin, "dev:me", removal)).toBe("removed");
    const count = measured(two).length;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(measured(two).length).toBeLessThanOrEqual(count + 1);
    expect(await say(admin, "dev:ghost", adding(2 ** 22 + 1))).toBe("refused: there is no process 4194305");
    await admin.closed;
  },
);

test.for([
  [{ kind: "stats-initial" }, /statistics$/],
  [{ kind: "policy-info" }, /statistics$/],
  [{ kind: "console-list-inactive" }, /statistics$/],
] as const)("stat.sock refuses %j and closes", async ([command, reason]) => {
  const place = new Place("spt");
  await place.start();
  const caller = await place.call("stat");
  expect(await say(caller, ":", command)).toMatch(reason);
  await caller.closed;
});

scriptTest(
  "a restarted guest is measured as the new process, one that ended itself not at all",
  "sleep 0.5; exit 0",
  async (place) => {
    await place.start(often);
    const caller = await subscribe(place, ":");
    await place.ask("vm", create(hello, { memory: 16, failBehaviour: { kind: "restart", codes: [] } }));
    await place.ask("once", create(hello, { memory: 16 }));
    const starts = (): number =>
      new Set(
        measured(caller).flatMap(([, name, { memory }]) =>
          name === ":vm" ? [`${memory?.start.seconds}.${memory?.start.microseconds}`] : [],
        ),
      ).size;
    await until(() => starts() >= 2, "a second life");
    const count = measured(caller).filter(([, name]) => name === ":once").length;
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(measured(caller).filter(([, name]) => name === ":once").length).toBe(count);
  },
);

scriptTest("a subscriber that does not read is dropped, the others hear on", long, async (place) => {
  await place.start(often);
  const admin = await place.call("stat");
  const network = Array.from({ length: 50 }, (_, index) => ({ bridge: `loop${index}`, tap: "lo" }));
  for (let index = 0; index < 100; index++)
    admin.say(`many:p${index}`, { kind: "command", command: adding(process.pid, { network }) });
  await until(() => admin.wires.length === 100, "their answers");
  const slow = await subscribe(place, "many:");
  slow.socket.pause();
  const one = await subscribe(place, "many:p0");
  let gone = false;
  slow.socket.on("close", () => {
    gone = true;
  });
  await until(() => measured(one).length > 60, "measurements");
  const count = measured(one).length;
  slow.socket.resume();
  await until(() => gone, "its end");
  await until(() => measured(one).length > count + 3, "measurements");
});

scriptTest("a seventeenth subscriber of one name takes the first one's place", long, async (place) => {
  await place.start(often);
  const callers: Caller[] = [];
  for (let index = 0; index < 17; index++) callers.push(await subscribe(place, "dev:"));
  await callers[0]?.closed;
  const admin = await place.call("stat");
  expect(await say(admin, "dev:me", adding(process.pid))).toBe("added");
  await until(() => callers.slice(1).every((caller) => measured(caller).length > 0), "measurements");
});

scriptTest("a leaf subscribes through the chain's socket, and may do no more", long, async (place) => {
  await place.start(often);
  const chain = [level("alice"), level("bob")];
  await place.ask("alice:bob:b1", create(hello, { memory: 16 }));
  const [all, one] = [await place.call("chain"), await place.call("chain")];
  all.ask(chain.slice(0, 1), "", subscription);
  one.ask(chain, "b1", subscription);
  await until(() => [all, one].every((caller) => measured(caller).length > 1), "measurements");
  expect([all, one].map((caller) => [...caller.wires.slice(0, 1).map(told), ...names(caller)])).toEqual([
    ["subscribed", "bob:b1"],
    ["subscribed", ":b1"],
  ]);
  expect(all.wires[0]?.header.name).toEqual({ path: ["alice"] });
  for (const command of [adding(process.pid), removal, { kind: "stats-initial" } as const]) {
    const caller = await place.call("chain");
    caller.ask(chain, "b1", command);
    expect(told(await caller.next())).toMatch(/^refused: /);
  }
  all.socket.write("x");
  await all.closed;
});
