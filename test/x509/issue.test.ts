import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Certificate as PkijsCertificate } from "pkijs";
import { expect, test } from "vitest";
import { decodeDer, type Reader } from "../../src/codec/der.ts";
import { encodeExtension } from "../../src/codec/extension.ts";
import { type Certificate, parseCertificate } from "../../src/x509/certificate.ts";
import { readExtension } from "../../src/x509/extensions.ts";
import { type Issuance, issueCertificate } from "../../src/x509/issue.ts";
import { encodePublicKey, type KeyType, keyTypes } from "../../src/x509/keys.ts";
import { oids, printOid } from "../../src/x509/oid.ts";
import { verifyPath } from "../../src/x509/path.ts";
import { encodeCertificates } from "../../src/x509/pem.ts";
import { addPolicy, day, generate, type Holder, info, now } from "./forge.ts";
import { findProgram, must, readCertificates, readKey } from "./vectors.ts";

function issue(type: KeyType, issuer: Holder | undefined, rest: Partial<Issuance> & Pick<Issuance, "profile">): Holder {
  const key = generate(type);
  const der = issueCertificate({
    publicKey: encodePublicKey(key),
    issuerKey: issuer?.key ?? key,
    notBefore: now - day,
    notAfter: now + day,
    serial: Uint8Array.of(0x80, 1),
    ...(issuer === undefined ? {} : { issuer: issuer.certificate }),
    ...rest,
  });
  return { key, certificate: must(parseCertificate(der)) };
}

function family(type: KeyType) {
  const root = issue(type, undefined, { profile: "authority", commonName: "root" });
  const server = issue(type, root, { profile: "server", commonName: "server" });
  const alice = issue(type, root, { profile: "authority", commonName: "alice", extension: encodeExtension(addPolicy) });
  const leaf = issue(type, alice, { profile: "client", commonName: "vm", extension: encodeExtension(info) });
  return { root, server, alice, leaf };
}

