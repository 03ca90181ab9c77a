import { execFileSync } from "node:child_process";
import { CertificationRequest } from "pkijs";
import { expect, test } from "vitest";
import { encodeExtension } from "../../src/codec/extension.ts";
import { encodeRequest, parseRequest } from "../../src/x509/csr.ts";
import { encodePublicKey, keyTypes } from "../../src/x509/keys.ts";
import { encodePem } from "../../src/x509/pem.ts";
import { addPolicy, freshKey, generate, info } from "./forge.ts";
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

test("parseRequest refuses a request that its key did not sign", () => {
  const der = encodeRequest(freshKey(), "alice", addPolicy);
  const at = Buffer.from(der).indexOf("alice");
  expect(parseRequest(Uint8Array.from(der, (byte, index) => (index === at ? byte ^ 1 : byte)))).toEqual({
    ok: false,
    error: { kind: "signature-wrong" },
  });
});

test("parseRequest refuses our extension where it does not decode", () => {
  const der = Buffer.from(encodeRequest(freshKey(), "alice", undefined));
  expect(parseRequest(der.subarray(0, -1))).toMatchObject({ error: { kind: "der", problem: "truncated" } });
});

test.skipIf(findProgram("openssl") === undefined).for(keyTypes)(
  "openssl verifies our request by a key of type %s",
  (type) => {
    const pem = encodePem("CERTIFICATE REQUEST", encodeRequest(generate(type), "alice", addPolicy));
    const text = execFileSync("openssl", ["req", "-verify", "-noout", "-subject"], {
      input: pem,
      stdio: "pipe",
    }).toString();
    expect(text).toMatch(/CN ?= ?alice/);
  },
);
