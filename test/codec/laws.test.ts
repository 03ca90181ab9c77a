import { BaseBlock, Constructed, fromBER, Sequence, Set as SetBlock } from "asn1js";
import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeConfig, encodeConfig } from "../../src/codec/config.ts";
import { decodeExtension, encodeExtension } from "../../src/codec/extension.ts";
import { encodeFrame } from "../../src/codec/frame.ts";
import { decodePolicy, encodePolicy } from "../../src/codec/policy.ts";
import { decodeWire, encodeMessage, encodeWire } from "../../src/codec/wire.ts";
import { command, config, image, mutated, policy, wire } from "./arbitrary.ts";
import { hex, stable } from "./vectors.ts";

test("decodeWire gives back what encodeWire was given, and encodeWire its bytes", () => {
  fc.assert(
    fc.property(wire, (message) => {
      const bytes = encodeWire(message);
      const decoded = decodeWire(bytes);
      expect(decoded.ok && stable(decoded.value)).toBe(stable(message));
      expect(decoded.ok && hex(encodeWire(decoded.value))).toBe(hex(bytes));
    }),
    { numRuns: 1000 },
  );
});

test("encodeMessage writes each byte of what encodeWire writes, framed", () => {
  fc.assert(
    fc.property(wire, (message) => {
      expect(hex(encodeMessage(message))).toBe(hex(encodeFrame(encodeWire(message))));
    }),
    { numRuns: 500 },
  );
});

test("decodeExtension gives back what encodeExtension was given", () => {
  fc.assert(
    fc.property(command, (asked) => {
      const decoded = decodeExtension(encodeExtension(asked));
      expect(decoded.ok && stable(decoded.value)).toBe(stable(asked));
    }),
    { numRuns: 500 },
  );
});

test("decodePolicy gives back what encodePolicy was given", () => {
  fc.assert(
    fc.property(policy, (limits) => {
      expect(decodePolicy(encodePolicy(limits))).toEqual({ ok: true, value: limits });
    }),
  );
});

test("decodeConfig gives back what encodeConfig was given", () => {
  fc.assert(
    fc.property(config, image, (asked, bytes) => {
      const decoded = decodeConfig(encodeConfig(asked, bytes));
      expect(decoded.ok && stable(decoded.value)).toBe(stable({ config: asked, image: bytes }));
    }),
  );
});

test("no bytes make a decoder throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      for (const decode of [decodeWire, decodeExtension, decodePolicy, decodeConfig]) {
        expect(decode(bytes).ok).toBe(false);
      }
    }),
    { numRuns: 1000 },
  );
});

test("what decodeWire accepts of changed messages means the same once it is written again", () => {
  fc.assert(
    fc.property(mutated(wire.map(encodeWire)), (bytes) => {
      const decoded = decodeWire(bytes);
      if (!decoded.ok) return;
      const written = encodeWire(decoded.value);
      const again = decodeWire(written);
      expect(again.ok && stable(again.value)).toBe(stable(decoded.value));
      expect(again.ok && hex(encodeWire(again.value))).toBe(hex(written));
    }),
    { numRuns: 3000 },
  );
});

test("what decodeExtension accepts of changed extensions means the same once it is written again", () => {
  fc.assert(
    fc.property(mutated(command.map(encodeExtension)), (bytes) => {
      const decoded = decodeExtension(bytes);
      if (!decoded.ok) return;
      const again = decodeExtension(encodeExtension(decoded.value));
      expect(again.ok && stable(again.value)).toBe(stable(decoded.value));
    }),
    { numRuns: 2000 },
  );
});

test("asn1js reads what encodeWire writes, with the same structure", () => {
  fc.assert(
    fc.property(wire, (message) => {
      const bytes = encodeWire(message);
      const read = fromBER(bytes);
      expect(read.offset).toBe(bytes.length);
      expect(shape(read.result)).toEqual(walk(bytes)[0]);
    }),
    { numRuns: 300 },
  );
});

/** Tag byte, length of the content, and what is inside a constructed value. */
type Shape = readonly [tag: number, length: number, inside: readonly Shape[]];

function shape(block: BaseBlock): Shape {
  const { tagClass, isConstructed, tagNumber } = block.idBlock;
  const tag = ((tagClass - 1) << 6) | (isConstructed ? 0x20 : 0) | tagNumber;
  const inside: readonly unknown[] =
    block instanceof Constructed || block instanceof Sequence || block instanceof SetBlock
      ? block.valueBlock.value
      : [];
  return [tag, block.lenBlock.length, inside.filter((member) => member instanceof BaseBlock).map(shape)];
}

/** The same by the few lines that DER takes. */
function walk(bytes: Uint8Array): readonly Shape[] {
  const shapes: Shape[] = [];
  for (let at = 0; at < bytes.length; ) {
    const [tag = 0, first = 0] = bytes.subarray(at);
    const extra = first < 0x80 ? 0 : first & 0x7f;
    const length = extra === 0 ? first : Number.parseInt(hex(bytes.subarray(at + 2, at + 2 + extra)), 16);
    const content = bytes.subarray(at + 2 + extra, at + 2 + extra + length);
    shapes.push([tag, length, (tag & 0x20) === 0 ? [] : walk(content)]);
    at += 2 + extra + length;
  }
  return shapes;
}
