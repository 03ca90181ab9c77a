import { X509Certificate } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeDer, encoded, octets, primitive, sequence, setOf, text } from "../../src/codec/der_writer.ts";
import { parseCertificate } from "../../src/x509/certificate.ts";
import { encodeName } from "../../src/x509/distinguished_name.ts";
import { oids, writeOid } from "../../src/x509/oid.ts";
import { addPolicy, authority, client, day, extension, forge, forgeDer, info, leaf, now, root } from "./forge.ts";
import { must, readCertificates, readDer } from "./vectors.ts";

const folders = ["pki", "pki-ed25519", "pki-p256", "pki-p384", "pki-p521", "pki-rsa2048", "pki-rsa4096"];

test.for(folders.flatMap((folder) => [`${folder}/cacert.pem`, `${folder}/server.pem`]))(
  "parseCertificate reads %s as Node does",
  (file) => {
    const [ours] = readCertificates(file);
    const node = new X509Certificate(ours.raw);
    expect(`CN=${ours.subject.commonName}`).toBe(node.subject);
    expect(`CN=${ours.issuer.commonName}`).toBe(node.issuer);
    expect(Buffer.from(ours.serial).toString("hex").replace(/^00/, "").toUpperCase()).toBe(node.serialNumber);
    expect([ours.notBefore, ours.notAfter]).toEqual([Date.parse(node.validFrom), Date.parse(node.validTo)]);
    expect(Buffer.from(ours.fingerprint).toString("hex")).toBe(node.fingerprint256.replaceAll(":", "").toLowerCase());
    expect(Buffer.from(ours.publicKey.spki)).toEqual(node.publicKey.export({ format: "der", type: "spki" }));
    expect(ours.extensions.basicConstraints?.ca).toBe(node.ca);
  },
);

test("parseCertificate reads albatross's profiles", () => {
  const [delegate] = readCertificates("pki/dev.pem");
  expect(delegate.extensions).toMatchObject({
    basicConstraints: { critical: true, ca: true },
    keyUsage: { digitalSignature: true, keyCertSign: true, crlSign: true },
    unhandled: [],
  });
  expect(delegate.extensions.command?.length).toBe(46);
  const [server] = readCertificates("pki/server.pem");
  expect(server.extensions).toMatchObject({
    basicConstraints: { critical: true, ca: false },
    keyUsage: { digitalSignature: true, keyCertSign: false, crlSign: false },
    extendedKeyUsage: [oids.serverAuth],
  });
  expect(readCertificates("pki/cacert.pem")[0].extensions.subjectKeyId).toBeUndefined();
});

test("parseCertificate gives views into what it was given", () => {
  const der = leaf(root()).certificate.raw;
  const { raw, tbs, signature, extensions } = must(parseCertificate(der));
  for (const view of [raw, tbs, signature, extensions.command]) expect(view?.buffer).toBe(der.buffer);
});

const anchor = root();
const shape = { ...client, name: "vm", issuer: anchor, command: info };

function refusal(odd: Parameters<typeof forgeDer>[0]) {
  const parsed = parseCertificate(forgeDer({ ...shape, ...odd }));
  return parsed.ok ? undefined : parsed.error;
}

test("reference bug N6: parseCertificate takes version 3 alone", () => {
  expect(refusal({ version: 1 })).toEqual({ kind: "version", version: 1 });
  expect(refusal({ version: 2 })).toEqual({ kind: "version", version: 2 });
  expect(refusal({ version: 4 })).toEqual({ kind: "version", version: 4 });
});

test("reference bug N6: parseCertificate takes positive serials of up to 20 bytes", () => {
  expect(refusal({ serial: 0n })).toEqual({ kind: "serial-not-positive" });
  expect(refusal({ serial: -1n })).toEqual({ kind: "serial-not-positive" });
  expect(refusal({ serial: 2n ** 159n - 1n })).toBeUndefined();
  expect(refusal({ serial: 2n ** 159n })).toEqual({ kind: "serial-too-long", length: 21, limit: 20 });
});

