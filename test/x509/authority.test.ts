import { expect, test } from "vitest";
import { encodeDer, sequence, text } from "../../src/codec/der_writer.ts";
import { decodeOid } from "../../src/codec/oid.ts";
import { encodePermissions } from "../../src/codec/permission.ts";
import type { Command } from "../../src/core/command.ts";
import { printName } from "../../src/core/name.ts";
import type { Permission } from "../../src/core/permission.ts";
import type { Policy } from "../../src/core/policy.ts";
import { type Authority, type AuthorityError, readAuthority } from "../../src/x509/authority.ts";
import { parseCertificate } from "../../src/x509/certificate.ts";
import { certificateId } from "../../src/x509/certificate_id.ts";
import { encodeName } from "../../src/x509/distinguished_name.ts";
import { oids } from "../../src/x509/oid.ts";
import { verifyPath } from "../../src/x509/path.ts";
import {
  addPolicy,
  authority,
  delegate,
  extension,
  forge,
  forgeDer,
  type Holder,
  leaf,
  now,
  policy,
  root,
  type Shape,
} from "./forge.ts";
import { must, readCertificates, readLines, vectorTime } from "./vectors.ts";

interface Verdict {
  readonly file: string;
  readonly ok: boolean;
  readonly name: string;
  readonly policies: readonly [string, string][];
  readonly command: string;
  readonly error?: string;
}

const verdicts = readLines<Verdict>("leaf/chains.jsonl");
const [albatross] = readCertificates("pki/cacert.pem");

function readGolden(file: string) {
  const path = verifyPath(readCertificates(file), albatross, vectorTime, "client");
  return path.ok ? readAuthority(path.value) : path;
}

/** As albatross prints one. */
function printPolicy({ unikernels, cpuids, memory, block, bridges }: Policy): string {
  const blocks = block === undefined ? "no block" : `${block} MB block`;
  return `policy: ${unikernels} unikernels ${cpuids.join(",")} CPUids ${memory} MB memory ${blocks}, bridges: ${bridges.join(", ")}`;
}

/** The path that a level stands for, as albatross prints it. */
function pathOf({ levels }: Authority, depth: number): string {
  return levels
    .slice(0, depth)
    .map(({ label }) => label)
    .join(":");
}

test.for(verdicts.filter(({ ok }) => ok))("readAuthority takes $file for $name, as albatross", (verdict) => {
  const read = must(readGolden(verdict.file));
  const path = read.levels.map(({ label }) => label);
  expect(printName(read.label === undefined ? { path } : { path, label: read.label })).toBe(verdict.name);
  const policies = read.levels.map((level, index) => [pathOf(read, index + 1), printPolicy(level.policy)]);
  expect(policies.reverse()).toEqual(verdict.policies);
  const command = verdict.command.replaceAll(" ", "-").replace("force-", "").replace("stat-", "stats-");
  expect(command).toContain(read.command.kind);
});

test.for(verdicts.filter(({ ok }) => !ok))("readAuthority refuses $file, as albatross: $error", (verdict) => {
  const read = readGolden(verdict.file);
  // The delegation that stands in a leaf's place is refused as a leaf already.
  const kinds =
    verdict.error === "unexpected command" ? ["command-not-allowed", "leaf-is-authority"] : ["common-name-bad"];
  expect(kinds).toContain(read.ok ? "accepted" : read.error.kind);
});

const anchor = root();
const alice = delegate("Alice", anchor);
const bob = delegate("bob", alice);

function read(...holders: Holder[]) {
  const certificates = holders.map(({ certificate }) => certificate);
  return readAuthority(must(verifyPath(certificates, anchor.certificate, now, "client")));
}

test("readAuthority lists the levels from the anchor downwards, labels in lower case", () => {
  const hello = leaf(bob, { name: "Hello.World" });
  const { levels, ...rest } = must(read(hello, bob, alice));
  expect(levels.map(({ label }) => label)).toEqual(["alice", "bob"]);
  expect(levels[0]).toEqual({
    label: "alice",
    policy,
    notBefore: alice.certificate.notBefore,
    notAfter: alice.certificate.notAfter,
    fingerprint: alice.certificate.fingerprint,
    certificate: certificateId(alice.certificate, anchor.certificate),
  });
  expect(rest).toEqual({
    label: "hello.world",
    leaf: hello.certificate.fingerprint,
    expires: hello.certificate.notAfter,
    certificates: [certificateId(hello.certificate, bob.certificate)],
    command: { kind: "unikernel-info", form: "current" },
  });
});

test("readAuthority adds no level for an intermediate without a policy", () => {
  const plain = forge({ ...authority, name: "not a label", issuer: anchor });
  const own = leaf(plain);
  const { levels, certificates } = must(read(own, plain));
  expect(levels).toEqual([]);
  expect(certificates).toEqual([
    certificateId(own.certificate, plain.certificate),
    certificateId(plain.certificate, anchor.certificate),
  ]);
});

test("readAuthority reads eight levels of one name", () => {
  const chain: Holder[] = [anchor];
  for (let depth = 0; depth < 8; depth++) chain.unshift(delegate("a", chain[0] ?? anchor));
  const [last = anchor] = chain;
  expect(must(read(leaf(last), ...chain)).levels.map(({ label }) => label)).toEqual(Array(8).fill("a"));
});

const blocks: readonly Command[] = [
  { kind: "block-add", size: 1, form: "current" },
  { kind: "block-set", compressed: false },
  { kind: "block-dump", level: 0, form: "current" },
  { kind: "block-remove" },
];

