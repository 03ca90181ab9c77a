import { expect, test } from "vitest";
import { errands } from "../../bench/honest.ts";
import { besiege } from "../../bench/siege.ts";

/** Three parts: without a handshake, with one, and with an authority's certificate; `npm run siege` sends thousands of each. */
test("reference bugs 19 and 21: 1,580 rude clients of 17 kinds keep no honest one from being served, and leave nothing", async () => {
  const { seen, before, after } = await besiege(
    { raw: 220, tls: 40, tenant: 40 },
    { programs: "dist/bin", rest: 3000 },
  );
  expect(seen).toHaveLength(1 + 5 + 5 + 7);
  for (const { kind, accounts } of seen) {
    for (const errand of errands) {
      expect([kind, errand, accounts[errand].failures]).toEqual([kind, errand, []]);
      expect(accounts[errand].milliseconds.length, `${kind}: ${errand}`).toBeGreaterThan(0);
    }
  }
  for (const at of [0, 1]) expect(after.descriptors[at]).toBeLessThanOrEqual(before.descriptors[at] ?? 0);
  for (const at of [0, 1] as const) expect(after.megabytes[at]).toBeLessThan(before.megabytes[at] + 150);
}, 180_000);