test("parseCertificate refuses an empty issuer, and not an empty subject", () => {
  const nameless = forge({ ...authority, subject: encodeName(undefined), keyIds: "none" as const, issuer: anchor });
  expect(refusal({ issuer: nameless })).toEqual({ kind: "issuer-empty" });
  expect(must(parseCertificate(nameless.certificate.raw)).subject).not.toHaveProperty("commonName");
});

test("parseCertificate refuses an extension twice, known or not", () => {
  for (const [oid, dotted] of [
    [oids.command, "1.3.6.1.4.1.49836.42"],
    ["2a03", "1.2.3"],
  ] as const) {
    const twice = [extension(oid, false, new Uint8Array()), extension(oid, false, new Uint8Array())];
    expect(refusal({ command: addPolicy, extra: twice })).toEqual({ kind: "extension-repeated", oid: dotted });
  }
});

test.for<[string, string, Uint8Array]>([
  ["basicConstraints with FALSE spelled out", oids.basicConstraints, Uint8Array.of(0x30, 3, 1, 1, 0)],
  ["basicConstraints with a path length and no CA", oids.basicConstraints, Uint8Array.of(0x30, 3, 2, 1, 0)],
  ["a negative path length", oids.basicConstraints, Uint8Array.of(0x30, 6, 1, 1, 0xff, 2, 1, 0xff)],
  ["keyUsage with padding bits set", oids.keyUsage, Uint8Array.of(3, 2, 1, 0xff)],
  ["keyUsage without bits", oids.keyUsage, Uint8Array.of(3, 0)],
  ["extendedKeyUsage of nothing", oids.extendedKeyUsage, Uint8Array.of(0x30, 0)],
  ["authorityKeyId without a key identifier", oids.authorityKeyId, Uint8Array.of(0x30, 0)],
  ["subjectKeyId with trailing bytes", oids.subjectKeyId, Uint8Array.of(4, 1, 7, 0)],
  ["authorityInfoAccess of nothing", oids.authorityInfoAccess, Uint8Array.of(0x30, 0)],
])("parseCertificate refuses %s", ([, oid, value]) => {
  const bare = { name: "vm", issuer: anchor, keyIds: "none" as const, extra: [extension(oid, false, value)] };
  const parsed = parseCertificate(forgeDer(bare));
  expect(parsed).toMatchObject({ ok: false, error: { kind: "extension-malformed" } });
});

test.for([oids.subjectKeyId, oids.authorityKeyId])("parseCertificate marks a critical %s unhandled", (oid) => {
  const value = encodeDer(
    oid === oids.subjectKeyId ? octets(Uint8Array.of(1)) : sequence(primitive(0x80, Uint8Array.of(1))),
  );
  const odd = forge({ name: "vm", issuer: anchor, keyIds: "none" as const, extra: [extension(oid, true, value)] });
  expect(odd.certificate.extensions.unhandled.length).toBe(1);
});

test("parseCertificate takes a critical subjectAltName with an empty subject alone", () => {
  const names = encodeDer(sequence(primitive(0x82, Buffer.from("example.com"))));
  const unhandled = (name: string | undefined, critical: boolean) =>
    forge({ issuer: anchor, subject: encodeName(name), extra: [extension(oids.subjectAltName, critical, names)] })
      .certificate.extensions.unhandled.length;
  expect([unhandled("vm", true), unhandled("vm", false)]).toEqual([1, 0]);
  expect([unhandled(undefined, true), unhandled(undefined, false)]).toEqual([0, 1]);
});

const attribute = (tag: number, value: string, oid: string = oids.commonName) =>
  sequence(writeOid(oid), primitive(tag, Buffer.from(value, "latin1")));
const nameOf = (...rdns: ReturnType<typeof attribute>[][]) =>
  encodeDer(sequence(...rdns.map((rdn) => setOf(rdn, (it) => it))));

