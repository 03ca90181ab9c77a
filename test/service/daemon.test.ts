import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, vi } from "vitest";
import { told, until } from "./caller.ts";
import { config, create, destroy, guestTest, type Place, readGuest } from "./lab.ts";

// A guest below QEMU without KVM takes a second to boot, on a busy machine several.
vi.setConfig({ testTimeout: 60_000 });

const forever = { arguments: ["after=600"] };
/** Of a network device that the guest's manifest does not have. */
const impossible = { ...config, blocks: [], bridges: [{ netif: "service" }] };

function hello({ tender }: Place): Buffer {
  return readGuest(`hello.${tender}`);
}

guestTest("a unikernel is created, told of, listened to and destroyed", async (place) => {
  const image = hello(place);
  const before = Date.now();
  const daemon = await place.start();
  expect(await place.ask("alice:vm", create(image, forever))).toBe("created unikernel");
  const digest = createHash("sha256").update(image).digest();
  const info = await place.info("alice:vm");
  expect(info).toMatchObject({ memory: 32, cpus: 1, blocks: [], bridges: [], ...forever });
  expect(Buffer.from(info?.digest ?? [])).toEqual(digest);
  expect(info?.started).toBeGreaterThanOrEqual(before - 1000);
  expect(info?.started).toBeLessThanOrEqual(Date.now());
  expect(place.images()).toEqual([digest.toString("hex")]);
  const first = await place.listen("alice:vm");
  expect(told(await first.next())).toBe("subscribed");
  await first.line("tick 2");
  expect(first.lines()).toContain("arguments: --name=vm after=600");
  const second = await place.listen("alice:vm", { kind: "count", count: 2 });
  await second.line("tick 3");
  expect(second.lines().length).toBeLessThanOrEqual(4);
  await until(() => place.tenders().length === 1, "guests: 1");
  expect(await place.ask("alice:vm", destroy)).toBe("destroyed unikernel");
  expect([place.tenders(), place.images(), readdirSync(join(place.tmpdir, "fifo"))]).toEqual([[], [], []]);
  expect(await place.infos()).toEqual([]);
  await daemon.stop("stop");
  expect(place.leftovers()).toEqual([]);
});

guestTest(
  "reference bug 11: a refused force create keeps the old one running, a good one replaces it",
  async (place) => {
    const image = hello(place);
    await place.start();
    await place.ask("vm", create(image, forever));
    const running = place.tenders();
    const started = (await place.info("vm"))?.started;
    expect(await place.ask("vm", create(image))).toBe("refused: unikernel :vm exists already, use force to replace it");
    for (const [command, reason] of [
      [create(image, { bridges: [{ netif: "service", bridge: "none" }] }, { replace: true }), /bridge none/],
      [create(image, { memory: 2 ** 40 }, { replace: true }), /policy of the host/],
      [create(readGuest(`hello_block.${place.tender}`), {}, { replace: true }), /manifest declares block storage/],
      [create(Buffer.from("no image"), {}, { replace: true }), /no Solo5 unikernel/],
      [create(readGuest(place.tender === "spt" ? "hello.virtio" : "hello.spt"), {}, { replace: true }), /offers/],
    ] as const) {
      expect(await place.ask("vm", command)).toMatch(/^refused: /);
      expect(await place.ask("vm", command)).toMatch(reason);
    }
    expect(place.tenders()).toEqual(running);
    expect((await place.info("vm"))?.started).toBe(started);
    expect(place.images()).toHaveLength(1);
    const other = { arguments: ["after=300"], memory: 24 };
    expect(await place.ask("vm", create(image, other, { replace: true }))).toBe("created unikernel");
    await until(() => place.tenders().length === 1, "guests: 1");
    expect(place.tenders()).not.toEqual(running);
    expect(await place.info("vm")).toMatchObject(other);
  },
);

guestTest("reference bug 11: a restart with impossible arguments leaves it running", async (place) => {
  await place.start();
  await place.ask("vm", create(hello(place), forever));
  const first = place.tenders();
  const { typ: _, ...settings } = impossible;
  expect(await place.ask("vm", { kind: "unikernel-restart", settings })).toMatch(/^refused: .*bridge service/);
  expect(
    await place.ask("vm", {
      kind: "unikernel-restart",
      settings: { ...settings, bridges: [], blocks: [{ name: "x" }] },
    }),
  ).toMatch(/^refused: .*block device/);
  expect(place.tenders()).toEqual(first);
  expect(await place.ask("vm", { kind: "unikernel-restart" })).toBe("created unikernel");
  const second = place.tenders();
  expect(second).toHaveLength(1);
  expect(second).not.toEqual(first);
  expect(await place.info("vm")).toMatchObject(forever);
  const changed = { ...settings, bridges: [], memory: 16, arguments: ["after=300"] };
  expect(await place.ask("vm", { kind: "unikernel-restart", settings: changed })).toBe("created unikernel");
  expect(place.tenders()).not.toEqual(second);
  expect(await place.info("vm")).toMatchObject({ memory: 16, arguments: ["after=300"] });
  expect(place.images()).toHaveLength(1);
});

guestTest(
  "reference bugs 13 and 32: two destroys at once are both answered, a later one finds nothing",
  async (place) => {
    await place.start();
    await place.ask("alice:vm", create(hello(place), forever));
    const callers = await Promise.all([place.call("vmmd"), place.call("vmmd"), place.call("vmmd")]);
    for (const caller of callers) caller.say("alice:vm", { kind: "command", command: destroy });
    const answers = await Promise.all(callers.map((caller) => caller.next()));
    expect(answers.map(told)).toEqual(Array(3).fill("destroyed unikernel"));
    const missing = "refused: unikernel alice:vm not found";
    expect(await place.ask("alice:vm", destroy)).toBe(missing);
    expect(await place.ask("alice:vm", { kind: "unikernel-restart" })).toBe(missing);
  },
);

guestTest("a guest that floods its console starves nobody, and memory stays bounded", async (place) => {
  await place.start();
  await place.ask("vm", create(hello(place), { arguments: ["flood"] }));
  const caller = await place.listen("vm");
  await until(() => caller.lines().length > 2000, "2000 lines");
  const before = process.memoryUsage().rss;
  for (let round = 0; round < 10; round++) {
    const begin = performance.now();
    expect(await place.info("vm")).toMatchObject({ arguments: ["flood"] });
    expect(performance.now() - begin).toBeLessThan(1000);
    await new Promise((resolve) => setTimeout(resolve, 100));
    caller.wires.splice(0);
  }
  expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024);
  expect(caller.socket.destroyed).toBe(false);
  expect(await place.ask("vm", destroy)).toBe("destroyed unikernel");
});
