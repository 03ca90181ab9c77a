import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { expect, test } from "vitest";
import { bitString, encodeDer, integer, nul, sequence } from "../../src/codec/der_writer.ts";
import { encodePublicKey } from "../../src/x509/keys.ts";
import { writeOid } from "../../src/x509/oid.ts";
import { isStrong, parsePublicKey } from "../../src/x509/public_key.ts";
import { generate } from "./forge.ts";
import { must } from "./vectors.ts";

function rsa(modulus: bigint, exponent: bigint): Uint8Array {
  const key = encodeDer(sequence(integer(modulus), integer(exponent)));
  return encodeDer(sequence(sequence(writeOid("2a864886f70d010101"), nul), bitString(key)));
}

test.for<[number, bigint, boolean]>([
  [2048, 65537n, true],
  [2048, 3n, true],
  [8192, 65537n, true],
  [2047, 65537n, false],
  [2049, 65537n, false],
  [2040, 65537n, false],
  [8200, 65537n, false],
  [2048, 1n, false],
  [2048, 65536n, false],
  [2048, 2n ** 32n + 1n, false],
])("isStrong: RSA of %d bits with exponent %d is %s", ([bits, exponent, strong]) => {
  const { shape } = must(parsePublicKey(rsa(2n ** BigInt(bits) - 1n, exponent)));
  expect(shape).toEqual({ kind: "rsa", bits, exponent: Number(exponent) });
  expect(isStrong(shape)).toBe(strong);
});

test("parsePublicKey refuses a modulus that is not positive, and an exponent that no number holds", () => {
  for (const spki of [rsa(0n, 3n), rsa(-5n, 3n), rsa(5n, 2n ** 80n)]) expect(parsePublicKey(spki).ok).toBe(false);
});

test("parsePublicKey does not support other algorithms, other curves, curves spelled out, or cut points", () => {
  const ec = (namedCurve: string, paramEncoding: "named" | "explicit"): KeyObject =>
    generateKeyPairSync("ec", { namedCurve, paramEncoding }).publicKey;
  const short = sequence(sequence(writeOid("2b6570")), bitString(new Uint8Array(31)));
  const keys = [
    encodePublicKey(generateKeyPairSync("ed448").publicKey),
    encodePublicKey(ec("secp256k1", "named")),
    encodePublicKey(ec("prime256v1", "explicit")),
    encodeDer(short),
  ];
  for (const spki of keys) {
    const { shape } = must(parsePublicKey(spki));
    expect([shape.kind, isStrong(shape)]).toEqual(["unsupported", false]);
  }
});

test.for(["p256", "p384", "p521"] as const)("parsePublicKey takes points of %s, and none beside it", (curve) => {
  for (let round = 0; round < 5; round++) {
    const spki = encodePublicKey(generate(curve));
    expect(must(parsePublicKey(spki)).shape.kind).toBe(curve);
    const moved = spki.with(-1, (spki.at(-1) ?? 0) ^ 1);
    expect(must(parsePublicKey(moved)).shape.kind).toBe("unsupported");
  }
  const spki = encodePublicKey(generate(curve));
  const { bits } = must(parsePublicKey(spki));
  const header = spki.subarray(0, spki.length - bits.length);
  for (const fill of [0, 0xff]) {
    const point = Uint8Array.of(4, ...new Uint8Array(bits.length - 1).fill(fill));
    expect(must(parsePublicKey(Buffer.concat([header, point]))).shape.kind).toBe("unsupported");
  }
});