test("the common name is that of the last RDN that has one", () => {
  const organization = sequence(writeOid("55040a"), text("o"));
  const subject = nameOf([attribute(0x0c, "first")], [attribute(0x13, "last")], [organization]);
  expect(leaf(anchor, { subject }).certificate.subject.commonName).toBe("last");
  expect(leaf(anchor, { subject: nameOf([organization]) }).certificate.subject).not.toHaveProperty("commonName");
  expect(leaf(anchor, { subject: nameOf([attribute(0x16, "")]) }).certificate.subject.commonName).toBe("");
});

test("parseCertificate refuses a common name that it cannot read", () => {
  const problem = (tag: number, value: string) => refusal({ subject: nameOf([attribute(tag, value)]) });
  expect(problem(0x0c, "\xff")).toMatchObject({ problem: "text-not-utf8" });
  expect(problem(0x13, "\xe9")).toMatchObject({ problem: "value-refused" });
  expect(problem(0x1e, "\0v\0m")).toMatchObject({ problem: "tag-unexpected" });
});

test("parseCertificate refuses trailing bytes and another algorithm outside", () => {
  const der = forgeDer(shape);
  expect(parseCertificate(Buffer.concat([der, Uint8Array.of(0)]))).toMatchObject({
    error: { problem: "trailing-bytes" },
  });
  const { tbs, signature } = must(parseCertificate(der));
  const algorithm = sequence(writeOid("2a8648ce3d040302"));
  const other = encodeDer(
    sequence(encoded(tbs), algorithm, primitive(3, Buffer.concat([Uint8Array.of(0), signature]))),
  );
  expect(parseCertificate(other)).toEqual({ ok: false, error: { kind: "algorithms-differ" } });
});

test("parseCertificate takes GeneralizedTime from 2050 on alone", () => {
  const time = (value: string) => primitive(0x18, Buffer.from(value));
  const until = (value: string) => {
    const tbs = Buffer.from(forgeDer({ ...shape, notBefore: now - day, notAfter: now }));
    const utc = Buffer.from([
      0x17,
      13,
      ...Buffer.from(new Date(now).toISOString().replace(/^..|[-:T]|\....Z$/g, "")),
      0x5a,
    ]);
    const at = tbs.indexOf(utc);
    return { at, grown: Buffer.concat([tbs.subarray(0, at), encodeDer(time(value)), tbs.subarray(at + utc.length)]) };
  };
  // Two bytes more in three nested lengths of two or three bytes: the outer two and that of the validity.
  const grow = (value: string) => {
    const { at, grown } = until(value);
    expect(at).toBeGreaterThan(0);
    for (const offset of [2, 6]) grown.writeUInt16BE(grown.readUInt16BE(offset) + 2, offset);
    grown[at - 16] = (grown[at - 16] ?? 0) + 2;
    return parseCertificate(grown);
  };
  expect(must(grow("20500101000000Z")).notAfter).toBe(Date.UTC(2050, 0));
  expect(grow("20491231235959Z")).toMatchObject({ error: { problem: "time-out-of-range" } });
});

test("parseCertificate never throws, and never changes its mind about an accepted certificate", () => {
  const seeds = [...folders.map((folder) => readDer(`${folder}/server.pem`)), readDer("pki/dev.pem")];
  const edit = fc.record({ at: fc.nat(2000), byte: fc.nat(255), kind: fc.constantFrom("set", "cut", "insert") });
  fc.assert(
    fc.property(fc.constantFrom(...seeds), fc.array(edit, { minLength: 1, maxLength: 3 }), (seed, edits) => {
      const bytes = [...seed];
      for (const { at, byte, kind } of edits) {
        bytes.splice(at % bytes.length, kind === "insert" ? 0 : 1, ...(kind === "cut" ? [] : [byte]));
      }
      const parsed = parseCertificate(Uint8Array.from(bytes));
      return !parsed.ok || parsed.value.raw.length === bytes.length;
    }),
    { numRuns: 3000 },
  );
});
