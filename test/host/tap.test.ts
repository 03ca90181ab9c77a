import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { beforeEach, expect, test, vi } from "vitest";
import { sortedSet } from "../../src/core/policy.ts";
import { listBridges } from "../../src/host/proc.ts";
import { Taps } from "../../src/host/tap.ts";
import { expectError, expectOk } from "./folder.ts";
import { enterNetworkNamespace } from "./namespace.ts";

vi.setConfig({ testTimeout: 30_000 });

const own = enterNetworkNamespace();
const alone = { skip: !own };

beforeEach(() => {
  if (!own) return;
  for (const name of interfaces().filter((found) => found !== "lo")) ip("link", "delete", "dev", name);
  for (const bridge of ["br0", "service"]) ip("link", "add", bridge, "type", "bridge");
});

test("listBridges tells the bridges of this network namespace", alone, async () => {
  expect(expectOk(await listBridges())).toEqual(["br0", "service"]);
});

test(
  "Taps.create makes taps that are up, on their bridges, owned by the guest's user, offloads off",
  alone,
  async () => {
    const taps = tapsOf("fulmar-test");
    expect(expectOk(await taps.create(["br0", "service", "br0"], 1_900_000_003))).toEqual([
      { bridge: "br0", tap: "fulmar0" },
      { bridge: "service", tap: "fulmar1" },
      { bridge: "br0", tap: "fulmar2" },
    ]);
    const text = ip("-d", "-o", "link", "show", "dev", "fulmar1");
    expect(text).toMatch(/<[^>]*\bUP\b/);
    expect(text).toMatch(/master service .*alias fulmar-test|alias fulmar-test/);
    expect(text).toMatch(/master service\b/);
    expect(text).toMatch(/type tap .*persist on user 1900000003/);
    expect(taps.offloadFault).toBeUndefined();
  },
);

test("Taps.create gives creations at the same time different names, the lowest free ones", alone, async () => {
  ip("tuntap", "add", "dev", "fulmar1", "mode", "tap");
  const taps = tapsOf("fulmar-test");
  const made = await Promise.all([taps.create(["br0"], 1), taps.create(["br0", "br0"], 1)]);
  expect(made.flatMap((one) => expectOk(one).map(({ tap }) => tap))).toEqual(["fulmar0", "fulmar2", "fulmar3"]);
  expectOk(await taps.remove(["fulmar0"]));
  expect(expectOk(await taps.create(["br0"], 1))).toEqual([{ bridge: "br0", tap: "fulmar0" }]);
});

test.for([
  [["br0", "nobridge"], { kind: "bridge-missing", bridge: "nobridge" }],
  [["br0", "lo"], { kind: "taps-failed" }],
  [["br0\nlink set dev lo down"], { kind: "bridge-name-bad" }],
  [["br0 down"], { kind: "bridge-name-bad" }],
  [["-br0"], { kind: "bridge-name-bad" }],
  [[""], { kind: "bridge-name-bad" }],
  [["service1234567890"], { kind: "bridge-name-bad" }],
] as const)("Taps.create with %j makes all or nothing", alone, async ([bridges, error]) => {
  const taps = tapsOf("fulmar-test");
  expect(expectError(await taps.create(bridges, 1))).toMatchObject(error);
  expect(interfaces().filter((found) => found.startsWith("fulmar"))).toEqual([]);
  expect(expectOk(await taps.create(["br0"], 1))).toEqual([{ bridge: "br0", tap: "fulmar0" }]);
});

test("Taps.create for no bridge runs nothing", async () => {
  expect(expectOk(await tapsOf("fulmar-test").create([], 1))).toEqual([]);
});

test("Taps.list finds what an earlier daemon left, and nobody else's", alone, async () => {
  expectOk(await tapsOf("fulmar-other").create(["br0"], 1));
  expectOk(await tapsOf("fulmar-test").create(["br0"], 1));
  ip("tuntap", "add", "dev", "vmmtap0", "mode", "tap");
  ip("tuntap", "add", "dev", "fulmar9", "mode", "tap");
  const taps = tapsOf("fulmar-test");
  expect(expectOk(await taps.list())).toEqual(["fulmar1"]);
  expectOk(await taps.remove(["fulmar0", "fulmar1", "fulmar9", "vmmtap0", "br0"]));
  expect(sortedSet(interfaces().filter((found) => /^(fulmar|vmmtap|br)/.test(found)))).toEqual([
    "br0",
    "fulmar0",
    "fulmar9",
    "vmmtap0",
  ]);
});

test("Taps.remove takes taps that are gone already", alone, async () => {
  const taps = tapsOf("fulmar-test");
  expectOk(await taps.create(["br0", "br0"], 1));
  ip("link", "delete", "dev", "fulmar0");
  expectOk(await taps.remove(["fulmar0", "fulmar1"]));
  expect(interfaces().filter((found) => found.startsWith("fulmar"))).toEqual([]);
});

test("Taps.list finds a tap whose making broke off before it had our tag, by its owner", alone, async () => {
  ip("tuntap", "add", "dev", "fulmar0", "mode", "tap", "user", "1900000007");
  ip("tuntap", "add", "dev", "fulmar1", "mode", "tap", "user", "1900000009");
  ip("tuntap", "add", "dev", "mine", "mode", "tap", "user", "1900000007");
  ip("tuntap", "add", "dev", "fulmar2", "mode", "tap", "user", "1900000007");
  ip("link", "set", "dev", "fulmar2", "alias", "fulmar-other");
  const taps = new Taps("fulmar-test", (uid) => uid === 1_900_000_007);
  expect(expectOk(await taps.list())).toEqual(["fulmar0"]);
});

function tapsOf(tag: string): Taps {
  return new Taps(tag, () => false);
}

function ip(...words: readonly string[]): string {
  return execFileSync("ip", words, { encoding: "utf8" });
}

function interfaces(): readonly string[] {
  return readFileSync("/proc/self/net/dev", "latin1")
    .split("\n")
    .slice(2)
    .map((line) => line.split(":")[0]?.trim() ?? "")
    .filter((name) => name !== "");
}
