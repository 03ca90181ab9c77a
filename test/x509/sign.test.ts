import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { encodePermissions } from "../../src/codec/permission.ts";
import type { Command } from "../../src/core/command.ts";
import type { Settings } from "../../src/core/unikernel.ts";
import { parseCertificate } from "../../src/x509/certificate.ts";
import { encodeRequest, parseRequest, type SigningRequest } from "../../src/x509/csr.ts";
import { encodeKey, keyTypes } from "../../src/x509/keys.ts";
import { oids } from "../../src/x509/oid.ts";
import { verifyPath } from "../../src/x509/path.ts";
import { encodeCertificates, encodePem, parseCertificates } from "../../src/x509/pem.ts";
import { type SignError, signRequest } from "../../src/x509/sign.ts";
import {
  addPolicy,
  authority,
  day,
  delegate,
  extension,
  forge,
  freshKey,
  generate,
  type Holder,
  info,
  leaf,
  now,
  policy,
  root,
} from "./forge.ts";
import { findProgram, must, readCertificates, readDer, readKey, readLines } from "./vectors.ts";

const anchor = root();
const alice = delegate("alice", anchor);

const settings: Settings = {
  failBehaviour: { kind: "quit" },
  addName: true,
  cpuids: [0],
  memory: 32,
  blocks: [],
  bridges: [{ netif: "service" }],
  cpus: 1,
};

function create(wish: Partial<Settings>): Command {
  const image = { compressed: false, bytes: new Uint8Array() };
  return { kind: "unikernel-create", config: { ...settings, ...wish, typ: "solo5" }, image, replace: false };
}

function request(commonName: string | undefined, command: Command | undefined): SigningRequest {
  return must(parseRequest(encodeRequest(freshKey(), commonName, command)));
}

function sign(wish: SigningRequest, issuer: Holder, days?: number) {
  const signing = { issuer: issuer.certificate, issuerKey: issuer.key, now, serial: Uint8Array.of(5) };
  return signRequest(wish, days === undefined ? signing : { ...signing, days });
}

function refusal(commonName: string | undefined, command: Command | undefined, issuer = alice): SignError | undefined {
  const signed = sign(request(commonName, command), issuer);
  return signed.ok ? undefined : signed.error;
}

test.for<[string, Command | undefined, "authority" | "client" | "server", number]>([
  ["alice", addPolicy, "authority", 365],
  ["vm", info, "client", 1],
  ["a server", undefined, "server", 365],
])("signRequest makes of %s the profile of its command", ([name, command, profile, days]) => {
  const signed = must(sign(request(name, command), anchor));
  expect([signed.profile, signed.command]).toEqual([profile, command]);
  const certificate = must(parseCertificate(signed.der));
  expect(certificate.subject.commonName).toBe(name);
  expect([certificate.notBefore, certificate.notAfter]).toEqual([now - 10_000, now + days * day]);
  expect(certificate.extensions.basicConstraints?.ca).toBe(profile === "authority");
  const purposes = { authority: undefined, client: [oids.clientAuth], server: [oids.serverAuth] };
  expect(certificate.extensions.extendedKeyUsage).toEqual(purposes[profile]);
});

test("signRequest takes the days that it is given", () => {
  const signed = must(sign(request("vm", info), alice, 30));
  expect(must(parseCertificate(signed.der)).notAfter).toBe(now + 30 * day);
});

const albatross: Holder = {
  certificate: readCertificates("pki/dev.pem")[0],
  key: readKey("pki/dev.key"),
};

test.for(readLines<{ file: string }>("leaf/csrs.jsonl").map(({ file }) => file))(
  "signRequest decides about %s as albatross",
  (file) => {
    const signed = sign(must(parseRequest(readDer(file))), albatross);
    // albatross signs any command and any name; its endpoint then refuses these.
    const useless = /^leaf\/(remove-policy|stats-(add|remove)|policy-path)\//;
    expect(signed.ok).toBe(!useless.test(file) && !/exceeds-policy|toobig/.test(file));
  },
);

test("signRequest refuses albatross's own request for more than the authority has", () => {
  expect(sign(must(parseRequest(readDer("pki/toobig.req"))), albatross)).toEqual({
    ok: false,
    error: { kind: "policy-exceeded", excess: { kind: "unikernels", limit: 10, asked: 100 } },
  });
});

test.for<[string, Command, SignError["kind"]]>([
  ["more unikernels", { kind: "policy-add", policy: { ...policy, unikernels: 3 } }, "policy-exceeded"],
  ["another CPU", { kind: "policy-add", policy: { ...policy, cpuids: [0, 1] } }, "policy-exceeded"],
  ["another bridge", { kind: "policy-add", policy: { ...policy, bridges: ["other"] } }, "policy-exceeded"],
  ["no unikernels", { kind: "policy-add", policy: { ...policy, unikernels: 0 } }, "policy-unusable"],
  ["too little memory", { kind: "policy-add", policy: { ...policy, memory: 16 } }, "policy-unusable"],
  ["a create with too much memory", create({ memory: 257 }), "policy-exceeded"],
  ["a create on another CPU", create({ cpuids: [1] }), "policy-exceeded"],
  ["a create on another bridge", create({ bridges: [{ netif: "service", bridge: "other" }] }), "policy-exceeded"],
  ["policy remove", { kind: "policy-remove" }, "command-not-allowed"],
  ["stats remove", { kind: "stats-remove" }, "command-not-allowed"],
])("signRequest refuses %s", ([, command, kind]) => {
  expect(refusal("vm", command)?.kind).toBe(kind);
});

