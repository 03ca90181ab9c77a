import fc from "fast-check";
import { expect, test } from "vitest";
import type { Certificate } from "../../src/x509/certificate.ts";
import { encodeName } from "../../src/x509/distinguished_name.ts";
import { oids } from "../../src/x509/oid.ts";
import { maxPath, type PathError, verifyPath } from "../../src/x509/path.ts";
import {
  authority,
  client,
  day,
  delegate,
  extension,
  forge,
  freshKey,
  type Holder,
  info,
  leaf,
  now,
  policy,
  root,
  type Shape,
  server,
} from "./forge.ts";
import { must, readCertificates, vectorTime } from "./vectors.ts";

const anchor = root();
const alice = delegate("alice", anchor);
const bob = delegate("bob", alice);
const bobsLeaf = leaf(bob);

function verify(holders: readonly Holder[], purpose: "client" | "server" = "client", at = now) {
  return verifyPath(
    holders.map(({ certificate }) => certificate),
    anchor.certificate,
    at,
    purpose,
  );
}

function refusal(holders: readonly Holder[], purpose: "client" | "server" = "client", at = now): PathError | undefined {
  const path = verify(holders, purpose, at);
  return path.ok ? undefined : nameless(path.error);
}

/** Who they are called is told of apart. */
function nameless({ names: _, ...error }: PathError): PathError {
  return error;
}

test("verifyPath accepts a leaf below two delegates, with its earliest end", () => {
  const short = leaf(bob, { notAfter: now + 1000 });
  const path = must(verify([short, bob, alice]));
  expect(path.leaf).toBe(short.certificate);
  expect(path.intermediates).toEqual([bob.certificate, alice.certificate]);
  expect(path.anchor).toBe(anchor.certificate);
  expect(path.notAfter).toBe(now + 1000);
});

test("verifyPath accepts a leaf that the anchor signed", () => {
  expect(must(verify([leaf(anchor)])).intermediates).toEqual([]);
});

test("verifyPath lets repetitions and the anchor itself pass, wherever they stand", () => {
  const path = must(verify([bobsLeaf, bob, bobsLeaf, alice, bob, anchor, alice, anchor]));
  expect(path.intermediates).toEqual([bob.certificate, alice.certificate]);
});

test("verifyPath refuses nothing, and nothing but the anchor", () => {
  expect(refusal([])).toEqual({ kind: "no-certificate" });
  expect(refusal([anchor, anchor])).toEqual({ kind: "no-certificate" });
});

test("verifyPath refuses an unrelated certificate wherever it is stuffed in", () => {
  const stranger = delegate("mallory", root("elsewhere"));
  expect(refusal([stranger, bobsLeaf, bob, alice])?.kind).toBe("leaf-is-authority");
  expect(refusal([bobsLeaf, stranger, bob, alice])).toEqual({ kind: "not-issued-by-next", at: 0 });
  expect(refusal([bobsLeaf, bob, stranger, alice])).toEqual({ kind: "not-issued-by-next", at: 1 });
  expect(refusal([bobsLeaf, bob, alice, stranger])).toEqual({ kind: "not-issued-by-next", at: 2 });
});

test("verifyPath refuses any other order, and any left out", () => {
  expect(refusal([bobsLeaf, alice, bob])).toEqual({ kind: "not-issued-by-next", at: 0 });
  expect(refusal([bob, bobsLeaf, alice])?.kind).toBe("leaf-is-authority");
  expect(refusal([bobsLeaf, alice])).toEqual({ kind: "not-issued-by-next", at: 0 });
  expect(refusal([bobsLeaf, bob])).toEqual({ kind: "not-issued-by-next", at: 1 });
  expect(refusal([bobsLeaf])).toEqual({ kind: "not-issued-by-next", at: 0 });
});

