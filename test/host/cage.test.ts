import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { type Cage, cageArgv, cageEnvironment, firstUid, UidPool } from "../../src/host/cage.ts";
import { isRoot } from "./folder.ts";

const limits = { fileSize: 0, tasks: 8, descriptors: 256 };

test("cageArgv leaves an ordinary user who he is", () => {
  expect(cageArgv({ kind: "same-user" }, ["tender", "--mem=32"])).toEqual([
    ..."setpriv --inh-caps -all --no-new-privs --".split(" "),
    "tender",
    "--mem=32",
  ]);
});

test("cageArgv gives a guest a uid, a group, no other group, no capability, no way to gain one", {
  skip: !isRoot,
}, () => {
  const status = statusIn({ kind: "own-user", uid: firstUid(0) + 7, gid: firstUid(0) + 8, limits });
  expect(status.get("Uid")).toBe(
    Array(4)
      .fill(firstUid(0) + 7)
      .join("\t"),
  );
  expect(status.get("Gid")).toBe(
    Array(4)
      .fill(firstUid(0) + 8)
      .join("\t"),
  );
  expect(status.get("Groups")).toBe("");
  for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]) expect(status.get(set)).toMatch(/^0+$/);
  expect(status.get("NoNewPrivs")).toBe("1");
});

test("cageArgv for the same user bars new privileges", () => {
  expect(statusIn({ kind: "same-user" }).get("NoNewPrivs")).toBe("1");
});

test("UidPool takes the lowest free uid, and no more than it has", () => {
  const pool = new UidPool(100, 3);
  expect([pool.take(), pool.take(), pool.take(), pool.take()]).toEqual([100, 101, 102, undefined]);
  pool.release(101);
  expect(pool.take()).toBe(101);
});

test("UidPool claims what an adopted guest has, once, and nothing foreign", () => {
  const pool = new UidPool(100, 3);
  expect([pool.claim(100), pool.claim(100), pool.claim(99), pool.claim(103)]).toEqual([true, false, false, false]);
  expect(pool.take()).toBe(101);
});

test("firstUid gives every daemon a part of the range of its own, as far as that goes", () => {
  const firsts = [0, 1, 3699, 2 ** 32 - 1].map(firstUid);
  expect(new Set(firsts).size).toBe(firsts.length);
  for (const first of firsts) {
    expect(first).toBeGreaterThanOrEqual(1_879_048_192);
    expect(first + 65_535).toBeLessThanOrEqual(2_147_352_575);
  }
});

function statusIn(cage: Cage): ReadonlyMap<string, string> {
  const [program = "", ...rest] = cageArgv(cage, ["cat", "/proc/self/status"]);
  const text = execFileSync(program, rest, { env: cageEnvironment, encoding: "latin1" });
  return new Map(text.split("\n").map((line) => [line.split(":")[0] ?? "", line.slice(line.indexOf(":") + 1).trim()]));
}
