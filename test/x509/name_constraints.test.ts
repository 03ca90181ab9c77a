import fc from "fast-check";
import { expect, test } from "vitest";
import {
  constructed,
  type Der,
  encodeDer,
  encoded,
  primitive,
  sequence,
  setOf,
  text,
} from "../../src/codec/der_writer.ts";
import { describePathError } from "../../src/x509/describe.ts";
import { encodeName } from "../../src/x509/distinguished_name.ts";
import { maxNames } from "../../src/x509/general_name.ts";
import { oids, writeOid } from "../../src/x509/oid.ts";
import { type PathError, verifyPath } from "../../src/x509/path.ts";
import { authority, delegate, extension, forge, type Holder, leaf, now, root, type Shape } from "./forge.ts";

/** A GeneralName, or the base of a subtree: `dns:example.com`, `ip:c0000200`, `dn:CN`. */
function general(spelled: string): Der {
  const [form = "", ...rest] = spelled.split(":");
  const value = rest.join(":");
  switch (form) {
    case "email":
      return primitive(0x81, Buffer.from(value));
    case "dns":
      return primitive(0x82, Buffer.from(value));
    case "dn":
      return constructed(0xa4, [encoded(encodeName(value === "" ? undefined : value))]);
    case "uri":
      return primitive(0x86, Buffer.from(value));
    case "ip":
      return primitive(0x87, Buffer.from(value, "hex"));
    case "id":
      return primitive(0x88, Buffer.from(value, "hex"));
    default:
      return constructed(0xa0, [writeOid("2a03"), constructed(0xa0, [text(value)])]);
  }
}

const names = (...list: readonly string[]): Der =>
  extension(oids.subjectAltName, false, encodeDer(sequence(...list.map(general))));

function constraints(permitted: readonly string[], excluded: readonly string[] = [], critical = true): Der {
  const subtrees = (tag: number, list: readonly string[]) =>
    list.length === 0
      ? undefined
      : constructed(
          tag,
          list.map((base) => sequence(general(base))),
        );
  const value = sequence(subtrees(0xa0, permitted), subtrees(0xa1, excluded));
  return extension(oids.nameConstraints, critical, encodeDer(value));
}

const anchor = root();

function verify(holders: readonly Holder[], at: Holder = anchor): PathError | undefined {
  const path = verifyPath(
    holders.map(({ certificate }) => certificate),
    at.certificate,
    now,
    "client",
  );
  if (path.ok) return undefined;
  const { names: _, ...error } = path.error;
  return error;
}

/** Whether a leaf with these alternative names passes below an authority with these constraints. */
function passes(name: string, permitted: readonly string[], excluded: readonly string[] = []): boolean {
  const bound = delegate("bound", anchor, { extra: [constraints(permitted, excluded)] });
  const error = verify([leaf(bound, { extra: [names(name)] }), bound]);
  if (error !== undefined) expect(error).toEqual({ kind: "name-not-permitted", at: 0, by: 1 });
  return error === undefined;
}

test.for<[string, string, boolean]>([
  ["dns:example.com", "dns:example.com", true],
  ["dns:a.b.example.com", "dns:Example.COM", true],
  ["dns:notexample.com", "dns:example.com", false],
  ["dns:com", "dns:example.com", false],
  ["dns:*.example.com", "dns:example.com", true],
  ["dns:anything", "dns:", true],
  ["email:carol@example.com", "email:carol@EXAMPLE.com", true],
  ["email:Carol@example.com", "email:carol@example.com", false],
  ["email:caroline@example.com", "email:carol@example.com", false],
  ["email:carol@example.com", "email:example.com", true],
  ["email:carol@www.example.com", "email:example.com", false],
  ["email:carol@www.example.com", "email:.example.com", true],
  ["email:carol@example.com", "email:.example.com", false],
  ["uri:https://example.com/x", "uri:example.com", true],
  ["uri:https://example.com:8080", "uri:example.com", true],
  ["uri:https://www.example.com/x", "uri:example.com", false],
  ["uri:https://www.example.com?x", "uri:.example.com", true],
  ["uri:https://example.com/", "uri:.example.com", false],
  ["ip:c0000207", "ip:c0000200ffffff00", true],
  ["ip:c0000307", "ip:c0000200ffffff00", false],
  ["ip:c0000307", "ip:0000000000000000", true],
  [`ip:${"00".repeat(16)}`, "ip:0000000000000000", false],
  [`ip:20010db8${"00".repeat(12)}`, `ip:20010db8${"00".repeat(12)}ffffffff${"00".repeat(12)}`, true],
  ["dn:bob", "dn:bob", true],
  ["dn: Bob ", "dn:bOB", true],
  ["dn:bobby", "dn:bob", false],
])("checkNames: is %s inside %s? %s", ([name, subtree, inside]) => {
  const permitted = subtree.startsWith("dn:") ? [subtree, "dn:vm"] : [subtree];
  expect(passes(name, permitted)).toBe(inside);
  expect(passes(name, [], [subtree])).toBe(!inside);
  expect(passes(name, permitted, [subtree])).toBe(false);
});