test.for(["", ".", ":", undefined])("a leaf of the common name %j is about its path", (name) => {
  const subject = encodeName(name);
  expect(must(read(leaf(alice, { subject }), alice))).not.toHaveProperty("label");
  for (const command of blocks) {
    const error: AuthorityError = { kind: "label-needed", command: command.kind };
    expect(read(leaf(alice, { subject, command }), alice)).toEqual({ ok: false, error });
  }
});

test("readAuthority keeps the label of a policy info", () => {
  const found = must(read(leaf(alice, { name: "x", command: { kind: "policy-info" } }), alice));
  expect(found.label).toBe("x");
});

test.for<[string, Shape, AuthorityError["kind"]]>([
  ["no extension", { command: new Uint8Array() }, "extension-undecodable"],
  ["policy add", { command: addPolicy }, "command-not-allowed"],
  ["policy remove", { command: { kind: "policy-remove" } }, "command-not-allowed"],
  ["console add", { command: { kind: "console-add", count: 1 } }, "command-not-allowed"],
  ["a label with an underscore", { name: "a_b" }, "common-name-bad"],
  ["a label with a colon", { name: "x:y" }, "common-name-bad"],
  ["a label of 64 characters", { name: "y".repeat(64) }, "common-name-bad"],
])("readAuthority refuses a leaf with %s", ([, shape, kind]) => {
  expect(read(leaf(alice, shape), alice)).toMatchObject({ ok: false, error: { kind } });
});

test("reference bug 5: readAuthority refuses a leaf without our extension", () => {
  const bare = forge({ ca: false, usage: 0xa0, name: "vm", issuer: alice });
  expect(read(bare, alice)).toEqual({ ok: false, error: { kind: "extension-missing" } });
});

test.for<[string, Shape, AuthorityError]>([
  ["a command", { command: { kind: "policy-info" } }, { kind: "not-a-policy", at: 1, command: "policy-info" }],
  ["no common name", { subject: encodeName(undefined) }, { kind: "common-name-missing", at: 1 }],
  ["an empty common name", { name: "" }, { kind: "common-name-bad", at: 1, error: { kind: "label-empty" } }],
  [
    "the name of a path",
    { name: ":" },
    { kind: "common-name-bad", at: 1, error: { kind: "label-bad-character", label: ":", at: 0 } },
  ],
])("readAuthority refuses a delegate with %s", ([, shape, error]) => {
  const odd = delegate("odd", alice, shape);
  // An empty subject cannot be an issuer: nothing below such a delegate can be read.
  if (odd.certificate.subject.bytes.length === 2) return expect(() => leaf(odd)).toThrow("issuer-empty");
  return expect(read(leaf(odd), odd, alice)).toEqual({ ok: false, error });
});

test("readAuthority refuses a delegate whose extension does not decode", () => {
  const odd = delegate("odd", alice, { command: Uint8Array.of(0x30, 1) });
  expect(read(leaf(odd), odd, alice)).toMatchObject({ ok: false, error: { kind: "extension-undecodable", at: 1 } });
});

function permits(...permissions: Permission[]): Shape {
  return { extra: [extension(oids.permissions, false, encodePermissions(permissions))] };
}

test("readAuthority hands on what each level and the leaf permit, and nothing where they say nothing", () => {
  const narrow = delegate("carol", alice, permits("info", "console"));
  const { levels, permissions } = must(read(leaf(narrow, permits("info")), narrow, alice));
  expect(levels.map((level) => level.permissions)).toEqual([undefined, ["info", "console"]]);
  expect(permissions).toEqual(["info"]);
});

test("what an intermediate without a policy permits narrows what is below it", () => {
  const plain = forge({ ...authority, name: "plain", issuer: alice, ...permits("info", "create") });
  expect(must(read(leaf(plain), plain, alice)).permissions).toEqual(["info", "create"]);
  const below = delegate("bob", plain, permits("create", "destroy"));
  const { levels, permissions } = must(read(leaf(below), below, plain, alice));
  expect(levels.map((level) => level.permissions)).toEqual([undefined, ["create"]]);
  expect(permissions).toBeUndefined();
});

test("what the anchor permits narrows everything", () => {
  const top = forge({ ...authority, name: "root", keyIds: "none", ...permits("info") });
  const first = delegate("alice", top);
  const path = must(verifyPath([leaf(first).certificate, first.certificate], top.certificate, now, "client"));
  expect(must(readAuthority(path)).levels[0]?.permissions).toEqual(["info"]);
  const direct = must(verifyPath([leaf(top).certificate], top.certificate, now, "client"));
  expect(must(readAuthority(direct)).permissions).toEqual(["info"]);
});

test.for<[string, Uint8Array]>([
  ["a class that nobody knows", encodeDer(sequence(text("info"), text("everything")))],
  ["a class twice", encodeDer(sequence(text("info"), text("info")))],
  ["no list", encodeDer(text("info"))],
  ["bytes behind it", Uint8Array.of(0x30, 0, 0)],
])("a certificate whose permissions are %s is refused", ([, value]) => {
  const extra = [extension(oids.permissions, false, value)];
  expect(parseCertificate(forgeDer({ ...authority, name: "x", extra }))).toMatchObject({
    ok: false,
    error: { kind: "extension-malformed", oid: "1.3.6.1.3.102117.1" },
  });
});

test("every arc of our identifier is one that OCaml's decoder and node-forge read", () => {
  const content = Buffer.from(oids.permissions, "hex");
  expect(
    decodeOid(content)
      ?.split(".")
      .every((arc) => Number(arc) < 2 ** 28),
  ).toBe(true);
});
