import fc from "fast-check";
import { test } from "vitest";

/** A law as a test of its own. It has a minute: a busy machine breaks no law. */
export function property<T>(law: string, values: fc.Arbitrary<T>, holds: (value: T) => void, numRuns = 100): void {
  test(law, () => {
    fc.assert(fc.property(values, holds), { numRuns });
  }, 60_000);
}
