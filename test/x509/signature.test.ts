import { constants, sign } from "node:crypto";
import { expect, test } from "vitest";
import { encodePublicKey } from "../../src/x509/keys.ts";
import { verifyPath } from "../../src/x509/path.ts";
import { type PublicKey, parsePublicKey } from "../../src/x509/public_key.ts";
import {
  encodeAlgorithm,
  parseAlgorithm,
  type SignatureAlgorithm,
  SignatureCache,
  verifySignature,
} from "../../src/x509/signature.ts";
import { delegate, freshKey, generate, leaf, now, root } from "./forge.ts";
import { must } from "./vectors.ts";

const tbs = Buffer.from("to be signed");
const hashes = ["sha256", "sha384", "sha512"] as const;

function shapeOf(key: ReturnType<typeof generate>): PublicKey {
  return must(parsePublicKey(encodePublicKey(key)));
}

test.for(hashes)("verifySignature takes ECDSA, PKCS #1 and PSS signatures over %s", (hash) => {
  const [rsa, ec] = [generate("rsa2048"), generate("p384")];
  const pss = { key: rsa, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
  const cases = [
    ["ecdsa", ec, sign(hash, tbs, ec)],
    ["rsa-pkcs1", rsa, sign(hash, tbs, rsa)],
    ["rsa-pss", rsa, sign(hash, tbs, pss)],
  ] as const;
  for (const [scheme, key, signature] of cases) {
    const algorithm = { scheme, hash };
    expect(parseAlgorithm(encodeAlgorithm(algorithm))).toEqual(algorithm);
    expect(verifySignature(shapeOf(key), { tbs, algorithm, signature })).toBe(true);
    expect(verifySignature(shapeOf(key), { tbs: tbs.subarray(1), algorithm, signature })).toBe(false);
  }
});

test("verifySignature refuses an algorithm that is not the key's, and none", () => {
  const key = generate("ed25519");
  const signature = sign(undefined, tbs, key);
  const algorithms: SignatureAlgorithm[] = [
    { scheme: "ed25519" },
    { scheme: "ecdsa", hash: "sha256" },
    { scheme: "rsa-pss", hash: "sha256" },
  ];
  const accepts = (algorithm: SignatureAlgorithm) => verifySignature(shapeOf(key), { tbs, algorithm, signature });
  expect(algorithms.map(accepts)).toEqual([true, false, false]);
  expect(verifySignature(shapeOf(key), { tbs, signature })).toBe(false);
});

test("verifySignature refuses a point that is not on its curve", () => {
  const spki = encodePublicKey(generate("p256"));
  spki[spki.length - 1] = (spki.at(-1) ?? 0) ^ 1;
  const signer = must(parsePublicKey(spki));
  const signed = { tbs, algorithm: { scheme: "ecdsa", hash: "sha256" }, signature: Uint8Array.of(0x30, 0) } as const;
  expect([signer.shape.kind, verifySignature(signer, signed)]).toEqual(["unsupported", false]);
});

const anchor = root();
const alice = delegate("alice", anchor);
const bob = delegate("bob", alice);
const bobsLeaf = leaf(bob);

test("a SignatureCache answers for intermediates it has seen, and for nothing else", () => {
  const cache = new SignatureCache(2);
  const all = [bobsLeaf, bob, alice].map(({ certificate }) => certificate);
  for (let round = 0; round < 2; round++)
    expect(verifyPath(all, anchor.certificate, now, "client", cache).ok).toBe(true);
  const [a, b] = [alice.certificate.fingerprint, bob.certificate.fingerprint];
  expect(cache.verify(a, b, () => false)).toBe(true);
  expect(cache.verify(anchor.certificate.fingerprint, a, () => false)).toBe(true);
  expect(cache.verify(b, bobsLeaf.certificate.fingerprint, () => false)).toBe(false);
  const forged = delegate("bob", alice, { key: bob.key, signer: freshKey() });
  const stuffed = [bobsLeaf, forged, alice].map(({ certificate }) => certificate);
  expect(verifyPath(stuffed, anchor.certificate, now, "client", cache).ok).toBe(false);
});

test("a SignatureCache keeps no more than its limit, the used before the unused", () => {
  const cache = new SignatureCache(2);
  const [one, two, three] = [Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3)];
  for (const entry of [one, two, one, three]) cache.verify(one, entry, () => true);
  expect([one, two, three].map((entry) => cache.verify(one, entry, () => false))).toEqual([true, false, true]);
});
