import { expect, test } from "vitest";
import { checkDevices, type Manifest } from "../../src/core/manifest.ts";
import { config } from "./fixture.ts";

const manifest: Manifest = {
  target: "hvt",
  abi: 2,
  devices: [
    { name: "b", type: "block" },
    { name: "a", type: "block" },
    { name: "service", type: "net" },
  ],
};
const bridges = [{ netif: "service" }];

test("checkDevices takes the declared devices in any order", () => {
  const given = config({ blocks: [{ name: "a" }, { name: "b", device: "other" }], bridges });
  expect(checkDevices(manifest, given)).toEqual({ ok: true });
});

test.for([
  [[], "block"],
  [["a"], "block"],
  [["a", "b", "c"], "block"],
  [["a", "a"], "block"],
  [["a", "a", "b"], "block"],
  [["a,b"], "block"],
] as const)("checkDevices refuses the block devices %j where a and b are declared", ([names, type]) => {
  const given = config({ blocks: names.map((name) => ({ name })), bridges });
  expect(checkDevices(manifest, given)).toEqual({
    ok: false,
    error: { kind: "devices-differ", type, declared: ["b", "a"], given: names },
  });
});

test("checkDevices refuses a network device that is missing, and one that a block device would stand for", () => {
  const blocks = [{ name: "a" }, { name: "b" }];
  const missing = { kind: "devices-differ", type: "net", declared: ["service"], given: [] };
  expect(checkDevices(manifest, config({ blocks }))).toEqual({ ok: false, error: missing });
  const swapped = checkDevices({ ...manifest, devices: [{ name: "service", type: "block" }] }, config({ bridges }));
  expect(swapped).toMatchObject({ ok: false, error: { type: "block", declared: ["service"], given: [] } });
});
