/**
 * Public keys as certificates carry them: which of the allowed kinds, how strong.
 *
 * @module
 */
import { type DerError, decodeDer } from "../codec/der.ts";
import { type Der, encodeDer, nul, sequence } from "../codec/der_writer.ts";
import { ok, type Result } from "../core/result.ts";
import { type Oid, writeOid } from "./oid.ts";

type Curve = "p256" | "p384" | "p521";

export type KeyShape =
  | { readonly kind: "ed25519" }
  | { readonly kind: Curve }
  | { readonly kind: "rsa"; readonly bits: number; readonly exponent: number }
  /** Another algorithm, a curve spelled out instead of named, or a point that is not on its curve. */
  | { readonly kind: "unsupported" };

/** SHA-1 of it is the key identifier that albatross writes (RFC 5280 section 4.2.1.2, method 1). */
export interface PublicKey {
  readonly shape: KeyShape;
  /** The content of the BIT STRING. */
  readonly bits: Uint8Array;
  /** SubjectPublicKeyInfo whole, as received. */
  readonly spki: Uint8Array;
}

/** Reads a SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7). */
export function parsePublicKey(spki: Uint8Array): Result<PublicKey, DerError> {
  const parts = decodeDer(spki, (reader) =>
    reader.sequence((info) => ({ algorithm: info.raw(), bits: info.bitString() })),
  );
  if (!parts.ok) return parts;
  const { algorithm, bits } = parts.value;
  const kind = algorithm.length > maxIdentifier ? undefined : kinds.get(Buffer.from(algorithm).toString("hex"));
  if (kind === undefined) return ok({ shape: { kind: "unsupported" }, bits, spki });
  if (kind === "rsa") {
    const shape = rsaShape(bits);
    return shape.ok ? ok({ shape: shape.value, bits, spki }) : shape;
  }
  const fits = kind === "ed25519" ? bits.length === ed25519Length : isOnCurve(bits, curves[kind]);
  return ok({ shape: fits ? { kind } : { kind: "unsupported" }, bits, spki });
}

/**
 * Whether a path may rest on the key: RSA of 2048 to 8192 bits in whole bytes (the upper end bounds the time of a
 * check, the Web PKI has the rest), with an odd exponent from 3 to 32 bits.
 */
export function isStrong(shape: KeyShape): boolean {
  if (shape.kind !== "rsa") return shape.kind !== "unsupported";
  const { bits, exponent } = shape;
  return bits >= 2048 && bits <= 8192 && bits % 8 === 0 && exponent >= 3 && exponent % 2 === 1 && exponent < 2 ** 32;
}

/** RSAPublicKey (RFC 8017 appendix A.1.1). */
function rsaShape(bits: Uint8Array): Result<KeyShape, DerError> {
  return decodeDer(bits, (reader) =>
    reader.sequence((key) => {
      const modulus = key.integerBytes();
      const exponent = key.integer();
      const first = modulus[0] === 0 ? 1 : 0;
      const length = modulus.length - first;
      if ((modulus[0] ?? 0) >= 0x80 || length === 0) key.fail("integer-out-of-range");
      return { kind: "rsa" as const, bits: length * 8 - (Math.clz32(modulus[first] ?? 0) - 24), exponent };
    }),
  );
}

/** An uncompressed point (RFC 5480 section 2.2). A leaf's key is checked nowhere else: the path never uses it. */
function isOnCurve(bits: Uint8Array, { size, prime, b }: CurveShape): boolean {
  if (bits.length !== 1 + 2 * size || bits[0] !== 4) return false;
  const [x, y] = [toBigInt(bits.subarray(1, 1 + size)), toBigInt(bits.subarray(1 + size))];
  return x < prime && y < prime && (y * y - (x * x - 3n) * x - b) % prime === 0n;
}

function toBigInt(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
}

/** A whole AlgorithmIdentifier, hexadecimal. */
function algorithm(oid: Oid, parameters?: Der): string {
  return Buffer.from(encodeDer(sequence(writeOid(oid), parameters))).toString("hex");
}

const ecPublicKey = "2a8648ce3d0201";

/** By AlgorithmIdentifier: each kind has exactly one. */
const kinds: ReadonlyMap<string, "ed25519" | Curve | "rsa"> = new Map<string, "ed25519" | Curve | "rsa">([
  [algorithm("2b6570"), "ed25519"],
  [algorithm(ecPublicKey, writeOid("2a8648ce3d030107")), "p256"],
  [algorithm(ecPublicKey, writeOid("2b81040022")), "p384"],
  [algorithm(ecPublicKey, writeOid("2b81040023")), "p521"],
  [algorithm("2a864886f70d010101", nul), "rsa"],
]);

/** Bytes of an AlgorithmIdentifier that is looked at: the longest that we know, of RSASSA-PSS, has 67. */
export const maxIdentifier = 100;

/** Bytes (RFC 8410 section 4). */
const ed25519Length = 32;

/** y² = x³ - 3x + b modulo `prime`; `size` is the bytes of a coordinate. */
interface CurveShape {
  readonly size: number;
  readonly prime: bigint;
  readonly b: bigint;
}

/** FIPS 186-4, appendix D.1.2. */
const curves: Readonly<Record<Curve, CurveShape>> = {
  p256: {
    size: 32,
    prime: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n,
    b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
  },
  p384: {
    size: 48,
    prime: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
    b: 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn,
  },
  p521: {
    size: 66,
    prime: 2n ** 521n - 1n,
    b: 0x51953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00n,
  },
};
