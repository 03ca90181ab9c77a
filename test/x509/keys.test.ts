import { createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { expect, test } from "vitest";
import {
  encodeKey,
  encodePublicKey,
  keyFromSeed,
  keyOptions,
  keyTypes,
  parseKey,
  signBytes,
} from "../../src/x509/keys.ts";
import { isStrong, parsePublicKey } from "../../src/x509/public_key.ts";
import { generate } from "./forge.ts";
import { must, readKey } from "./vectors.ts";

test.for(keyTypes)("a key of type %s is written, read and signed with", (type) => {
  const key = generate(type);
  const read = must(parseKey(encodeKey(key)));
  expect(read.equals(key)).toBe(true);
  const message = Buffer.from("message");
  const hash = {
    ed25519: undefined,
    p256: "sha256",
    p384: "sha384",
    p521: "sha512",
    rsa2048: "sha256",
    rsa4096: "sha256",
  };
  expect(verify(hash[type], message, createPublicKey(read), signBytes(read, message))).toBe(true);
  expect(isStrong(must(parsePublicKey(encodePublicKey(read))).shape)).toBe(true);
});

test.for(keyTypes)("parseKey reads albatross's key of type %s", (type) => {
  const key = readKey(`pki-${type}/sub.key`);
  expect(must(parsePublicKey(encodePublicKey(key))).shape.kind).toBe(type.startsWith("rsa") ? "rsa" : type);
});

test("keyOptions makes RSA keys of the size that the type says", () => {
  const options = ["rsa2048", "rsa4096"] as const;
  expect(options.map(keyOptions)).toEqual([
    { algorithm: "rsa", modulusLength: 2048 },
    { algorithm: "rsa", modulusLength: 4096 },
  ]);
});

test("keyFromSeed gives the key of RFC 8032 section 7.1, test 1", () => {
  const seed = Buffer.from("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "hex");
  const publicKey = must(parsePublicKey(encodePublicKey(keyFromSeed(seed)))).bits;
  expect(Buffer.from(publicKey).toString("hex")).toBe(
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
  );
});

test("parseKey names what is wrong", () => {
  const ed448 = generateKeyPairSync("ed448").privateKey.export({ format: "pem", type: "pkcs8" }).toString();
  const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey.export({ format: "pem", type: "pkcs8" });
  const locked = generate("p256").export({ format: "pem", type: "pkcs8", cipher: "aes-256-cbc", passphrase: "x" });
  const kindOf = (pem: string) => {
    const key = parseKey(pem);
    return key.ok ? "ok" : key.error.kind;
  };
  expect(kindOf("")).toBe("key-missing");
  expect(kindOf("-----BEGIN PRIVATE KEY-----\n")).toBe("key-malformed");
  expect(kindOf("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")).toBe("key-malformed");
  expect(kindOf(locked.toString())).toBe("key-encrypted");
  expect(kindOf(ed448)).toBe("key-unsupported");
  expect(kindOf(weak.toString())).toBe("key-unsupported");
});

test("parseKey reads OpenSSL's older forms, text around them", () => {
  const key = generate("p384");
  const sec1 = key.export({ format: "pem", type: "sec1" }).toString();
  expect(must(parseKey(`a key\n${sec1}the end`)).equals(key)).toBe(true);
});
