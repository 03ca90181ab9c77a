import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { type Certificate, type CertificateError, parseCertificate } from "../../src/x509/certificate.ts";
import { oids } from "../../src/x509/oid.ts";
import { type PathError, verifyPath } from "../../src/x509/path.ts";
import { encodeCertificates } from "../../src/x509/pem.ts";
import { now } from "./forge.ts";
import { buildChain, type Chain, fieldChanges, listChanges, maxBit, type Plan } from "./mutation.ts";

/**
 * `openssl verify -x509_strict` as a second opinion on chains that were valid before they were changed. It builds the
 * path itself, from whatever it is given; wherever the two differ otherwise, the difference has a name here.
 *
 * FULMAR_FUZZ_RUNS=20000 looks further, from another seed each time.
 */
const { FULMAR_FUZZ_RUNS = "0" } = process.env;
const runs = Number(FULMAR_FUZZ_RUNS);

/** The certificates that could be read, leaf first, the anchor last. */
type Path = readonly Certificate[];

interface Difference {
  readonly name: string;
  readonly example: Partial<Plan>;
}

/** We refuse, for this reason. */
interface Stricter extends Difference {
  readonly holds: (error: PathError | CertificateError, chain: Chain, path: Path) => boolean;
}

/** We accept, and OpenSSL has this error. */
interface Laxer extends Difference {
  readonly error: number;
  readonly holds: (path: Path) => boolean;
}

const at = (where: number, change: string): Partial<Plan> => ({ fields: [[where, change]] });
const kind =
  (...kinds: readonly string[]) =>
  (error: { readonly kind: string }): boolean =>
    kinds.includes(error.kind);
const unhandled =
  (...dotted: readonly string[]) =>
  (error: PathError | CertificateError): boolean =>
    error.kind === "extension-unhandled" && dotted.includes(error.oid);

const stricter: readonly Stricter[] = [
  {
    name: "what is presented is the path, in its order and whole",
    example: { presented: "with a stranger" },
    holds: (error, { presented }) => kind("not-issued-by-next", "signature-wrong")(error) && presented.length > 1,
  },
  {
    name: "a signed and its signer are compared by the bytes of their names",
    example: at(0, "its issuer's name in capitals"),
    holds: (error) => error.kind === "not-issued-by-next",
  },
  { name: "a leaf is no authority", example: at(0, "an authority"), holds: kind("leaf-is-authority") },
  {
    name: "a leaf signs: TLS 1.3 has no other use for its key",
    example: at(0, "keyUsage keyAgreement"),
    holds: kind("leaf-cannot-sign"),
  },
  { name: "an anchor has no purposes", example: at(2, "for clients"), holds: kind("anchor-inconsistent") },
  {
    name: "there is one DER of everything",
    example: at(0, "an extension with critical spelled out"),
    holds: kind("der"),
  },
  {
    name: "extensions are read as RFC 5280 writes them",
    example: at(2, "empty key identifier"),
    holds: kind("extension-malformed"),
  },
  {
    name: "alternative names are well-formed, though nobody asks for them",
    example: at(0, "a malformed alternative name"),
    holds: (error) => error.kind === "extension-malformed" && error.oid === "2.5.29.17",
  },
  { name: "version 3, and only that", example: at(0, "version 1"), holds: kind("version") },
  {
    name: "serial numbers are positive and of up to 20 bytes",
    example: at(0, "serial -1"),
    holds: kind("serial-not-positive", "serial-too-long"),
  },
  { name: "an extension comes once", example: at(0, "an unknown extension twice"), holds: kind("extension-repeated") },
  {
    name: "keys are of few kinds, and strong",
    example: at(0, "a key on secp256k1"),
    holds: kind("key-weak"),
  },
  {
    name: "policies are not computed, so nothing may depend on them",
    example: at(1, "policy constraints"),
    holds: unhandled("2.5.29.32", "2.5.29.33", "2.5.29.36", "2.5.29.54"),
  },
  {
    name: "an alternative name is critical beside an empty subject alone",
    example: at(0, "a critical alternative name"),
    holds: unhandled("2.5.29.17"),
  },
  {
    name: "name constraints are critical, and an authority's",
    example: at(1, "name constraints not critical"),
    holds: unhandled("2.5.29.30"),
  },
];

