import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { findDiskHindrance } from "../../trials/disk.ts";
import { findHindrance } from "../../trials/interruption.ts";
import { Network } from "../../trials/network.ts";
import type { Ground } from "../../trials/place.ts";
import { type Step, steps } from "../../trials/steps.ts";
import { interrupt, rehearse } from "../../trials/trial.ts";

vi.setConfig({ testTimeout: 240_000 });

async function openGround(): Promise<Ground> {
  const network = await Network.open();
  onTestFinished(() => network.close());
  return { top: join(import.meta.dirname, "../.."), network };
}

function stepOf(wanted: string): Step {
  const step = steps.find(({ name }) => name === wanted);
  if (step === undefined) throw new Error(`no step ${wanted}`);
  return step;
}

// `npm run crash` tries every step at every change, and failing disks too.
test("reference bug 15: a daemon killed at its writes has done what it answered, and nothing else", async ({
  skip,
}) => {
  const hindrance = await findHindrance();
  if (hindrance !== undefined) return skip(hindrance);
  const ground = await openGround();
  const step = stepOf("destroy");
  const expected = await rehearse(ground, step);
  for (const text of [/ fdatasync /, / write socket/]) {
    const at = expected.changes.find((change) => text.test(change.text))?.at ?? 0;
    // Helpers do their part meanwhile: it may be one of the changes beside it.
    const { change, faults } = await interrupt(ground, step, { at, harm: "KILL" }, expected);
    expect(change).toBeDefined();
    expect(faults).toEqual([]);
  }
});

test("a power cut right behind an answer takes nothing back, whether or not the file system wrote its journal", async ({
  skip,
}) => {
  const hindrance = (await findHindrance()) ?? findDiskHindrance();
  if (hindrance !== undefined) return skip(hindrance);
  const ground = await openGround();
  for (const step of ["create-on-block", "block-set"].map(stepOf)) {
    const expected = await rehearse(ground, step);
    for (const harm of ["POWER", "POWER-JOURNAL"] as const) {
      const { answer, faults } = await interrupt(ground, step, { at: afterAll, harm }, expected);
      expect([step.name, harm, answer, faults]).toEqual([step.name, harm, "done", []]);
    }
  }
});

/** No step makes so many changes. */
const afterAll = 100_000;
