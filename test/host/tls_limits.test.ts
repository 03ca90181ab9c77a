import { expect, test } from "vitest";
import { Admission, isLoopback, tlsLimits } from "../../src/host/tls_limits.ts";

const limits = { ...tlsLimits, pending: 3, pendingPerAddress: 2, connections: 5, connectionsPerAddress: 3 };

test("Admission bounds pending handshakes in total and by address", () => {
  const admission = new Admission(limits);
  const first = admission.admit("192.0.2.1");
  expect(first).toBeDefined();
  expect(admission.admit("192.0.2.1")).toBeDefined();
  expect(admission.admit("192.0.2.1")).toBeUndefined();
  expect(admission.admit("192.0.2.2")).toBeDefined();
  expect(admission.admit("192.0.2.3")).toBeUndefined();
  first?.settle(false);
  first?.settle(false);
  expect(admission.admit("192.0.2.1")).toBeDefined();
  expect(admission.admit("192.0.2.4")).toBeUndefined();
});

test("Admission bounds connections in total and by address, and counts each leaving once", () => {
  const admission = new Admission(limits);
  const places = ["a", "a", "a"].map((address) => admission.admit(address));
  expect(places.map((place) => place !== undefined)).toEqual([true, true, false]);
  for (const place of places) place?.settle(false);
  const third = admission.admit("a");
  third?.settle(false);
  expect(admission.admit("a")).toBeUndefined();
  third?.leave();
  third?.leave();
  expect(admission.admit("a")).toBeDefined();
  expect(admission.admit("a")).toBeUndefined();
});

test.for([
  ["2001:db8::1", "2001:db8:0:0:ffff::2", true],
  ["2001:db8::1", "2001:db8:0:1::1", false],
  ["::1", "0:0:0:0:1::", true],
  ["fe80::1%eth0", "fe80::2%eth1", true],
  ["::ffff:192.0.2.1", "192.0.2.1", true],
  ["::ffff:192.0.2.1", "::ffff:192.0.2.2", false],
] as const)("Admission counts %s and %s as one client: %j", ([one, other, same]) => {
  const admission = new Admission({ ...limits, pendingPerAddress: 1 });
  expect(admission.admit(one)).toBeDefined();
  expect(admission.admit(other) === undefined).toBe(same);
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