test.for<[string, string]>([
  ["uri:urn:isbn:0", "uri:example.com"],
  ["uri:https://192.0.2.1/", "uri:example.com"],
  ["uri:https://user@example.com/", "uri:example.com"],
  ["uri:https://[::1]/", "uri:example.com"],
  ["other:x", "other:x"],
  ["id:2a03", "id:2a03"],
  ["dn:böb", "dn:bob"],
  ["dn:bob", "dn:böb"],
])("checkNames refuses what it cannot compare: %s with %s", ([name, subtree]) => {
  expect(passes(name, [subtree])).toBe(false);
  expect(passes(name, [], [subtree])).toBe(false);
});

test("checkNames leaves alone the forms that are not constrained", () => {
  expect(passes("uri:urn:isbn:0", ["dns:example.com"], ["other:x"])).toBe(true);
  expect(passes("dns:example.com", ["ip:c0000200ffffff00"])).toBe(true);
});

test("checkNames refuses a wildcard that may stand for an excluded name", () => {
  expect(passes("dns:*.example.com", [], ["dns:www.example.com"])).toBe(false);
  expect(passes("dns:*.example.com", ["dns:www.example.com"])).toBe(false);
  expect(passes("dns:*.example.org", [], ["dns:www.example.com"])).toBe(true);
});

test("checkNames holds the subject against names of directories, as a whole and from the root on", () => {
  const organization = (name: string) => sequence(writeOid("55040a"), text(name));
  const subject = (...rdns: Der[][]) => encodeDer(sequence(...rdns.map((rdn) => setOf(rdn, (it) => it))));
  const common = sequence(writeOid(oids.commonName), text("vm"));
  const base = constructed(0xa4, [encoded(subject([organization("Example")]))]);
  const value = encodeDer(sequence(constructed(0xa0, [sequence(base)])));
  const bound = delegate("bound", anchor, { extra: [extension(oids.nameConstraints, true, value)] });
  const refused = (bytes: Uint8Array) => verify([leaf(bound, { subject: bytes }), bound])?.kind;
  expect(refused(subject([organization("EXAMPLE")], [common]))).toBeUndefined();
  expect(refused(subject([common], [organization("Example")]))).toBe("name-not-permitted");
  expect(refused(subject([organization("Example"), common]))).toBe("name-not-permitted");
  expect(refused(subject([common]))).toBe("name-not-permitted");
  expect(refused(subject())).toBeUndefined();
});

test("checkNames holds mail addresses of a subject against names of mailboxes", () => {
  const bound = delegate("bound", anchor, { extra: [constraints(["email:example.com"])] });
  const subject = (address: string) =>
    encodeDer(
      sequence(setOf([sequence(writeOid(oids.emailAddress), primitive(0x16, Buffer.from(address)))], (it) => it)),
    );
  const refused = (address: string) => verify([leaf(bound, { subject: subject(address) }), bound])?.kind;
  expect(["a@example.com", "a@example.org", "a@b@example.com", "a"].map(refused)).toEqual([
    undefined,
    ...Array.from({ length: 3 }, () => "name-not-permitted"),
  ]);
});

test("checkNames asks all above: what is permitted narrows, and the anchor counts", () => {
  const wide = delegate("wide", anchor, { extra: [constraints(["dns:example.com"])] });
  const narrow = delegate("narrow", wide, { extra: [constraints(["dns:www.example.com"])] });
  const named = (name: string, issuer: Holder) => leaf(issuer, { extra: [names(name)] });
  expect(verify([named("dns:www.example.com", narrow), narrow, wide])).toBeUndefined();
  expect(verify([named("dns:example.com", narrow), narrow, wide])).toEqual({
    kind: "name-not-permitted",
    at: 0,
    by: 1,
  });
  const wider = delegate("wider", wide, { extra: [constraints(["dns:org"])] });
  expect(verify([named("dns:example.org", wider), wider, wide])).toEqual({ kind: "name-not-permitted", at: 0, by: 2 });
  const tied = forge({ ...authority, name: "tied", keyIds: "none", extra: [constraints(["dn:alice"])] });
  expect(verify([leaf(tied)], tied)).toEqual({ kind: "name-not-permitted", at: 0, by: 1 });
  expect(verify([leaf(tied, { name: "alice" })], tied)).toBeUndefined();
});

test("checkNames exempts an authority that issued itself, and no leaf", () => {
  const bound = delegate("bound", anchor, { extra: [constraints(["dn:vm"])] });
  const again = delegate("bound", bound);
  expect(verify([leaf(again), again, bound])).toBeUndefined();
  expect(verify([leaf(bound, { name: "bound" }), bound])).toMatchObject({ kind: "name-not-permitted", at: 0 });
});

