import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import {
  bitString,
  boolean,
  constructed,
  type Der,
  encodeDer,
  encoded,
  integer,
  nul,
  octets,
  primitive,
  sequence,
} from "../../src/codec/der_writer.ts";
import { parseCertificate } from "../../src/x509/certificate.ts";
import { encodeName } from "../../src/x509/distinguished_name.ts";
import { oids, writeOid } from "../../src/x509/oid.ts";
import { maxPath, verifyPath } from "../../src/x509/path.ts";
import { SignatureCache } from "../../src/x509/signature.ts";
import { cpuTime } from "./cpu_time.ts";
import { authority, delegate, extension, forgeDer, freshKey, generate, leaf, now, root } from "./forge.ts";

/** Milliseconds of CPU for any one path. */
const limit = 50;

/** Bytes: a third of what a stranger may send, which is enough to see what looks at each of them. */
const large = 5 * 2 ** 20;

const anchor = root();
const shape = { name: "vm", issuer: anchor, keyIds: "none" } as const;

/** As many of `item` as fill a certificate, behind a header. */
function filled(tag: number, item: Der): Der {
  const bytes = encodeDer(item);
  return primitive(tag, Buffer.alloc(large - (large % bytes.length), bytes));
}

const attribute = sequence(writeOid("550403"), primitive(0x0c, Buffer.from("a")));
const alternative = primitive(0x82, Buffer.from("a.example.com"));
const subtree = sequence(primitive(0x82, Buffer.from("a.example.com")));
const inExtension = (oid: string, value: Der): Uint8Array =>
  forgeDer({ ...shape, extra: [extension(oid, true, encodeDer(value))] });
const withKey = (spki: Der): Uint8Array => forgeDer({ ...shape, spki: encodeDer(spki) });

test.for<[string, () => Uint8Array]>([
  [
    "a subject of a million names",
    () => forgeDer({ ...shape, subject: encodeDer(filled(0x30, primitive(0x31, encodeDer(attribute)))) }),
  ],
  [
    "a name of a million attributes",
    () => forgeDer({ ...shape, subject: encodeDer(sequence(filled(0x31, attribute))) }),
  ],
  ["a common name of 5 MiB", () => forgeDer({ ...shape, subject: encodeName("a".repeat(large)) })],
  [
    "a common name of 5 MiB that is no UTF-8",
    () =>
      forgeDer({
        ...shape,
        subject: encodeDer(
          sequence(
            constructed(0x31, [sequence(writeOid(oids.commonName), primitive(0x0c, Buffer.alloc(large, 0xff)))]),
          ),
        ),
      }),
  ],
  ["a million alternative names", () => inExtension(oids.subjectAltName, filled(0x30, alternative))],
  [
    "an alternative name of 5 MiB",
    () => inExtension(oids.subjectAltName, sequence(primitive(0x82, Buffer.alloc(large, "a.")))),
  ],
  [
    "a mail address of 5 MiB",
    () => inExtension(oids.subjectAltName, sequence(primitive(0x81, Buffer.alloc(large, "@")))),
  ],
  ["an address of 5 MiB", () => inExtension(oids.subjectAltName, sequence(primitive(0x87, Buffer.alloc(large))))],
  [
    "a directory of a million names",
    () =>
      inExtension(
        oids.subjectAltName,
        sequence(constructed(0xa4, [filled(0x30, primitive(0x31, encodeDer(attribute)))])),
      ),
  ],
  ["a million subtrees", () => inExtension(oids.nameConstraints, sequence(filled(0xa0, subtree)))],
  ["a million purposes", () => inExtension(oids.extendedKeyUsage, filled(0x30, writeOid(oids.clientAuth)))],
  ["a keyUsage of 5 MiB", () => inExtension(oids.keyUsage, primitive(3, Buffer.alloc(large)))],
  [
    "a path length of 5 MiB",
    () => inExtension(oids.basicConstraints, sequence(boolean(true), primitive(2, Buffer.alloc(large, 1)))),
  ],
  [
    "a million ways to information",
    () =>
      inExtension(
        oids.authorityInfoAccess,
        filled(0x30, sequence(writeOid("2a03"), primitive(0x86, new Uint8Array(1)))),
      ),
  ],
  [
    "a million extensions",
    () =>
      forgeDer({
        ...shape,
        extra: [
          encoded(
            Buffer.concat(
              Array.from({ length: 100 }, () =>
                Buffer.alloc(80_000, encodeDer(extension("2a03", false, new Uint8Array(3)))),
              ),
            ),
          ),
        ],
      }),
  ],
  [
    "an identifier of 5 MiB",
    () => forgeDer({ ...shape, extra: [extension("2a".repeat(large / 8), true, new Uint8Array())] }),
  ],
  [
    "a key's algorithm of 5 MiB",
    () => withKey(sequence(sequence(writeOid("2a03"), octets(Buffer.alloc(large))), bitString(new Uint8Array(32)))),
  ],
  [
    "a modulus of 5 MiB",
    () =>
      withKey(
        sequence(
          sequence(writeOid("2a864886f70d010101"), nul),
          bitString(encodeDer(sequence(primitive(2, Buffer.alloc(large, 1)), integer(3)))),
        ),
      ),
  ],
  [
    "a point of 5 MiB",
    () =>
      withKey(
        sequence(sequence(writeOid("2a8648ce3d0201"), writeOid("2a8648ce3d030107")), bitString(Buffer.alloc(large, 4))),
      ),
  ],
])("parseCertificate and verifyPath are done with %s in less than 50 ms", ([, forgeLarge]) => {
  const der = forgeLarge();
  const time = cpuTime(() => {
    const parsed = parseCertificate(der);
    expect(parsed.ok && verifyPath([parsed.value], anchor.certificate, now, "client").ok).toBe(false);
  });
  expect(time).toBeLessThan(limit);
});

