import { execFileSync } from "node:child_process";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { CertificationRequest } from "pkijs";
import { expect, test } from "vitest";
import { contextTag, tags } from "../../src/codec/der.ts";
import {
  bitString,
  constructed,
  type Der,
  encodeDer,
  encoded,
  integer,
  sequence,
  text,
} from "../../src/codec/der_writer.ts";
import { encodeExtension } from "../../src/codec/extension.ts";
import { encodeRequest, parseRequest, type RequestError } from "../../src/x509/csr.ts";
import { encodeName } from "../../src/x509/distinguished_name.ts";
import { algorithmOf, encodePublicKey, keyTypes, signBytes } from "../../src/x509/keys.ts";
import { oids, writeOid } from "../../src/x509/oid.ts";
import { encodePem } from "../../src/x509/pem.ts";
import { encodeAlgorithm } from "../../src/x509/signature.ts";
import { addPolicy, extension, freshKey, generate, info } from "./forge.ts";
import { findProgram, must, readDer, readLines } from "./vectors.ts";

const requests = readLines<{ file: string; subject: string; extension: string }>("leaf/csrs.jsonl");

test.for(requests)("parseRequest reads $file", ({ file, subject, extension }) => {
  const { commonName, command } = must(parseRequest(readDer(file)));
  expect(`/CN=${commonName}`).toBe(subject);
  expect(command && Buffer.from(encodeExtension(command)).toString("hex")).toBe(extension);
});

test.for(keyTypes)("parseRequest reads albatross's request by a key of type %s", (type) => {
  const { commonName, command } = must(parseRequest(readDer(`pki-${type}/sub.req`)));
  expect([commonName, command?.kind]).toEqual(["sub", "policy-add"]);
});

test.for(keyTypes)("parseRequest reads what encodeRequest writes with a key of type %s, and so does pkijs", (type) => {
  const key = generate(type);
  const der = encodeRequest(key, "alice", addPolicy);
  const request = must(parseRequest(der));
  expect([request.commonName, request.command]).toEqual(["alice", addPolicy]);
  expect(Buffer.from(request.publicKey.spki)).toEqual(Buffer.from(encodePublicKey(key)));
  const second = CertificationRequest.fromBER(der);
  expect(second.subject.typesAndValues[0]?.value.valueBlock.value).toBe("alice");
  expect(second.attributes?.map((attribute) => attribute.type)).toEqual(["1.2.840.113549.1.9.14"]);
});

test("a request without a command asks for nothing of ours", () => {
  const request = must(parseRequest(encodeRequest(freshKey(), "server", undefined)));
  expect(request).not.toHaveProperty("command");
  expect(must(parseRequest(encodeRequest(freshKey(), undefined, info)))).not.toHaveProperty("commonName");
});

test.for([[], ["info", "console"]] as const)("a request says that %j is to be permitted", (permissions) => {
  const request = must(parseRequest(encodeRequest(freshKey(), "alice", addPolicy, permissions)));
  expect([request.permissions, request.command]).toEqual([permissions, addPolicy]);
  expect(must(parseRequest(encodeRequest(freshKey(), "alice", addPolicy)))).not.toHaveProperty("permissions");
});

test("parseRequest refuses a request that its key did not sign", () => {
  const der = encodeRequest(freshKey(), "alice", addPolicy);
  const at = Buffer.from(der).indexOf("alice");
  expect(parseRequest(Uint8Array.from(der, (byte, index) => (index === at ? byte ^ 1 : byte)))).toEqual({
    ok: false,
    error: { kind: "signature-wrong" },
  });
});

test("parseRequest refuses what is cut short", () => {
  const der = encodeRequest(freshKey(), "alice", addPolicy);
  expect(parseRequest(der.subarray(0, -1))).toMatchObject({ error: { kind: "der", problem: "truncated" } });
});

interface Odd {
  readonly version?: number;
  readonly key?: KeyObject;
  /** Hexadecimal AlgorithmIdentifier. */
  readonly algorithm?: string;
  readonly attributes?: readonly Der[];
}

/** A request of any shape, well signed. */
function forgeRequest({ version = 1, key = freshKey(), algorithm, attributes }: Odd): Uint8Array {
  const info = sequence(
    integer(version - 1),
    encoded(encodeName("odd")),
    encoded(encodePublicKey(key)),
    attributes && constructed(contextTag(0), attributes),
  );
  const identifier = algorithm === undefined ? encodeAlgorithm(algorithmOf(key)) : Buffer.from(algorithm, "hex");
  return encodeDer(sequence(info, encoded(identifier), bitString(signBytes(key, encodeDer(info)))));
}

const ours = extension(oids.command, true, encodeExtension(info));
const asked = (...extensions: Der[]) =>
  sequence(writeOid(oids.extensionRequest), constructed(tags.set, [sequence(...extensions)]));
const challenge = sequence(writeOid("2a864886f70d010907"), constructed(tags.set, [text("x")]));

test("parseRequest passes over other attributes, other extensions and criticality", () => {
  const other = extension(oids.basicConstraints, true, Uint8Array.of(0x30, 0));
  expect(must(parseRequest(forgeRequest({ attributes: [challenge, asked(other, ours)] }))).command).toEqual(info);
  expect(must(parseRequest(forgeRequest({})))).not.toHaveProperty("command");
});

test.for<[string, Odd, RequestError]>([
  ["another version", { version: 2 }, { kind: "version", version: 2 }],
  ["a weak key", { key: generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey }, { kind: "key-weak" }],
  ["SHA-1", { algorithm: "300d06092a864886f70d0101050500" }, { kind: "algorithm-unsupported" }],
  ["another algorithm than it is signed by", { algorithm: "300a06082a8648ce3d040302" }, { kind: "signature-wrong" }],
  ["our extension twice", { attributes: [asked(ours), asked(ours)] }, { kind: "extension-repeated" }],
])("parseRequest refuses %s", ([, odd, error]) => {
  expect(parseRequest(forgeRequest(odd))).toEqual({ ok: false, error });
});

test("parseRequest refuses our extension where it does not decode", () => {
  const attributes = [asked(extension(oids.command, false, Uint8Array.of(0x30)))];
  expect(parseRequest(forgeRequest({ attributes }))).toMatchObject({ error: { kind: "extension-undecodable" } });
});

const openssl = findProgram("openssl");

test.skipIf(openssl === undefined).for(keyTypes)("openssl verifies our request by a key of type %s", (type) => {
  const pem = encodePem("CERTIFICATE REQUEST", encodeRequest(generate(type), "alice", addPolicy));
  const text = execFileSync(openssl ?? "", ["req", "-verify", "-noout", "-subject"], {
    input: pem,
    stdio: "pipe",
  }).toString();
  expect(text).toMatch(/CN ?= ?alice/);
});
