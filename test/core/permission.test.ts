import fc from "fast-check";
import { expect, test } from "vitest";
import type { Command } from "../../src/core/command.ts";
import type { Label } from "../../src/core/name.ts";
import { bothPermit, checkPermission, type Permission, permissionOf, permissions } from "../../src/core/permission.ts";
import { FakeHost } from "./fake_host.ts";
import { chain, config, create, destroy, outcome, path, policy, wide } from "./fixture.ts";
import { property } from "./property.ts";

const some = fc.option(fc.subarray([...permissions]), { nil: undefined });
const command = fc.constantFrom<Command[]>(
  create(),
  create({}, true),
  destroy,
  { kind: "unikernel-info", form: "current" },
  { kind: "console-list-inactive" },
  { kind: "block-remove" },
  { kind: "locks" },
);
const level = some.map((permitted) => {
  const label = "a" as Label;
  return permitted === undefined ? { label } : { label, permissions: permitted };
});

test.for<[Command, Permission | undefined]>([
  [create(), "create"],
  [create({}, true), "replace"],
  [{ kind: "unikernel-restart" }, "restart"],
  [{ kind: "unikernel-restart", settings: config() }, "replace"],
  [{ kind: "unikernel-get", level: 0 }, "download"],
  [{ kind: "block-dump", level: 0, form: "current" }, "download"],
  [{ kind: "push-crl", crl: new Uint8Array(), authority: new Uint8Array() }, "revoke"],
  [{ kind: "session" }, undefined],
])("permissionOf puts %j into the class %s", ([asked, permission]) => {
  expect(permissionOf(asked)).toBe(permission);
});

property(
  "a command is permitted where every level and the leaf permit it, and nowhere else",
  fc.tuple(command, fc.array(level, { maxLength: 4 }), some),
  ([asked, levels, leaf]) => {
    const refusal = checkPermission({
      command: asked,
      levels,
      ...(leaf === undefined ? {} : { permissions: leaf }),
    });
    const all = [...levels.map((one) => one.permissions), leaf].filter((one) => one !== undefined);
    const needed = permissionOf(asked);
    expect(refusal === undefined).toBe(needed === undefined || all.every((one) => one.includes(needed)));
  },
);

property("bothPermit permits what both do, in either order", fc.tuple(some, some), ([one, other]) => {
  const both = bothPermit(one, other);
  for (const permission of permissions) {
    const expected = (one?.includes(permission) ?? true) && (other?.includes(permission) ?? true);
    expect(both?.includes(permission) ?? true).toBe(expected);
  }
  expect(bothPermit(other, one)?.toSorted()).toEqual(both?.toSorted());
});

test("a request that is not permitted leaves nothing, not even the policies of its chain", () => {
  const host = new FakeHost(wide);
  const [alice, bob] = chain(["alice", policy()], ["bob", policy()]);
  if (alice === undefined || bob === undefined) throw new Error("no levels");
  const levels = [{ ...alice, permissions: ["info", "create"] as const }, bob];
  const before = host.state;
  expect(outcome(host, "alice/bob/vm", destroy, levels)).toEqual({
    kind: "not-permitted",
    permission: "destroy",
    permitted: ["info", "create"],
    path: path("alice"),
  });
  expect(host.state.resources).toBe(before.resources);
  expect(outcome(host, "alice/bob/vm", create(), levels)).toBe("created unikernel");
});
