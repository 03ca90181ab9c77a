import { expect, vi } from "vitest";
import { type Caller, told, until } from "./caller.ts";
import { create, destroy, type Place, readGuest, scriptTest } from "./lab.ts";

vi.setConfig({ testTimeout: 30_000 });

/** Below a scripted tender any image does. */
const hello = readGuest("hello.spt");
const long = "while :; do sleep 1; done";

scriptTest(
  "reference bug 20: what a guest printed last is kept, in its order, whatever is asked for",
  "seq 1 30000; exit 3",
  async (place) => {
    await place.start();
    await place.ask("vm", create(hello));
    const caller = await place.listen("vm");
    await caller.line("fulmar: ended with status 3");
    expect(await history(place, { kind: "count", count: 2 ** 40 })).toEqual([
      ...Array.from({ length: 1023 }, (_, index) => String(28_978 + index)),
      "fulmar: ended with status 3",
    ]);
    expect(await history(place, { kind: "count", count: 2 })).toEqual(["30000", "fulmar: ended with status 3"]);
    expect(await history(place, { kind: "count", count: 0 })).toEqual([]);
    expect(await history(place, { kind: "since", time: 0 })).toHaveLength(1024);
    expect(await history(place, { kind: "since", time: 4e12 })).toEqual([]);
  },
);

scriptTest("a subscriber that reads gets every line of a burst", `sleep 0.3; seq 1 20000; ${long}`, async (place) => {
  await place.start();
  await place.ask("vm", create(hello));
  const caller = await place.listen("vm");
  await until(() => caller.wires.length > 20_000, "all lines");
  expect(caller.lines()).toEqual(Array.from({ length: 20_000 }, (_, index) => String(1 + index)));
});

scriptTest("in a flood of tiny lines the daemon answers, and drops only who never reads", "exec yes", async (place) => {
  await place.start();
  await place.ask("vm", create(hello));
  const [lazy, diligent] = [await place.listen("vm"), await place.listen("vm")];
  lazy.socket.pause();
  const [few, many] = [countBytes(lazy), countBytes(diligent)];
  const answer = async (): Promise<boolean> => {
    const begin = performance.now();
    expect(await place.info("vm")).toBeDefined();
    expect(performance.now() - begin).toBeLessThan(1000);
    return many() > 3 * 1024 * 1024;
  };
  await until(answer, "a flood");
  lazy.socket.resume();
  await lazy.closed;
  expect(few()).toBeLessThan(2 * 1024 * 1024);
  const before = many();
  await until(() => many() > before, "more");
  expect(diligent.socket.readableEnded).toBe(false);
});

scriptTest("reference bug 20: a sixth subscriber replaces the first", `sleep 1; echo hello; ${long}`, async (place) => {
  await place.start();
  await place.ask("vm", create(hello));
  const callers: Caller[] = [];
  for (let index = 0; index < 7; index++) {
    const caller = await place.listen("vm");
    expect(told(await caller.next())).toBe("subscribed");
    callers.push(caller);
  }
  await Promise.all(callers.slice(0, 2).map((caller) => caller.closed));
  await Promise.all(callers.slice(2).map((caller) => caller.line("hello")));
  expect(callers.map((caller) => caller.lines().length)).toEqual([0, 0, 1, 1, 1, 1, 1]);
  callers[6]?.say("vm", { kind: "failure", text: "enough" });
  await callers[6]?.closed;
});

scriptTest("whoever waits for a unikernel gets its lines, from first to last", "echo hello; exit 3", async (place) => {
  await place.start();
  const caller = await place.listen("alice:vm");
  expect(told(await caller.next())).toBe("waiting for VM");
  await place.ask("alice:vm", create(hello));
  await caller.line("fulmar: ended with status 3");
  expect(caller.lines()).toEqual(["hello", "fulmar: ended with status 3"]);
  const later = await place.listen("alice:vm");
  expect(told(await later.next())).toBe("subscribed");
  await later.line("hello");
});

scriptTest("consoles without a unikernel are listed", `case "$*" in *fail*) exit 3;; esac; ${long}`, async (place) => {
  await place.start();
  await place.listen("alice:awaited");
  const failing = { failBehaviour: { kind: "restart", codes: [] }, memory: 16, arguments: ["fail"] } as const;
  await place.ask("alice:fails", create(hello, failing));
  for (const target of ["alice:runs", "alice:gone", "alice:bob:gone", "other"]) {
    await place.ask(target, create(hello, { memory: 16 }));
  }
  await (await place.listen("alice:fails")).line(/^fulmar: ended/);
  for (const target of ["alice:gone", "alice:bob:gone", "other"]) await place.ask(target, destroy);
  expect(await inactive(place, ":")).toEqual([":other", "alice:gone", "alice:bob:gone"]);
  expect(await inactive(place, "alice:")).toEqual([":gone", "bob:gone"]);
  expect(await inactive(place, "alice:gone")).toBe("refused: alice:gone is a name, and this command needs a path");
  await place.ask("alice:gone", create(hello, { memory: 16 }));
  expect(await inactive(place, "alice:")).toEqual(["bob:gone"]);
  for (const target of ["alice:", ":"]) {
    expect(told(await (await place.listen(target)).next())).toMatch(/^refused: .* is a path, and a console is one/);
  }
});

scriptTest(
  "reference bug 20: bytes stay bytes, an endless line is cut, empty ones are dropped",
  `printf '\\033[31mred\\377\\303\\244\\r\\n\\n\\r\\n'; head -c 200000 /dev/zero | tr '\\0' x; printf '\\nafter\\nopen'; exit 3`,
  async (place) => {
    await place.start();
    await place.ask("vm", create(hello));
    const caller = await place.listen("vm");
    await caller.line("fulmar: ended with status 3");
    expect(caller.lines()).toEqual([
      "\u001b[31mred\udcffä",
      `${"x".repeat(512)} [truncated]`,
      "after",
      "open",
      "fulmar: ended with status 3",
    ]);
  },
);

/** Of what comes from now on, which is not looked at. */
function countBytes({ socket }: Caller): () => number {
  let bytes = 0;
  socket.removeAllListeners("data").on("data", (piece: Buffer) => (bytes += piece.length));
  return () => bytes;
}

async function history(place: Place, from: Parameters<Place["listen"]>[1]): Promise<readonly string[]> {
  const caller = await place.listen("vm", from);
  await caller.finish();
  return caller.lines();
}

/** Their names as they come, or the refusal. */
async function inactive(place: Place, target: string): Promise<readonly string[] | string> {
  const caller = await place.call("console");
  caller.say(target, { kind: "command", command: { kind: "console-list-inactive" } });
  const wire = await caller.next();
  const { payload } = wire;
  if (payload.kind !== "success" || payload.success.kind !== "consoles") return told(wire);
  return payload.success.names.map(({ path, label = "" }) => `${path.join(":")}:${label}`);
}

scriptTest("--no-drop-path tells a guest its whole name", `for word; do echo "$word"; done; ${long}`, async (place) => {
  await place.start({ dropPath: false });
  await place.ask("alice:bob:vm", create(hello));
  await place.ask("top", create(hello));
  await (await place.listen("alice:bob:vm")).line("--name=alice:bob:vm");
  await (await place.listen("top")).line("--name=top");
});

scriptTest("--max-subscribers says how many may follow a console", long, async (place) => {
  await place.start({ maxSubscribers: 1 });
  await place.ask("vm", create(hello));
  const first = await place.listen("vm");
  expect(told(await first.next())).toBe("subscribed");
  expect(told(await (await place.listen("vm")).next())).toBe("subscribed");
  await first.closed;
});
