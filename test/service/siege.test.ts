import { expect, test } from "vitest";
import { besiege } from "../../bench/siege.ts";

/** Ten kinds, half of them without a handshake; `npm run siege` sends thousands of each. */
test("reference bugs 19 and 21: 1,300 rude clients of ten kinds keep no honest one from being served, and leave nothing", async () => {
  const { seen, descriptors, megabytes } = await besiege({ raw: 220, tls: 40 }, "dist/bin");
  expect(seen).toHaveLength(10);
  expect(seen.filter(({ failed, served }) => failed > 0 || served === 0)).toEqual([]);
  expect(descriptors[1]).toBeLessThanOrEqual(descriptors[0]);
  expect(megabytes[1]).toBeLessThan(megabytes[0] + 200);
}, 180_000);