const laxer: readonly Laxer[] = [
  {
    name: "the last second of validity is part of it (RFC 5280 section 4.1.2.5)",
    example: at(0, "valid to this second"),
    error: 10,
    holds: (path) => path.some(({ notAfter }) => notAfter === now),
  },
  {
    name: "an anchor is believed, its own signature is not checked (RFC 5280 section 6.1)",
    example: at(2, "signed by nobody"),
    error: 2,
    holds: () => true,
  },
  {
    name: "anyExtendedKeyUsage of an authority is any (RFC 5280 section 4.2.1.12)",
    example: at(1, "for anything"),
    error: 26,
    holds: (path) => path.slice(1).some((it) => it.extensions.extendedKeyUsage?.includes(oids.anyExtendedKeyUsage)),
  },
  {
    name: "albatross's certificates may have no key identifiers: the issuer's",
    example: at(0, "no key identifiers"),
    error: 85,
    holds: (path) => path.some((it) => it.extensions.authorityKeyId === undefined),
  },
  {
    name: "albatross's certificates may have no key identifiers: the subject's",
    example: at(2, "no key identifiers"),
    error: 86,
    holds: (path) => path.some((it) => it.extensions.subjectKeyId === undefined),
  },
  {
    name: "albatross's leaf for a path has no subject, and no alternative name",
    example: at(0, "no subject"),
    error: 84,
    holds: ([leaf]) => leaf?.subject.bytes.length === 2,
  },
];

const plain: Plan = { depth: 1, keyType: "p256", fields: [], flips: [], presented: "as it is" };

const plans: fc.Arbitrary<Plan> = fc.nat(2).chain((depth) => {
  const place = fc.nat(depth + 1);
  return fc.record({
    depth: fc.constant(depth),
    keyType: fc.constantFrom("ed25519", "p256", "p384", "rsa2048"),
    fields: fc.array(fc.tuple(place, fc.constantFrom(...Object.keys(fieldChanges))), { maxLength: 2 }),
    flips: fc.array(fc.tuple(place, fc.nat(maxBit)), { maxLength: 1 }),
    presented: fc.oneof(
      { weight: 3, arbitrary: fc.constant("as it is") },
      { weight: 1, arbitrary: fc.constantFrom(...Object.keys(listChanges)) },
    ),
  });
});

const version = spawnSync("openssl", ["version"], { encoding: "utf8" }).stdout ?? "";
const folder = mkdtempSync(join(tmpdir(), "fulmar-openssl-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** The number of OpenSSL's error; 0 where there is none, -1 where it cannot even read the certificates. */
function askOpenssl({ presented: [leaf, ...others], anchor }: Chain): number {
  if (leaf === undefined) return -1;
  const file = (name: string, certificates: readonly Uint8Array[]): string => {
    writeFileSync(join(folder, name), encodeCertificates(certificates));
    return join(folder, name);
  };
  const time = ["-attime", String(now / 1000), "-auth_level", "2", "-purpose", "sslclient"];
  const trusted = ["-no-CApath", "-no-CAstore", "-CAfile", file("anchor", [anchor])];
  const untrusted = others.length === 0 ? [] : ["-untrusted", file("others", others)];
  const words = ["verify", "-x509_strict", ...time, ...trusted, ...untrusted, file("leaf", [leaf])];
  const { status, stderr } = spawnSync("openssl", words, { encoding: "utf8" });
  return status === 0 ? 0 : Number(/^error (\d+) at/m.exec(stderr)?.[1] ?? -1);
}

interface Opinion {
  readonly path: Path;
  readonly error?: PathError | CertificateError;
}

function askUs({ presented, anchor }: Chain): Opinion {
  const read = [...presented, anchor].map(parseCertificate);
  const path = read.flatMap((it) => (it.ok ? [it.value] : []));
  const broken = read.find((it) => !it.ok);
  if (broken !== undefined && !broken.ok) return { path, error: broken.error };
  const trusted = path.at(-1);
  if (trusted === undefined) return { path, error: { kind: "no-certificate" } };
  const verified = verifyPath(path.slice(0, -1), trusted, now, "client");
  return verified.ok ? { path } : { path, error: verified.error };
}

/** Names of the differences that explain that the two do not agree; undefined where they do. */
function compare(plan: Plan): readonly string[] | undefined {
  const chain = buildChain(plan);
  const [{ path, error: ours }, theirs] = [askUs(chain), askOpenssl(chain)];
  if ((ours === undefined) === (theirs === 0)) return undefined;
  const named =
    ours === undefined
      ? laxer.filter(({ error, holds }) => error === theirs && holds(path))
      : stricter.filter(({ holds }) => holds(ours, chain, path));
  return named.map(({ name }) => name);
}

describe.skipIf(!version.startsWith("OpenSSL 3.0."))("openssl verify -x509_strict, OpenSSL 3.0", () => {
  test("both accept a chain that nothing is changed in", () => {
    const chain = buildChain(plain);
    expect([askUs(chain).error, askOpenssl(chain)]).toEqual([undefined, 0]);
  });

  test.each([...stricter, ...laxer])("the two differ: $name", ({ name, example }) => {
    expect(compare({ ...plain, ...example })).toContain(name);
  });

  test("the two differ in nothing else", { timeout: Math.max(120_000, runs * 100) }, () => {
    const options = runs === 0 ? { numRuns: 300, seed: 1 } : { numRuns: runs };
    fc.assert(
      fc.property(plans, (plan) => {
        expect(compare(plan)).not.toEqual([]);
      }),
      options,
    );
  });
});