test("verifyPath refuses name constraints that are not critical, and in a leaf", () => {
  const unhandled = { kind: "extension-unhandled", oid: "2.5.29.30" };
  const loose = delegate("loose", anchor, { extra: [constraints(["dn:vm"], [], false)] });
  expect(verify([leaf(loose), loose])).toEqual({ ...unhandled, at: 1 });
  expect(verify([leaf(anchor, { extra: [constraints(["dn:vm"])] })])).toEqual({ ...unhandled, at: 0 });
});

function refusedAs(extra: Der): string | undefined {
  try {
    forge({ ...authority, name: "odd", issuer: anchor, extra: [extra] } satisfies Shape);
    return undefined;
  } catch (error) {
    return /"kind":"([a-z-]+)"/.exec(String(error))?.[1];
  }
}

test.for(["dns:", "dns:.", "dns:.com", "dns:com.", "dns:a..b", "dns:-a", "dns:a-", "dns:a_b", "dns:*", "dns:a.*.b"])(
  "parseCertificate refuses the alternative name %j",
  (name) => expect(refusedAs(names(name))).toBe("extension-malformed"),
);

test.for([
  ...["dns:192.0.2.1", "dns:b*.com", "dns:ü.com", `dns:${"a".repeat(64)}`, `dns:${"a.".repeat(127)}a`, "dns: com"],
  ...["email:", "email:a", "email:@b", "email:a@", "email:a@b@c", 'email:"a"@b', "email:a@.b", "email:a b@c"],
  ...["ip:", "ip:7f0000", "ip:c0000200ffffff00", "uri:https://ü/", "uri:a b"],
])("parseCertificate refuses the alternative name %j", (name) =>
  expect(refusedAs(names(name))).toBe("extension-malformed"),
);

test.for([
  ...["dns:.com", "dns:*.com", "dns:com.", "dns:a_b", "email:a@b@c", "email:a@.b", "email:..b", "email:", "uri:"],
  ...["uri:https://example.com/", "ip:c0000200", "ip:c0000200ff00ff00", "ip:c000020000ffffff", `ip:${"00".repeat(16)}`],
])("parseCertificate refuses the subtree %j", (base) => {
  expect(refusedAs(constraints([base]))).toBe("extension-malformed");
  expect(refusedAs(constraints([], [base]))).toBe("extension-malformed");
});

test("parseCertificate refuses constraints of nothing, with distances, or in the wrong order", () => {
  const of = (...parts: readonly Der[]) =>
    refusedAs(extension(oids.nameConstraints, true, encodeDer(sequence(...parts))));
  const base = general("dns:com");
  const distance = (tag: number) => constructed(0xa0, [sequence(base, primitive(tag, Uint8Array.of(0)))]);
  const [permitted, excluded] = [constructed(0xa0, [sequence(base)]), constructed(0xa1, [sequence(base)])];
  expect(of(permitted, excluded)).toBeUndefined();
  const empty = [constructed(0xa0, []), constructed(0xa1, [])];
  for (const parts of [[], empty, [excluded, permitted], [permitted, permitted], [distance(0x80)], [distance(0x81)]]) {
    expect(of(...parts)).toBe("extension-malformed");
  }
  expect(refusedAs(extension(oids.subjectAltName, false, encodeDer(sequence())))).toBe("extension-malformed");
});

test("the number of names, of subtrees and of comparisons is bounded", () => {
  const many = (count: number) => Array.from({ length: count }, (_, index) => `dns:n${index}.example.com`);
  expect(refusedAs(names(...many(maxNames + 1)))).toBe("extension-malformed");
  expect(refusedAs(constraints(many(maxNames + 1)))).toBe("extension-malformed");
  const bound = delegate("bound", anchor, { extra: [constraints(["dns:com"], many(maxNames - 1))] });
  const below = leaf(bound, { extra: [names(...many(maxNames).map((name) => name.replace(":n", ":m")))] });
  expect(verify([below, bound])).toEqual({ kind: "comparisons-too-many", limit: 10_000 });
});

test("what a subtree permits it does not exclude, and the other way round", () => {
  const label = fc.constantFrom("a", "b", "example", "com");
  const host = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join("."));
  const dns = fc.tuple(host, host).map(([name, base]) => [`dns:${name}`, `dns:${base}`] as const);
  const email = fc.tuple(host, host).map(([name, base]) => [`email:x@${name}`, `email:.${base}`] as const);
  fc.assert(
    fc.property(fc.oneof(dns, email), ([name, base]) => passes(name, [base]) !== passes(name, [], [base])),
    { numRuns: 100 },
  );
});

test("describePathError says whose name whose constraints do not permit", () => {
  expect(describePathError({ kind: "name-not-permitted", at: 0, by: 1 })).toBe(
    "certificate 1 has a name that the name constraints of certificate 2 do not permit",
  );
  expect(describePathError({ kind: "comparisons-too-many", limit: 10_000 })).toBe(
    "the chain has too many names and name constraints: more than 10000 comparisons are needed",
  );
});
