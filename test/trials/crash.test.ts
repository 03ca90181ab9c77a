import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { canInterrupt } from "../../trials/interruption.ts";
import { steps } from "../../trials/steps.ts";
import { tryStep } from "../../trials/trial.ts";
import { enterNetworkNamespace } from "../host/namespace.ts";

vi.setConfig({ testTimeout: 180_000 });

const isAlone = enterNetworkNamespace() && spawnSync("ip", ["link", "add", "service", "type", "bridge"]).status === 0;

// `npm run crash` tries every step at every call, and failing disks too.
test("reference bug 15: a daemon killed at its writes has done what it answered, and nothing else", async ({
  skip,
}) => {
  if (!isAlone) skip("no network namespace of its own can be had");
  if (!canInterrupt()) skip("strace is missing, or may not trace here");
  const step = steps.find(({ name }) => name === "destroy");
  if (step === undefined) throw new Error("no such step");
  const top = join(import.meta.dirname, "../..");
  const row = await tryStep(top, step, { harm: "KILL", calls: ["pwrite64", "fdatasync"], most: 1 });
  expect(row.faults).toEqual([]);
  expect(row.interruptions).toBeGreaterThan(0);
});