test("signRequest accepts a create that fits, and an authority without a policy signs any", () => {
  expect(refusal("vm", create({ bridges: [{ netif: "net", bridge: "service" }] }))).toBeUndefined();
  expect(refusal("vm", create({ memory: 100_000, cpuids: [9] }), anchor)).toBeUndefined();
});

test("signRequest refuses names that cannot be labels, and lets a leaf name its path", () => {
  expect(refusal("not a label", addPolicy)?.kind).toBe("common-name-bad");
  expect(refusal(":", addPolicy)?.kind).toBe("common-name-bad");
  expect(refusal(undefined, addPolicy)?.kind).toBe("common-name-missing");
  expect(refusal(undefined, undefined)?.kind).toBe("common-name-missing");
  expect(refusal("a_b", info)?.kind).toBe("common-name-bad");
  for (const name of [undefined, "", ".", ":"]) expect(refusal(name, info)).toBeUndefined();
});

test("signRequest refuses to sign with what is no authority, or with another's key", () => {
  const vm = leaf(alice);
  expect(refusal("vm", info, vm)).toEqual({ kind: "issuer-not-authority" });
  expect(refusal("vm", info, { ...alice, key: freshKey() })).toEqual({ kind: "issuer-key-differs" });
  const odd = forge({ ...authority, name: "odd", issuer: anchor, command: Uint8Array.of(1) });
  expect(refusal("vm", info, odd)).toMatchObject({ kind: "issuer-extension-undecodable" });
});

const program = findProgram("albatross-client");

test.skipIf(program === undefined).for(keyTypes)(
  "albatross signs our request by a key of type %s with our authority",
  (type) => {
    const [now_, folder] = [Date.now(), mkdtempSync(join(tmpdir(), "fulmar-"))];
    try {
      const top = forge({
        ...authority,
        name: "root",
        keyIds: "none",
        notBefore: now_ - day,
        notAfter: now_ + 9 * day,
      });
      const below = delegate("alice", top, { key: generate(type), notBefore: now_ - day, notAfter: now_ + 9 * day });
      const file = (name: string, text: string) => {
        writeFileSync(join(folder, name), text, { mode: 0o400 });
        return name;
      };
      const args = [
        file("ca.pem", encodeCertificates([below.certificate.raw])),
        "db",
        file("ca.key", encodeKey(below.key)),
        file("bob.req", encodePem("CERTIFICATE REQUEST", encodeRequest(generate(type), "bob", info))),
      ];
      chmodSync(folder, 0o700);
      execFileSync(program ?? "", ["sign", ...args], { cwd: folder, stdio: "pipe" });
      const chain = must(parseCertificates(readFileSync(join(folder, "bob.pem"), "utf8")));
      expect(must(verifyPath(chain, top.certificate, now_, "client")).leaf.subject.commonName).toBe("bob");
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);

const narrow = delegate("carol", alice, {
  extra: [extension(oids.permissions, false, encodePermissions(["info", "create"]))],
});

test("signRequest copies the permissions of the request", () => {
  const wish = must(parseRequest(encodeRequest(freshKey(), "bob", addPolicy, ["info"])));
  for (const issuer of [alice, narrow]) {
    const signed = must(sign(wish, issuer));
    expect([signed.permissions, must(parseCertificate(signed.der)).extensions.permissions]).toEqual([
      ["info"],
      ["info"],
    ]);
  }
});

test("signRequest permits nothing that the issuer, or one above it, does not", () => {
  const wish = must(parseRequest(encodeRequest(freshKey(), "bob", addPolicy, ["info", "destroy"])));
  const error: SignError = { kind: "permission-exceeded", asked: ["destroy"], permitted: ["info", "create"] };
  expect(sign(wish, narrow)).toEqual({ ok: false, error });
  const below = delegate("dave", narrow);
  const signing = { issuer: below.certificate, above: [narrow.certificate, alice.certificate], issuerKey: below.key };
  expect(signRequest(wish, { ...signing, now, serial: Uint8Array.of(5) })).toEqual({ ok: false, error });
});

test("signRequest makes no certificate whose own command is not permitted", () => {
  const error: SignError = { kind: "command-not-permitted", permission: "destroy", permitted: ["info", "create"] };
  expect(refusal("vm", { kind: "unikernel-destroy" }, narrow)).toEqual(error);
  expect(refusal("vm", info, narrow)).toBeUndefined();
  expect(refusal("bob", addPolicy, narrow)).toBeUndefined();
});