/** The TBSCertificate's fields one by one, extensions as (identifier, criticality, value). */
function readFields(certificate: Certificate) {
  return must(
    decodeDer(certificate.tbs, (reader) =>
      reader.sequence((tbs) => {
        const fields = Array.from({ length: 7 }, () => hex(tbs.raw()));
        const extensions = tbs.explicit(3, (inside: Reader) => inside.sequenceOf(readExtension));
        return { fields, extensions: extensions.map(({ oid, critical, value }) => [oid, critical, hex(value)]) };
      }),
    ),
  );
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** albatross writes keyUsage with a byte of zero bits behind, which DER has not. */
function withoutTrailingZeros([oid, critical, value]: (string | boolean)[]) {
  const minimal: Readonly<Record<string, string>> = { "030307c600": "030201c6", "030307a000": "030205a0" };
  return [oid, critical, oid === oids.keyUsage ? minimal[String(value)] : value];
}

test.for([
  ["pki/cacert.pem", undefined, "authority"],
  ["pki/dev.pem", ["pki/cacert.pem", "pki/ca.key"], "authority"],
  ["pki/team.pem", ["pki/dev.pem", "pki/dev.key"], "authority"],
  ["pki/server.pem", ["pki/cacert.pem", "pki/ca.key"], "server"],
  ["leaf/info-hello/hello.pem", ["pki/dev.pem", "pki/dev.key"], "client"],
  ...keyTypes.flatMap((type) => [
    [`pki-${type}/sub.pem`, [`pki-${type}/cacert.pem`, `pki-${type}/ca-${type}.key`], "authority"] as const,
    [`pki-${type}/server.pem`, [`pki-${type}/cacert.pem`, `pki-${type}/ca-${type}.key`], "server"] as const,
  ]),
] as const)("issueCertificate makes %s again, field by field", ([file, issuer, profile]) => {
  const [original] = readCertificates(file);
  const { commonName } = original.subject;
  const { command } = original.extensions;
  const again = issueCertificate({
    profile,
    publicKey: original.publicKey.spki,
    issuerKey: readKey(issuer === undefined ? "pki/ca.key" : issuer[1]),
    notBefore: original.notBefore,
    notAfter: original.notAfter,
    serial: original.serial,
    ...(issuer === undefined ? {} : { issuer: readCertificates(issuer[0])[0] }),
    ...(commonName === undefined ? {} : { commonName }),
    ...(command === undefined ? {} : { extension: command }),
  });
  const theirs = readFields(original);
  const ours = readFields(must(parseCertificate(again)));
  expect(ours.fields).toEqual(theirs.fields);
  expect(ours.extensions).toEqual(theirs.extensions.map(withoutTrailingZeros));
});

test.for(keyTypes)("a family of keys of type %s is a path for us, and Node and pkijs read it alike", (type) => {
  const { root, server, alice, leaf } = family(type);
  expect(verifyPath([server.certificate], root.certificate, now, "server").ok).toBe(true);
  expect(verifyPath([leaf.certificate, alice.certificate], root.certificate, now, "client").ok).toBe(true);
  for (const [child, parent] of [
    [root, root],
    [server, root],
    [alice, root],
    [leaf, alice],
  ] as const) {
    const ours = child.certificate;
    const node = new X509Certificate(ours.raw);
    const nodesParent = new X509Certificate(parent.certificate.raw);
    expect([node.checkIssued(nodesParent), node.verify(nodesParent.publicKey)]).toEqual([true, true]);
    expect([node.subject, node.serialNumber, node.ca]).toEqual([
      `CN=${ours.subject.commonName}`,
      "8001",
      ours.extensions.basicConstraints?.ca,
    ]);
    const pkijs = PkijsCertificate.fromBER(ours.raw);
    expect([pkijs.notBefore.value.getTime(), pkijs.notAfter.value.getTime()]).toEqual([ours.notBefore, ours.notAfter]);
    const found = readFields(ours).extensions.map(([oid, critical]) => [printOid(String(oid)), critical]);
    expect(pkijs.extensions?.map(({ extnID, critical }) => [extnID, critical])).toEqual(found);
  }
});

test("issueCertificate writes GeneralizedTime from 2050 on, whole seconds, and a serial without leading zeros", () => {
  const { certificate } = issue("ed25519", undefined, {
    profile: "authority",
    commonName: "root",
    notBefore: now + 999,
    notAfter: Date.UTC(2050, 0),
    serial: Uint8Array.of(0, 0, 7),
  });
  expect(certificate).toMatchObject({ notBefore: now, notAfter: Date.UTC(2050, 0), serial: Uint8Array.of(7) });
});

test("reference bug 34: what a second-level delegate issues is a path", () => {
  const { root, alice } = family("ed25519");
  const bob = issue("ed25519", alice, {
    profile: "authority",
    commonName: "bob",
    extension: encodeExtension(addPolicy),
  });
  const leaf = issue("ed25519", bob, { profile: "client", commonName: "vm", extension: encodeExtension(info) });
  const chain = [leaf, bob, alice].map(({ certificate }) => certificate);
  expect(must(verifyPath(chain, root.certificate, now, "client")).intermediates.length).toBe(2);
});

const openssl = findProgram("openssl");

test.skipIf(openssl === undefined).for(keyTypes)("openssl verifies a family of keys of type %s", (type) => {
  const { root, server, alice, leaf } = family(type);
  const folder = mkdtempSync(join(tmpdir(), "fulmar-"));
  const write = (name: string, ...holders: Holder[]) => {
    const file = join(folder, name);
    writeFileSync(file, encodeCertificates(holders.map(({ certificate }) => certificate.raw)));
    return file;
  };
  const verify = (...args: string[]) =>
    execFileSync(openssl ?? "", ["verify", "-attime", String(now / 1000), ...args], { stdio: "pipe" });
  try {
    const [rootFile, aliceFile] = [write("root", root), write("alice", alice)];
    verify("-CAfile", rootFile, "-purpose", "sslserver", write("server", server));
    verify("-CAfile", rootFile, "-untrusted", aliceFile, "-purpose", "sslclient", write("leaf", leaf));
    // Strict OpenSSL wants a key identifier in every CA. albatross's root has none, so the strict path begins below it.
    verify("-x509_strict", "-partial_chain", "-CAfile", aliceFile, "-purpose", "sslclient", write("leaf", leaf));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
