import { expect, test } from "vitest";
import { checkSettings } from "../../src/core/settings.ts";
import { config, name } from "./fixture.ts";

const vm = name("alice/vm");

test.for([
  [{ typ: "bhyve" }, { kind: "typ-unsupported", typ: "bhyve" }],
  [{ cpuids: [] }, { kind: "cpuids-empty" }],
  [{ memory: 0 }, { kind: "memory-zero" }],
  [{ memory: -1 }, { kind: "memory-zero" }],
  [{ arguments: ["a", "b\0c"] }, { kind: "argument-not-text", index: 1 }],
  [{ arguments: ["\udc80"] }, { kind: "argument-not-text", index: 0 }],
  [{ arguments: ["x".repeat(8192)] }, { kind: "arguments-too-long", length: 8192, limit: 8191 }],
  [{ linuxBootPartition: "x".repeat(256) }, { kind: "boot-partition-too-long", length: 256, limit: 255 }],
  [{ bridges: Array(64).fill({ netif: "a" }) }, { kind: "settings-too-many", what: "devices", count: 64, limit: 63 }],
  [
    { failBehaviour: { kind: "restart", codes: Array.from({ length: 257 }, (_, code) => code) } },
    { kind: "settings-too-many", what: "codes", count: 257, limit: 256 },
  ],
] as const)("checkSettings refuses %j", ([changes, error]) => {
  expect(checkSettings(vm, config(changes))).toEqual({ ok: false, error });
});

test("checkSettings takes the longest arguments, the name among them where it is told", () => {
  const words = ["x".repeat(8191 - " y".length), "y"];
  expect(checkSettings(vm, config({ arguments: words }))).toEqual({ ok: true });
  expect(checkSettings(vm, config({ arguments: words, addName: true }))).toMatchObject({
    ok: false,
    error: { kind: "arguments-too-long", length: 8191 + "--name=vm ".length },
  });
});

test("checkSettings takes any text", () => {
  expect(checkSettings(vm, config({ arguments: ["", " ", "ä \n 😀"] })).ok).toBe(true);
});
