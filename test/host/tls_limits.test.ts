import { expect, test } from "vitest";
import { Admission, isLoopback, type Place, tlsLimits } from "../../src/host/tls_limits.ts";

const limits = { ...tlsLimits, pending: 3, pendingPerAddress: 2, connections: 5, connectionsPerAddress: 3 };

/** An admission whose clock stands still until it is moved, and what it ended. */
function opened(changes: Partial<typeof limits> = {}): {
  readonly ended: string[];
  enter(address: string, name?: string): Place | undefined;
  wait(milliseconds: number): void;
} {
  let now = 0;
  const ended: string[] = [];
  const admission = new Admission({ ...limits, ...changes }, () => now);
  return {
    ended,
    enter: (address, name = address) => admission.admit(address, () => ended.push(name)),
    wait: (milliseconds) => {
      now += milliseconds;
    },
  };
}

test("Admission bounds pending handshakes in total and by address", () => {
  const { enter, ended } = opened();
  const first = enter("192.0.2.1");
  expect(first).toBeDefined();
  expect(enter("192.0.2.1")).toBeDefined();
  expect(enter("192.0.2.1")).toBeUndefined();
  expect(enter("192.0.2.2")).toBeDefined();
  expect(enter("192.0.2.2")).toBeUndefined();
  first?.settle(false);
  first?.settle(false);
  expect(enter("192.0.2.1")).toBeDefined();
  expect(enter("192.0.2.2")).toBeUndefined();
  expect(ended).toEqual([]);
});

test("Admission ends a slow handshake for a new one: of the same address, or of the one with most", () => {
  const { enter, ended, wait } = opened();
  enter("a", "a1");
  wait(1);
  enter("a", "a2");
  wait(998);
  expect(enter("a", "a3")).toBeUndefined();
  wait(1);
  expect(enter("a", "a3")).toBeDefined();
  expect(ended).toEqual(["a1"]);
  enter("b", "b1");
  wait(1);
  expect(enter("c", "c1")).toBeDefined();
  expect(ended).toEqual(["a1", "a2"]);
});

test("Admission ends a handshake of the address with most at once, for one with fewer", () => {
  const { enter, ended } = opened({ pendingPerAddress: 3 });
  for (const name of ["a1", "a2", "a3"]) enter("a", name);
  expect(enter("b", "b1")).toBeDefined();
  expect(ended).toEqual(["a1"]);
  expect(enter("b", "b2")).toBeUndefined();
});

test("Admission bounds strangers' connections by address, and counts each leaving once", () => {
  const { enter } = opened();
  const places = ["a", "a", "a"].map((address) => enter(address));
  expect(places.map((place) => place !== undefined)).toEqual([true, true, false]);
  for (const place of places) place?.settle(false);
  const third = enter("a");
  third?.settle(false);
  expect(enter("a")).toBeUndefined();
  third?.leave();
  third?.leave();
  expect(enter("a")).toBeDefined();
  expect(enter("a")).toBeUndefined();
});

test("Admission gives a delegate what is free, and ends his idlest for another where nothing is", () => {
  const { enter, ended } = opened({ pending: 100, pendingPerAddress: 100 });
  const eve = ["e1", "e2", "e3", "e4"].map((name, index) => {
    const place = enter(`address${index}`, name);
    place?.settle(false);
    place?.belong("eve");
    return place;
  });
  eve[0]?.touch();
  const bob = enter("address0", "b1");
  bob?.settle(false);
  bob?.belong("bob");
  expect(ended).toEqual([]);
  expect(enter("address9")).toBeDefined();
  expect(ended).toEqual(["e2"]);
  expect(enter("address8")).toBeDefined();
  expect(ended).toEqual(["e2", "e3"]);
});

test("Admission ends strangers of any number of addresses before a delegate", () => {
  const { enter, ended, wait } = opened({ pending: 100 });
  for (const name of ["b1", "b2"]) {
    const place = enter("bobs", name);
    place?.settle(false);
    place?.belong("bob");
  }
  for (const address of ["s1", "s2"]) enter(address)?.settle(false);
  enter("slow");
  wait(1000);
  for (const address of ["s3", "s4", "s5"]) expect(enter(address)).toBeDefined();
  expect(ended).toEqual(["s1", "s2", "slow"]);
  expect(enter("s6")).toBeDefined();
  expect(ended.at(-1)).toBe("b1");
});

test("Admission lets a few slow handshakes go on where idle connections of one delegate take the rest", () => {
  const { enter, ended, wait } = opened({ pending: 100, connections: 32 });
  for (let index = 0; index < 31; index++) {
    const place = enter(`address${index}`, `eve${index}`);
    place?.settle(false);
    place?.belong("eve");
  }
  const honest = enter("far away", "honest");
  wait(1500);
  for (const address of ["b", "c"]) expect(enter(address)).toBeDefined();
  expect(ended).toEqual(["eve0", "eve1"]);
  wait(1500);
  expect(enter("d")).toBeDefined();
  expect(ended).toEqual(["eve0", "eve1", "honest"]);
  honest?.leave();
});

test.for([
  ["2001:db8::1", "2001:db8:0:0:ffff::2", true],
  ["2001:db8::1", "2001:db8:0:1::1", false],
  ["::1", "0:0:0:0:1::", true],
  ["fe80::1%eth0", "fe80::2%eth1", true],
  ["::ffff:192.0.2.1", "192.0.2.1", true],
  ["::ffff:192.0.2.1", "::ffff:192.0.2.2", false],
] as const)("Admission counts %s and %s as one client: %j", ([one, other, same]) => {
  const { enter } = opened({ pendingPerAddress: 1 });
  expect(enter(one)).toBeDefined();
  expect(enter(other) === undefined).toBe(same);
});

test.for([
  ["127.0.0.1", true],
  ["127.1.2.3", true],
  ["::1", true],
  ["::ffff:127.0.0.1", true],
  ["::", false],
  ["0.0.0.0", false],
  ["128.0.0.1", false],
  ["::2", false],
  ["localhost", false],
] as const)("isLoopback(%j) is %j", ([address, expected]) => {
  expect(isLoopback(address)).toBe(expected);
});
