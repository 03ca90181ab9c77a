import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeDer, integer } from "../../src/codec/der_writer.ts";
import { type Crl, findRevoked, listRevoked, maxCrl, parseCrl, verifyCrl } from "../../src/x509/crl.ts";
import { issueCrl } from "../../src/x509/issue_crl.ts";
import { encodeKey, keyTypes } from "../../src/x509/keys.ts";
import { oids, printOid } from "../../src/x509/oid.ts";
import { encodeCertificates, encodePem, parsePem } from "../../src/x509/pem.ts";
import { mutated } from "../codec/arbitrary.ts";
import { unhex } from "../codec/vectors.ts";
import { property } from "../core/property.ts";
import { crlExtension, entry, forgeCrl, nothing, reason } from "./crl_forge.ts";
import { authority, day, delegate, forge, generate, now, root } from "./forge.ts";
import { findProgram, must } from "./vectors.ts";

const ca = root();
const alice = delegate("alice", ca);

function parsed(der: Uint8Array): Crl {
  return must(parseCrl(der));
}

function refusal(der: Uint8Array): string {
  const crl = parseCrl(der);
  if (crl.ok) return "taken";
  return crl.error.kind === "der" ? crl.error.problem : crl.error.kind;
}

const serial = fc.uint8Array({ minLength: 1, maxLength: 19 }).filter((bytes) => bytes.some((byte) => byte !== 0));
const minimal = (bytes: Uint8Array): Uint8Array =>
  unhex(
    Buffer.from(encodeDer(integer(BigInt(`0x${Buffer.from(bytes).toString("hex")}`))))
      .toString("hex")
      .slice(4),
  );

property(
  "a list that was made reads as what was put into it: findRevoked knows its serial numbers and no other",
  fc.record({
    revoked: fc.uniqueArray(serial, {
      maxLength: 20,
      selector: (it) => BigInt(`0x${Buffer.from(it).toString("hex")}`),
    }),
    other: serial,
    number: fc.nat(),
  }),
  ({ revoked, other, number }) => {
    const entries = revoked.map((bytes, index) => ({ serial: minimal(bytes), time: now - index * 1000 }));
    const der = issueCrl({
      issuer: ca.certificate,
      issuerKey: ca.key,
      number,
      thisUpdate: now,
      nextUpdate: now + day,
      revoked: entries,
    });
    const crl = parsed(der);
    expect([crl.number, crl.thisUpdate, crl.nextUpdate]).toEqual([BigInt(number), now, now + day]);
    expect(verifyCrl(crl, ca.certificate).ok).toBe(true);
    for (const one of entries) expect(findRevoked(crl, one.serial)).toBe(one.time);
    const known = entries.find((one) => Buffer.compare(one.serial, minimal(other)) === 0);
    expect(findRevoked(crl, minimal(other))).toBe(known?.time);
    expect(listRevoked(crl)).toHaveLength(entries.length);
  },
);

property(
  "parseCrl never throws, and what it takes of a list that was changed is no list of the authority's",
  mutated(fc.constant(forgeCrl({ issuer: ca, entries: [entry(7n), entry(9n, reason(1))] }))),
  (der) => {
    const crl = parseCrl(der);
    if (!crl.ok || Buffer.compare(der, forgeCrl({ issuer: ca, entries: [entry(7n), entry(9n, reason(1))] })) === 0)
      return;
    expect(verifyCrl(crl.value, ca.certificate).ok).toBe(false);
  },
);

test("parseCrl keeps views into what it was given, and copies no entry", () => {
  const der = forgeCrl({ issuer: ca, entries: [entry(7n)] });
  const crl = parsed(der);
  expect(crl.raw).toBe(der);
  for (const view of [crl.tbs, crl.signature, crl.issuer.bytes, listRevoked(crl)[0]?.serial]) {
    expect(view?.buffer).toBe(der.buffer);
  }
});

test.for([
  ["a delta", crlExtension(oids.deltaCrlIndicator, true, encodeDer(integer(1))), "crl-partial"],
  ["a distribution point's", crlExtension(oids.issuingDistributionPoint, true, nothing), "crl-partial"],
  ["a distribution point's, not critical", crlExtension(oids.issuingDistributionPoint, false, nothing), "crl-partial"],
  ["an unknown critical extension", crlExtension("2a0304", true, nothing), "extension-unhandled"],
  ["an unknown extension", crlExtension("2a0304", false, nothing), "taken"],
] as const)("parseCrl and %s: %s", ([, extra, result]) => {
  expect(refusal(forgeCrl({ issuer: ca, extra: [extra] }))).toBe(result);
});

test.for([
  ["an entry of another issuer", entry(7n, crlExtension(oids.certificateIssuer, true, nothing)), "crl-partial"],
  ["an unknown critical extension", entry(7n, crlExtension("2a0304", true, nothing)), "extension-unhandled"],
  ["an unknown extension", entry(7n, crlExtension("2a0304", false, nothing)), "taken"],
  ["the reason keyCompromise", entry(7n, reason(1)), "taken"],
  ["the reason removeFromCRL", entry(7n, reason(8)), "value-refused"],
  ["a reason that is none", entry(7n, reason(11)), "value-refused"],
  ["a negative serial number", entry(-7n), "value-refused"],
  ["a serial number of 21 bytes", entry(1n << 160n), "value-refused"],
] as const)("parseCrl and an entry with %s: %s", ([, one, result]) => {
  expect(refusal(forgeCrl({ issuer: ca, entries: [one] }))).toBe(result);
});

