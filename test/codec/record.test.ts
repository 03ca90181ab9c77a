import fc from "fast-check";
import { expect, test } from "vitest";
import {
  decodeGrant,
  decodePast,
  decodeUnikernel,
  encodeGrant,
  encodePast,
  encodeUnikernel,
  pastKey,
} from "../../src/codec/record.ts";
import { config, name, policy, time } from "./arbitrary.ts";
import { hex, stable } from "./vectors.ts";

test("decodeGrant gives back what encodeGrant was given", () => {
  fc.assert(
    fc.property(policy, time, (limits, notBefore) => {
      const grant = { policy: limits, notBefore };
      expect(decodeGrant(encodeGrant(grant))).toEqual({ ok: true, value: grant });
    }),
  );
});

test("decodePast gives back what encodePast and pastKey were given", () => {
  fc.assert(
    fc.property(name, fc.constantFrom("own" as const, "floor" as const), time, ({ path }, kind, when) => {
      const memory = { path, kind, time: when };
      expect(decodePast(pastKey(memory), encodePast(when))).toEqual({ ok: true, value: memory });
    }),
  );
});

test("decodeUnikernel gives back what encodeUnikernel was given", () => {
  fc.assert(
    fc.property(config, fc.uint8Array({ minLength: 32, maxLength: 32 }), (asked, digest) => {
      const bytes = encodeUnikernel({ config: asked, digest });
      const decoded = decodeUnikernel(bytes);
      expect(decoded.ok && stable(decoded.value)).toBe(stable({ config: asked, digest }));
      expect(decoded.ok && hex(encodeUnikernel(decoded.value))).toBe(hex(bytes));
    }),
  );
});

test("decodeGrant and decodeUnikernel refuse each other's records", () => {
  fc.assert(
    fc.property(policy, config, (limits, asked) => {
      expect(decodeUnikernel(encodeGrant({ policy: limits, notBefore: 0 })).ok).toBe(false);
      expect(decodeGrant(encodeUnikernel({ config: asked, digest: new Uint8Array(32) })).ok).toBe(false);
    }),
  );
});