test("reference bug N1: a forged, expired intermediate between the leaf and the real one is refused, before it or instead of it", () => {
  const fatter = { kind: "policy-add" as const, policy: { ...policy, unikernels: 1000 } };
  const forged = delegate("bob", alice, { key: bob.key, signer: freshKey(), command: fatter, notAfter: now - day / 2 });
  const unexpired = delegate("bob", alice, { key: bob.key, signer: freshKey(), command: fatter });
  expect(refusal([bobsLeaf, forged, bob, alice])?.kind).toBe("expired");
  expect(refusal([bobsLeaf, unexpired, bob, alice])).toEqual({ kind: "not-issued-by-next", at: 1 });
  expect(refusal([bobsLeaf, bob, unexpired, alice])).toEqual({ kind: "not-issued-by-next", at: 1 });
  expect(refusal([bobsLeaf, unexpired, alice])).toEqual({ kind: "signature-wrong", at: 1 });
});

test("verifyPath refuses two genuine certificates of one delegate side by side", () => {
  const renewed = delegate("bob", alice, { key: bob.key });
  expect(refusal([bobsLeaf, renewed, alice])).toBeUndefined();
  expect(refusal([bobsLeaf, renewed, bob, alice])).toEqual({ kind: "not-issued-by-next", at: 1 });
});

test("verifyPath refuses a forged leaf, delegate or root", () => {
  expect(refusal([leaf(bob, { signer: freshKey() }), bob, alice])).toEqual({ kind: "signature-wrong", at: 0 });
  const other = root();
  expect(refusal([leaf(delegate("alice", other)), delegate("alice", other)])).toMatchObject({
    kind: "not-issued-by-next",
  });
  const sameName = delegate("alice", anchor, { signer: other.key });
  expect(refusal([leaf(sameName), sameName])).toEqual({ kind: "signature-wrong", at: 1 });
});

test("verifyPath counts the second of the end, and no time before the beginning", () => {
  const brief = leaf(anchor, { notBefore: now, notAfter: now + 1000 });
  expect(refusal([brief], "client", now - 1)).toEqual({ kind: "not-yet-valid", at: 0, notBefore: now, now: now - 1 });
  expect(refusal([brief], "client", now)).toBeUndefined();
  expect(refusal([brief], "client", now + 1999)).toBeUndefined();
  expect(refusal([brief], "client", now + 2000)).toEqual({
    kind: "expired",
    at: 0,
    notAfter: now + 1000,
    now: now + 2000,
  });
});

test("verifyPath refuses an expired delegate and an expired anchor", () => {
  const expired = delegate("alice", anchor, { notAfter: now - 1000 });
  expect(refusal([leaf(expired), expired])).toMatchObject({ kind: "expired", at: 1 });
  expect(refusal([leaf(anchor, { notAfter: now + 9 * day })], "client", now + 2 * day)).toMatchObject({
    kind: "expired",
    at: 1,
  });
});

test.for<[string, Shape, PathError]>([
  ["serverAuth only", { purposes: [oids.serverAuth] }, { kind: "purpose-not-allowed", at: 0, purpose: "client" }],
  [
    "every purpose",
    { purposes: [oids.anyExtendedKeyUsage] },
    { kind: "purpose-not-allowed", at: 0, purpose: "client" },
  ],
  ["a CA", { ca: true }, { kind: "leaf-is-authority" }],
  ["a CA with keyCertSign", { ...authority, purposes: [oids.clientAuth] }, { kind: "leaf-is-authority" }],
  ["keyCertSign", { usage: 0xa4 }, { kind: "leaf-is-authority" }],
  ["no digitalSignature", { usage: 0x20 }, { kind: "leaf-cannot-sign" }],
  [
    "our extension critical",
    { commandCritical: true },
    { kind: "extension-unhandled", at: 0, oid: "1.3.6.1.4.1.49836.42" },
  ],
])("reference bug N6: verifyPath refuses a client's leaf with %s", ([, shape, error]) => {
  expect(refusal([leaf(alice, shape), alice])).toEqual(error);
});

