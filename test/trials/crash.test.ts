import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { findHindrance } from "../../trials/interruption.ts";
import { Network } from "../../trials/network.ts";
import { steps } from "../../trials/steps.ts";
import { interrupt, rehearse } from "../../trials/trial.ts";

vi.setConfig({ testTimeout: 180_000 });

const top = join(import.meta.dirname, "../..");

// `npm run crash` tries every step at every change, and failing disks too.
test("reference bug 15: a daemon killed at its writes has done what it answered, and nothing else", async ({
  skip,
}) => {
  const hindrance = await findHindrance();
  if (hindrance !== undefined) skip(hindrance);
  const step = steps.find(({ name }) => name === "destroy");
  if (step === undefined) throw new Error("no such step");
  const network = await Network.open();
  try {
    const ground = { top, network };
    const expected = await rehearse(ground, step);
    for (const text of [/ fdatasync /, / write socket/]) {
      const at = expected.changes.find((change) => text.test(change.text))?.at ?? 0;
      // Helpers do their part meanwhile: it may be one of the changes beside it.
      const { change, faults } = await interrupt(ground, step, { at, harm: "KILL" }, expected);
      expect(change).toBeDefined();
      expect(faults).toEqual([]);
    }
  } finally {
    network.close();
  }
});
