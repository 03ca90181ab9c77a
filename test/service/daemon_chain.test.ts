import { expect, vi } from "vitest";
import { frameHeader } from "../../src/codec/frame.ts";
import type { ChainRequest, Command, Level } from "../../src/core/command.ts";
import { told, until } from "./caller.ts";
import { config, create, destroy, level, type Place, readGuest, scriptTest } from "./lab.ts";

vi.setConfig({ testTimeout: 30_000 });

/** Below a scripted tender any image does. */
const hello = readGuest("hello.spt");
const long = "while :; do sleep 1; done";
const [alice, bob, charlie] = [level("alice"), level("bob"), level("charlie")];
const bare = create(new Uint8Array(0), { memory: 16 });

scriptTest("reference bug 1: what alice delegates adds up to what she has", long, async (place) => {
  await place.start();
  expect(await upload(place, [alice, bob], "b1")).toBe("created unikernel");
  expect(await upload(place, [alice, charlie], "c1")).toBe("created unikernel");
  const over = "cannot exceed the policy of alice: 2 unikernels allowed, 2 used, 1 more asked for";
  for (const levels of [[alice], [alice, bob], [alice, charlie]]) {
    expect(await upload(place, levels, "more")).toBe(`refused: ${over}`);
  }
  await until(() => place.tenders().length === 2, "guests: 2");
  expect(await ask(place, [alice, bob], "b1", destroy)).toBe("destroyed unikernel");
  expect(await upload(place, [alice], "more")).toBe("created unikernel");
  expect((await place.policies()).map(([path]) => path)).toEqual(["", "alice", "alice:charlie", "alice:bob"]);
});

scriptTest("a refused request leaves no policy; one that takes nothing is carried out anyway", long, async (place) => {
  await place.start();
  const rich = level("rich", { memory: 1024 });
  const exceeds = /^refused: the policy of alice:rich is more than the one of alice above it: 1024 MB of memory asked/;
  expect(await upload(place, [alice, rich], "vm")).toMatch(exceeds);
  expect(await ask(place, [alice, rich], "data", { kind: "block-add", size: 1, form: "current" })).toMatch(exceeds);
  const noImage = create(Buffer.from("no image"), { memory: 16 });
  expect(await ask(place, [alice, bob], "vm", noImage)).toMatch(/no Solo5 unikernel/);
  expect(await ask(place, [alice], "vm", create(hello, { memory: 1000 }))).toMatch(/policy of alice: 256 MB/);
  expect((await place.policies()).map(([path]) => path)).toEqual([""]);
  expect([place.images(), place.tenders()]).toEqual([[], []]);
  expect(await ask(place, [alice, rich], "vm", destroy)).toBe("refused: unikernel alice:rich:vm not found");
  expect(await ask(place, [alice, rich], "", { kind: "policy-info" })).toBe("success");
});

scriptTest("an older certificate's policy is ignored, a newer one's is taken", long, async (place) => {
  await place.start();
  const one = { ...level("alice", { unikernels: 1 }), notBefore: alice.notBefore + 1000 };
  expect(await upload(place, [one], "a")).toBe("created unikernel");
  expect(await upload(place, [alice], "b")).toMatch(/policy of alice: 1 unikernel allowed, 1 used/);
  const three = { ...level("alice", { unikernels: 3 }), notBefore: alice.notBefore + 2000 };
  expect(await upload(place, [three], "b")).toBe("created unikernel");
  expect(await upload(place, [alice], "c")).toBe("created unikernel");
});