test("verifyPath accepts a client's leaf without usages and constraints", () => {
  const { ca: _, usage: __, purposes: ___, ...bare } = client;
  expect(refusal([forge({ ...bare, name: "vm", issuer: alice, command: info }), alice])).toBeUndefined();
});

test.for<[string, Shape, PathError]>([
  ["no keyCertSign", { usage: 0x82 }, { kind: "not-an-authority", at: 1 }],
  ["basicConstraints not CA", { ca: false }, { kind: "not-an-authority", at: 1 }],
  ["EKU serverAuth only", { purposes: [oids.serverAuth] }, { kind: "purpose-not-allowed", at: 1, purpose: "client" }],
  [
    "our extension critical",
    { commandCritical: true },
    { kind: "extension-unhandled", at: 1, oid: "1.3.6.1.4.1.49836.42" },
  ],
  [
    "an unknown critical extension",
    { extra: [extension("2a03", true, new Uint8Array())] },
    { kind: "extension-unhandled", at: 1, oid: "1.2.3" },
  ],
  [
    "policy constraints",
    { extra: [extension(oids.policyConstraints, false, Uint8Array.of(0x30, 3, 0x80, 1, 0))] },
    { kind: "extension-unhandled", at: 1, oid: "2.5.29.36" },
  ],
])("verifyPath refuses a delegate with %s", ([, shape, error]) => {
  const odd = delegate("odd", anchor, shape);
  expect(refusal([leaf(odd), odd])).toEqual(error);
});

test("verifyPath accepts a delegate whose extendedKeyUsage allows the purpose, and one without our extension", () => {
  for (const shape of [{ purposes: [oids.clientAuth] }, { purposes: [oids.anyExtendedKeyUsage] }]) {
    const fine = delegate("fine", anchor, shape);
    expect(refusal([leaf(fine), fine])).toBeUndefined();
  }
  const plain = forge({ ...authority, name: "plain", issuer: anchor });
  expect(refusal([leaf(plain), plain])).toBeUndefined();
});

test("verifyPath respects path lengths, not counting the self-issued", () => {
  const zero = delegate("zero", anchor, { pathLength: 0 });
  const below = delegate("below", zero);
  expect(refusal([leaf(zero), zero])).toBeUndefined();
  expect(refusal([leaf(below), below, zero])).toEqual({ kind: "path-length-exceeded", at: 2, limit: 0, below: 1 });
  const selfIssued = delegate("zero", zero);
  expect(refusal([leaf(selfIssued), selfIssued, zero])).toBeUndefined();
});

test("verifyPath accepts 9 certificates and refuses 10", () => {
  const chain = [anchor];
  for (let depth = 1; depth <= maxPath; depth++) chain.unshift(delegate(`level-${depth}`, chain[0] ?? anchor));
  const [ninth, ...eight] = chain.slice(0, -1);
  if (ninth === undefined || eight[0] === undefined) throw new Error("no chain");
  expect(must(verify([leaf(eight[0]), ...eight])).intermediates.length).toBe(8);
  expect(refusal([leaf(ninth), ninth, ...eight])).toEqual({ kind: "path-too-long", length: 10, limit: 9 });
});

test("verifyPath accepts delegates of the same name: a/a/a", () => {
  const first = delegate("a", anchor);
  const second = delegate("a", first);
  const third = delegate("a", second);
  expect(must(verify([leaf(third), third, second, first])).intermediates.length).toBe(3);
  expect(refusal([leaf(third), third, first, second])?.kind).toBe("not-issued-by-next");
});

test("verifyPath accepts a delegate with the anchor's name", () => {
  const namesake = delegate("root", anchor);
  expect(refusal([leaf(namesake), namesake])).toBeUndefined();
});

