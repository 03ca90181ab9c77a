import { expect, test } from "vitest";
import { claimMacs } from "../../src/core/macs.ts";
import type { Attached } from "../../src/core/state.ts";
import { name } from "./fixture.ts";

const mac = Uint8Array.of(0, 0x80, 0x41, 0, 0, 1);
const devices: readonly Attached[] = [{ kind: "net", device: "eth", bridge: "service", mac }];

test.for([
  ["alice/bob/other", { by: name("alice/vm") }],
  ["other", { by: name("alice/vm") }],
  ["mallory/other", {}],
] as const)("claimMacs tells %s by whom an address is taken, if that is its business", ([asking, told]) => {
  const taken = claimMacs(undefined, name("alice/vm"), devices);
  expect(claimMacs(taken.ok ? taken.value : undefined, name(asking), devices)).toEqual({
    ok: false,
    error: { kind: "mac-taken", bridge: "service", mac, ...told },
  });
});