test.for([
  [{ version: 1 }, "version"],
  [{ number: false }, "crl-number-missing"],
  [{ number: -1n }, "value-refused"],
  [{ number: 1n << 160n }, "value-refused"],
  [{ nextUpdate: false }, "next-update-missing"],
  [{ nextUpdate: now - day }, "next-update-early"],
  [{ emptyEntries: true }, "value-refused"],
  [{ entries: [entry(7n), entry(7n)] }, "serial-repeated"],
  [{ extra: [crlExtension(oids.crlNumber, false, encodeDer(integer(2)))] }, "extension-repeated"],
  [{ entries: Array.from({ length: 16_385 }, (_, index) => entry(BigInt(index + 1))) }, "crl-too-many-entries"],
] as const)("parseCrl refuses %o", ([shape, result]) => {
  expect(refusal(forgeCrl({ issuer: ca, ...shape }))).toBe(result);
});

test("parseCrl refuses more bytes than a list may have before it reads them", () => {
  expect(refusal(new Uint8Array(maxCrl + 1))).toBe("crl-too-large");
});

test("verifyCrl takes a list of the authority's name and key alone, and where its certificate lets it sign lists", () => {
  const why = (der: Uint8Array, holder = ca): string => {
    const origin = verifyCrl(parsed(der), holder.certificate);
    return origin.ok ? "taken" : origin.error.kind;
  };
  const mute = forge({ ...authority, usage: 0x84, name: "root", keyIds: "none" });
  expect(why(forgeCrl({ issuer: ca }))).toBe("taken");
  expect(why(forgeCrl({ issuer: alice }))).toBe("crl-issuer-differs");
  expect(why(forgeCrl({ issuer: ca, signer: alice.key }))).toBe("signature-wrong");
  expect(why(forgeCrl({ issuer: mute }), mute)).toBe("crl-not-for-issuer");
});

const openssl = findProgram("openssl");

function inFolder(act: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "fulmar-"));
  try {
    act(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test.skipIf(openssl === undefined).for(keyTypes)("openssl verifies our list by a key of type %s", (type) => {
  const holder = forge({ ...authority, key: generate(type), name: "root", keyIds: "none" });
  const revoked = [{ serial: Uint8Array.of(0, 0x80, 1), time: now }];
  const common = { issuer: holder.certificate, issuerKey: holder.key, thisUpdate: now, nextUpdate: now + day };
  const pem = encodePem("X509 CRL", issueCrl({ ...common, number: 300, revoked }));
  inFolder((folder) => {
    writeFileSync(join(folder, "ca.pem"), encodeCertificates([holder.certificate.raw]));
    writeFileSync(join(folder, "crl.pem"), pem);
    const args = ["crl", "-in", "crl.pem", "-CAfile", "ca.pem", "-verify", "-noout", "-text"];
    const text = execFileSync(openssl ?? "", args, { cwd: folder, stdio: "pipe" }).toString();
    expect(text).toMatch(/Serial Number: 8001/);
    expect(text).toMatch(/CRL Number: \n\s+300/);
  });
});

const config = `[ca]
default_ca = own
[own]
database = index.txt
crlnumber = number
default_md = sha256
default_crl_days = 7
certificate = ca.pem
private_key = ca.key
crl_extensions = ext
[ext]
authorityKeyIdentifier = keyid,issuer
`;

test.skipIf(openssl === undefined)("parseCrl reads a list that openssl made", () => {
  const key = generate("p256");
  const holder = forge({ ...authority, key, name: "root", keyIds: "subject" });
  inFolder((folder) => {
    const line = "R\t270101000000Z\t261122000000Z,keyCompromise\t0A0B0C\tunknown\t/CN=vm\n";
    for (const [name, text] of [
      ["index.txt", line],
      ["number", "0400\n"],
      ["openssl.cnf", config],
      ["ca.pem", encodeCertificates([holder.certificate.raw])],
      ["ca.key", encodeKey(key)],
    ] as const) {
      writeFileSync(join(folder, name), text);
    }
    execFileSync(openssl ?? "", ["ca", "-gencrl", "-config", "openssl.cnf", "-out", "crl.pem"], {
      cwd: folder,
      stdio: "pipe",
    });
    const [block] = must(parsePem(readFileSync(join(folder, "crl.pem"), "latin1")));
    const crl = parsed(block?.der ?? nothing);
    expect(verifyCrl(crl, holder.certificate)).toEqual({ ok: true, value: undefined });
    expect([crl.number, findRevoked(crl, unhex("0a0b0c"))]).toEqual([0x400n, Date.UTC(2026, 10, 22)]);
  });
});

test("printOid knows the extensions of lists by their dots", () => {
  const { crlNumber, reasonCode, deltaCrlIndicator, issuingDistributionPoint, certificateIssuer } = oids;
  const dotted = [crlNumber, reasonCode, deltaCrlIndicator, issuingDistributionPoint, certificateIssuer].map(printOid);
  expect(dotted).toEqual(["2.5.29.20", "2.5.29.21", "2.5.29.27", "2.5.29.28", "2.5.29.29"]);
});