scriptTest("an image comes in whatever pieces behind the frame, or in it", long, async (place) => {
  await place.start();
  const caller = await place.call("chain");
  caller.ask([alice], "drip", bare, { imageFollows: true });
  for (let at = 0; at < hello.length; at += 1000) {
    const piece = hello.subarray(at, at + 1000);
    const bytes = Buffer.concat([frameHeader(piece.length), piece]);
    for (const cut of [bytes.subarray(0, 2), bytes.subarray(2, 500), bytes.subarray(500)]) {
      caller.socket.write(cut);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  expect(await place.infos()).toEqual([]);
  expect(await place.ask("alice:drip", create(hello))).toMatch(/alice:drip exists already/);
  caller.socket.end(frameHeader(0));
  expect(told(await caller.next())).toBe("created unikernel");
  await caller.closed;
  expect(await ask(place, [alice], "whole", create(hello, { memory: 16 }))).toBe("created unikernel");
  expect(place.images()).toHaveLength(1);
});

scriptTest("one connection carries many requests, each decided by itself", long, async (place) => {
  await place.start();
  const caller = await place.call("chain");
  caller.ask([alice], "one", bare, { imageFollows: true });
  caller.socket.write(Buffer.concat([frameHeader(hello.length), hello, frameHeader(0)]));
  caller.ask([alice], "two", { kind: "unikernel-destroy" });
  caller.ask([alice, bob], "", { kind: "policy-info" });
  caller.ask([alice], "one", { kind: "unikernel-destroy" });
  expect(told(await caller.next())).toBe("created unikernel");
  expect(told(await caller.next())).toBe("refused: unikernel alice:two not found");
  expect((await caller.next()).payload).toMatchObject({ success: { policies: [{ value: bob.policy }] } });
  expect(told(await caller.next())).toBe("destroyed unikernel");
  caller.socket.end();
  await caller.closed;
});

scriptTest("destroy wins over an upload", long, async (place) => {
  await place.start();
  const caller = await place.call("chain");
  caller.ask([alice], "vm", bare, { imageFollows: true });
  caller.socket.write(Buffer.concat([frameHeader(hello.length), hello.subarray(0, 100)]));
  await until(() => place.images().length === 1, "the upload");
  expect(await place.ask("alice:vm", destroy)).toBe("destroyed unikernel");
  expect(told(await caller.next())).toMatch(/^refused: unikernel alice:vm was destroyed/);
  expect(await place.ask("alice:vm", create(hello))).toBe("created unikernel");
  caller.socket.end(Buffer.concat([hello.subarray(100), frameHeader(0)]));
  await caller.closed;
  await until(() => place.images().length === 1, "one image");
  await until(() => place.tenders().length === 1, "one guest");
});

scriptTest("a request sees what is its own, by relative names", `echo hello; ${long}`, async (place) => {
  await place.start();
  await upload(place, [alice, bob], "b1");
  await place.ask("vm", create(hello));
  const caller = await place.call("chain");
  caller.ask([alice], "", { kind: "unikernel-info", form: "current" });
  const { payload } = await caller.next();
  expect(payload).toMatchObject({ success: { unikernels: [{ name: { path: ["bob"], label: "b1" } }] } });
  const listener = await place.call("chain");
  listener.ask([alice, bob], "b1", { kind: "console-subscribe", from: { kind: "count", count: 9 } });
  await listener.line("hello");
  expect(listener.wires[0]?.header.name).toEqual({ path: ["alice", "bob"], label: "b1" });
});

scriptTest("reference bug 5: what no chain may ask is refused with a sentence", long, async (place) => {
  await place.start();
  const contradiction = "refused: the request is not what the chain says";
  for (const command of [
    { kind: "policy-add", policy: alice.policy },
    { kind: "policy-remove" },
    { kind: "console-add", count: 1 },
    { kind: "stats-initial" },
  ] as const) {
    expect(await ask(place, [alice], "vm", command)).toBe(contradiction);
  }
  const info: Command = { kind: "unikernel-info", form: "current" };
  expect(await ask(place, [alice], "vm", info, { levels: [] })).toBe(contradiction);
  expect(await ask(place, [alice], "vm", { kind: "console-list-inactive" })).toMatch(/is a name/);
  const restart: Command = { kind: "unikernel-restart", settings: config };
  expect(await ask(place, [alice], "", restart)).toMatch(/^refused: alice is a path/);
});

scriptTest("reference bug 31: a leaf that asks in an old form is told the lowest of two CPUs", long, async (place) => {
  await place.start();
  const cpuids = alice.policy.cpuids.slice(0, 2);
  expect(await ask(place, [alice], "vm", create(hello, { cpuids, memory: 16 }))).toBe("created unikernel");
  for (const form of ["old4", "old5"] as const) {
    const caller = await place.call("chain");
    caller.ask([alice], "vm", { kind: "unikernel-info", form });
    const { payload } = await caller.next();
    const success = payload.kind === "success" && payload.success.kind === "unikernels" ? payload.success : undefined;
    expect([success?.form, success?.unikernels[0]?.value.cpuids]).toEqual([form, cpuids.slice(0, 1)]);
  }
});

/** @param changes - of the request; the header stays what levels and label say */
async function ask(
  place: Place,
  levels: readonly Level[],
  label: string,
  command: Command,
  changes: Partial<ChainRequest> = {},
): Promise<string> {
  const caller = await place.call("chain");
  caller.ask(levels, label, command, changes);
  const answer = told(await caller.next());
  caller.socket.end();
  await caller.closed;
  return answer;
}

/** Creates with the image as a stream behind the request, as the endpoint does. */
async function upload(place: Place, levels: readonly Level[], label: string): Promise<string> {
  const caller = await place.call("chain");
  caller.ask(levels, label, bare, { imageFollows: true });
  caller.socket.write(Buffer.concat([frameHeader(hello.length), hello, frameHeader(0)]));
  const answer = told(await caller.next());
  caller.socket.end();
  await caller.closed;
  return answer;
}