test("reference bug 23: a server's path is refused where it carries our extension, or where its leaf is not for servers", () => {
  expect(refusal([forge({ ...server, name: "server", issuer: anchor })], "server")).toBeUndefined();
  const tenants = forge({ ...server, name: "server", issuer: alice });
  expect(refusal([tenants, alice], "server")).toEqual({ kind: "server-delegated", at: 1 });
  const withCommand = forge({ ...server, name: "server", issuer: anchor, command: info });
  expect(refusal([withCommand], "server")).toEqual({ kind: "server-delegated", at: 0 });
  const wrong = { kind: "purpose-not-allowed", at: 0, purpose: "server" };
  expect(refusal([forge({ ...client, name: "vm", issuer: anchor })], "server")).toEqual(wrong);
  expect(refusal([forge({ ca: false, usage: 0xa0, name: "vm", issuer: anchor })], "server")).toEqual(wrong);
});

test("verifyPath refuses an anchor with extendedKeyUsage", () => {
  const odd = forge({ ...authority, name: "odd", purposes: [oids.clientAuth] });
  const path = verifyPath([leaf(odd).certificate], odd.certificate, now, "client");
  expect(path).toMatchObject({ ok: false, error: { kind: "anchor-inconsistent" } });
});

test("verifyPath refuses a self-issued anchor that names another key as its issuer's", () => {
  const odd = forge({ ...authority, name: "root", issuer: anchor });
  const path = verifyPath([leaf(odd).certificate], odd.certificate, now, "client");
  expect(path).toMatchObject({ ok: false, error: { kind: "anchor-inconsistent" } });
});

test.for<["none" | "subject" | "authority", boolean, boolean]>([
  ["none", true, true],
  ["subject", false, false],
  ["authority", true, false],
])("verifyPath wants both key identifiers or none, a leaf's subject excepted: %s", ([keyIds, asLeaf, asDelegate]) => {
  expect(refusal([leaf(alice, { keyIds }), alice])?.kind).toBe(asLeaf ? undefined : "key-identifier-missing");
  const odd = delegate("odd", anchor, { keyIds });
  expect(refusal([leaf(odd, { keyIds: "none" }), odd])?.kind).toBe(asDelegate ? undefined : "key-identifier-missing");
});

test("verifyPath accepts a leaf with an empty subject", () => {
  expect(refusal([leaf(alice, { subject: encodeName(undefined) }), alice])).toBeUndefined();
});

test.for(["pki", "pki-ed25519", "pki-p256", "pki-p384", "pki-p521", "pki-rsa2048", "pki-rsa4096"])(
  "verifyPath accepts albatross's server below its root (%s)",
  (folder) => {
    const [albatross] = readCertificates(`${folder}/cacert.pem`);
    expect(verifyPath(readCertificates(`${folder}/server.pem`), albatross, vectorTime, "server").ok).toBe(true);
  },
);

test("adding certificates to what is presented gives the same path or a refusal", () => {
  const stranger = root("elsewhere");
  const pool: Certificate[] = [
    ...[anchor, alice, bob, bobsLeaf, stranger, delegate("alice", anchor), delegate("bob", alice, { key: bob.key })],
    ...[delegate("bob", alice, { key: bob.key, signer: freshKey() }), leaf(alice), leaf(stranger)],
  ].map(({ certificate }) => certificate);
  const good = [bobsLeaf, bob, alice].map(({ certificate }) => certificate);
  const insertion = fc.tuple(fc.nat(6), fc.constantFrom(...pool));
  fc.assert(
    fc.property(fc.array(insertion, { maxLength: 4 }), (insertions) => {
      const presented = [...good];
      for (const [at, certificate] of insertions) presented.splice(at, 0, certificate);
      const path = verifyPath(presented, anchor.certificate, now, "client");
      if (!path.ok || path.value.leaf !== bobsLeaf.certificate) return !path.ok;
      return path.value.intermediates.every((it, index) => it === good[index + 1]);
    }),
    { numRuns: 500 },
  );
});