test("the costliest keys that are allowed, on the longest path, take less than 50 ms", () => {
  const modulus = randomBytes(1024);
  modulus[0] = 0xff;
  modulus[1023] = 0xff;
  const key = encodeDer(sequence(primitive(2, Buffer.concat([Uint8Array.of(0), modulus])), integer(0xffffffff)));
  const spki = encodeDer(sequence(sequence(writeOid("2a864886f70d010101"), nul), bitString(key)));
  const costly = delegate("costly", anchor, { spki });
  // Whoever signs by RSA: the check itself fails, which takes as long as if it did not.
  const signer = generate("rsa2048");
  const below = leaf({ certificate: costly.certificate, key: signer }, { keyIds: "none" });
  const path = [below, costly].map(({ certificate }) => certificate);
  const time = cpuTime(() => {
    expect(verifyPath(path, anchor.certificate, now, "client")).toMatchObject({
      error: { kind: "signature-wrong", at: 0 },
    });
  });
  expect(time * maxPath).toBeLessThan(limit * 3);
});

test("a path costs one signature check for each certificate, and stops at the first that is wrong", () => {
  const chain = [anchor];
  for (let depth = 1; depth < maxPath; depth++) chain.unshift(delegate(`level-${depth}`, chain[0] ?? anchor));
  const [nearest, ...others] = chain.slice(0, -1);
  if (nearest === undefined) throw new Error("no chain");
  const checks: boolean[] = [];
  const counting = new (class extends SignatureCache {
    override verify(issuer: Uint8Array, subject: Uint8Array, check: () => boolean): boolean {
      return super.verify(issuer, subject, () => {
        checks.push(check());
        return checks.at(-1) ?? false;
      });
    }
  })(100);
  const verify = (...holders: readonly { readonly certificate: ReturnType<typeof leaf>["certificate"] }[]) =>
    verifyPath(
      holders.map(({ certificate }) => certificate),
      anchor.certificate,
      now,
      "client",
      counting,
    ).ok;
  expect(verify(leaf(nearest), nearest, ...others)).toBe(true);
  expect(checks).toEqual(Array.from({ length: maxPath - 1 }, () => true));
  expect(verify(leaf(nearest), nearest, ...others)).toBe(true);
  expect(checks).toHaveLength(maxPath - 1);
  const forged = delegate("level-1", anchor, { ...authority, signer: freshKey() });
  const below = delegate("level-2", forged);
  expect(verify(leaf(below), below, forged)).toBe(false);
  expect(checks.slice(maxPath - 1)).toEqual([false]);
});
