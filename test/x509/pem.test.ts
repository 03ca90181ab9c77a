import { expect, test } from "vitest";
import { encodeCertificates, encodePem, parseCertificates, parsePem } from "../../src/x509/pem.ts";
import { must, readCertificates, readVector } from "./vectors.ts";

test("parsePem takes several blocks, the text around them, and both line ends", () => {
  const [one, two] = [
    encodePem("A", Buffer.from("one")),
    encodePem("B B", Buffer.from("two")).replaceAll("\n", "\r\n"),
  ];
  const blocks = must(parsePem(`before\n${one}between -----\n${two}after`));
  expect(blocks.map(({ label, der }) => [label, Buffer.from(der).toString()])).toEqual([
    ["A", "one"],
    ["B B", "two"],
  ]);
});

test("encodePem breaks lines after 64 characters", () => {
  const lines = encodePem("X", new Uint8Array(49)).split("\n");
  expect(lines.map((line) => line.length)).toEqual([17, 64, 4, 15, 0]);
});

test.for([
  ["-----BEGIN A-----\nAAAA\n", { kind: "pem-not-ended", label: "A", line: 1 }],
  ["\n-----BEGIN A-----\nAAAA\n-----END B-----\n", { kind: "pem-not-ended", label: "A", line: 2 }],
  ["-----BEGIN A-----\n-----BEGIN B-----\n-----END B-----\n", { kind: "pem-not-ended", label: "A", line: 1 }],
  ["-----BEGIN A-----\nAAA\n-----END A-----\n", { kind: "pem-bad-base64", label: "A", line: 1 }],
  ["-----BEGIN A-----\nA!AA\n-----END A-----\n", { kind: "pem-bad-base64", label: "A", line: 1 }],
] as const)("parsePem refuses %j", ([text, error]) => {
  expect(parsePem(text)).toEqual({ ok: false, error });
});

test("reference bug 30: parseCertificates reads the two certificates that albatross writes for a nested delegate", () => {
  expect(readCertificates("pki/team.pem").map(({ subject }) => subject.commonName)).toEqual(["team", "dev"]);
});

test("encodeCertificates gives back albatross's own files", () => {
  const text = readVector("pki/team.pem");
  expect(encodeCertificates(must(parseCertificates(text)).map(({ raw }) => raw)).trim()).toBe(
    text.trim().replaceAll("\r\n", "\n"),
  );
});

test("parseCertificates says which certificate is bad, and wants one at least", () => {
  const good = readVector("pki/dev.pem");
  const error = { kind: "pem-bad-certificate", index: 1, error: { kind: "der", problem: "truncated", at: 0 } };
  expect(parseCertificates(good + encodePem("CERTIFICATE", Uint8Array.of(0x30, 1)))).toMatchObject({
    ok: false,
    error,
  });
  expect(parseCertificates(readVector("pki/dev.key"))).toEqual({
    ok: false,
    error: { kind: "pem-missing", label: "CERTIFICATE" },
  });
});
