import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readAuthority } from "../../src/x509/authority.ts";
import type { Certificate } from "../../src/x509/certificate.ts";
import { encodeRequest } from "../../src/x509/csr.ts";
import { keyFromSeed, keyTypes } from "../../src/x509/keys.ts";
import { verifyPath } from "../../src/x509/path.ts";
import { encodePem, parseCertificates } from "../../src/x509/pem.ts";
import { say, temporaryFolder } from "./terminal.ts";

/** Runs command lines in one folder, one after the other; all must succeed. */
async function follow(folder: string, lines: readonly string[]): Promise<string> {
  let shown = "";
  for (const line of lines) {
    const { status, stdout, stderr } = await say(line.split(" "), folder);
    if (status !== 0) throw new Error(`${line}: ${stderr}`);
    shown += stdout;
  }
  return shown;
}

function readCertificates(folder: string, file: string): readonly [Certificate, ...Certificate[]] {
  const certificates = parseCertificates(readFileSync(join(folder, file), "utf8"));
  if (!certificates.ok) throw new Error(certificates.error.kind);
  return certificates.value;
}

/** The holder of a chain as the endpoint would see it. */
function holder(folder: string, file: string): string {
  const [anchor] = readCertificates(folder, "cacert.pem");
  const path = verifyPath(readCertificates(folder, file), anchor, Date.now(), "client");
  const authority = path.ok ? readAuthority(path.value) : path;
  if (!authority.ok) return authority.error.kind;
  return [...authority.value.levels.map((level) => level.label), authority.value.label ?? ""].join(":");
}

const alice = [
  "generate ca db",
  "add-policy --csr alice 2 --mem 256 --cpu 0 --bridge service",
  "sign cacert.pem db ca.key alice.req",
];

test.for(keyTypes)("generate makes an authority and a server's certificate with keys of type %s", async (type) => {
  const folder = temporaryFolder();
  await follow(folder, [`generate ca db --key-type ${type}`]);
  expect(readdirSync(folder).toSorted()).toEqual(["ca.key", "cacert.pem", "db", "server.key", "server.pem"]);
  for (const key of ["ca.key", "server.key"]) expect(statSync(join(folder, key)).mode & 0o777).toBe(0o400);
  const [anchor, ...others] = readCertificates(folder, "cacert.pem");
  const server = readCertificates(folder, "server.pem");
  expect([others.length, server.length]).toEqual([0, 1]);
  expect(verifyPath(server, anchor, Date.now(), "server").ok).toBe(true);
  const days = (certificate: Certificate): number =>
    (certificate.notAfter - certificate.notBefore - 10_000) / 86_400_000;
  expect([days(anchor), days(server[0])]).toEqual([3650, 365]);
  expect(readFileSync(join(folder, "db"), "utf8")).toBe(`${serial(server[0])} server\n`);
});

test("generate keeps keys that are there", async () => {
  const folder = temporaryFolder();
  await follow(folder, ["generate ca db --server srv --server-days 2"]);
  const keys = ["ca.key", "srv.key"].map((file) => readFileSync(join(folder, file), "utf8"));
  await follow(folder, ["generate ca db --server srv"]);
  expect(["ca.key", "srv.key"].map((file) => readFileSync(join(folder, file), "utf8"))).toEqual(keys);
});

test("sign shows what it signs and enters it in the database", async () => {
  const folder = temporaryFolder();
  expect(await follow(folder, alice)).toBe(
    "signing certificate with subject /CN=alice\n" +
      "signing policy add policy: 2 unikernels 0 CPUids 256 MB memory no block, bridges: service\n",
  );
  const [certificate] = readCertificates(folder, "alice.pem");
  const [, entry] = readFileSync(join(folder, "db"), "utf8").split("\n");
  expect(entry).toBe(`${serial(certificate)} alice`);
});

test("sign shows the permissions that were asked for, copies them, and refuses more than the authority has", async () => {
  const folder = temporaryFolder();
  await follow(folder, ["generate ca db", "add-policy --csr alice 2 --mem 256 --bridge service --permit console,info"]);
  expect(await follow(folder, ["sign cacert.pem db ca.key alice.req"])).toBe(
    "signing certificate with subject /CN=alice\n" +
      "signing policy add policy: 2 unikernels 0 CPUids 256 MB memory no block, bridges: service\n" +
      "signing permissions: info, console only\n",
  );
  expect(readCertificates(folder, "alice.pem")[0].extensions.permissions).toEqual(["info", "console"]);
  await follow(folder, ["add-policy --csr bob 1 --mem 256 --bridge service --permit info,destroy"]);
  expect(await say("sign alice.pem db alice.key bob.req".split(" "), folder)).toMatchObject({
    status: 124,
    stderr:
      "error: destroy is asked for, and the authority's certificates permit info, console only\n" +
      "hint: a certificate permits at most what those above it permit: ask for less\n",
  });
});

test.for([
  ["info --csr --permit info,all", "Permissions are some of info, console, download,"],
  ["info --permit info", "error: --permit is for certificates\nhint: it goes with --csr or -d\n"],
])("124: %s", async ([words, text]) => {
  const said = await say((words ?? "").split(" "), temporaryFolder());
  expect(said.status).toBe(124);
  expect(said.stderr).toContain(text);
});

test("reference bug 34: a certificate of the authority below an authority below an authority holds", async () => {
  const folder = temporaryFolder();
  await follow(folder, [
    ...alice,
    "add-policy --csr bob 1 --mem 128 --bridge service",
    "sign alice.pem db alice.key bob.req",
    "add-policy --csr carol 1 --mem 64 --bridge service",
    "sign bob.pem db bob.key carol.req",
    "destroy web --csr",
    "sign carol.pem db carol.key web.req",
  ]);
  expect(["alice", "bob", "carol", "web"].map((name) => readCertificates(folder, `${name}.pem`).length)).toEqual([
    1, 2, 3, 4,
  ]);
  expect(holder(folder, "web.pem")).toBe("alice:bob:carol:web");
});

test("reference bug 30: sign takes the file of several certificates that it wrote itself, and leaves the root out", async () => {
  const folder = temporaryFolder();
  await follow(folder, [...alice, "info --csr", "sign alice.pem db alice.key unikernel-info.req"]);
  expect(holder(folder, "unikernel-info.pem")).toBe("alice:");
  const whole = ["alice.pem", "cacert.pem"].map((file) => readFileSync(join(folder, file), "utf8")).join("");
  writeFileSync(join(folder, "whole.pem"), whole);
  await follow(folder, ["info -n web --csr", "sign whole.pem db alice.key web.req"]);
  expect(readCertificates(folder, "web.pem").length).toBe(2);
});

test.for([
  ["add-policy --csr bob 3 --mem 64 --bridge service", "3 unikernels"],
  ["add-policy --csr bob 1 --mem 257 --bridge service", "257 MB"],
  ["add-policy --csr bob 1 --mem 64 --cpu 1 --bridge service", "CPU 1"],
  ["add-policy --csr bob 1 --mem 64 --bridge other", "bridge other"],
  ["add-policy --csr bob 1 --mem 64 --block 1", "none allowed"],
] as const)("sign refuses more than the authority has: %s", async ([line, text]) => {
  const folder = temporaryFolder();
  await follow(folder, [...alice, line]);
  const { status, stderr } = await say("sign alice.pem db alice.key bob.req".split(" "), folder);
  expect(status).toBe(124);
  expect(stderr).toContain(text);
  expect(readdirSync(folder)).not.toContain("bob.pem");
});

test("sign refuses a key that is not the authority's, and files that are not what they should be", async () => {
  const folder = temporaryFolder();
  await follow(folder, [...alice, "destroy web --csr"]);
  const refusals = [
    ["sign alice.pem db ca.key web.req", "does not belong"],
    ["sign server.pem db server.key web.req", "no authority's"],
    ["sign ca.key db alice.key web.req", "no CERTIFICATE in it"],
    ["sign alice.pem db alice.pem web.req", "no private key in it"],
    ["sign alice.pem db alice.key alice.pem", "no CERTIFICATE REQUEST in it"],
    ["sign nowhere.pem db alice.key web.req", "nowhere.pem: there is no such file"],
  ] as const;
  for (const [line, text] of refusals) {
    const { status, stderr } = await say(line.split(" "), folder);
    expect([line, status]).toEqual([line, 124]);
    expect(stderr).toContain(text);
  }
});

test("116: sign refuses an authority whose own time is over", async () => {
  const folder = temporaryFolder();
  await follow(folder, [...alice, "destroy web --csr"]);
  const later = Date.now() + 400 * 86_400_000;
  const { status, stderr } = await say("sign alice.pem db alice.key web.req".split(" "), folder, later);
  expect(status).toBe(116);
  expect(stderr).toContain("was valid until");
});

test("sign writes no file outside its folder, whatever name a request has", async () => {
  const folder = temporaryFolder();
  await follow(folder, ["generate ca db"]);
  for (const commonName of ["../web", "/etc/web", "a\nb", "a:b"]) {
    const request = encodeRequest(keyFromSeed(new Uint8Array(32)), commonName, undefined);
    writeFileSync(join(folder, "odd.req"), encodePem("CERTIFICATE REQUEST", request));
    expect((await say("sign cacert.pem db ca.key odd.req".split(" "), folder)).status).toBe(124);
  }
  expect(
    readdirSync(folder)
      .filter((file) => file.endsWith(".pem"))
      .toSorted(),
  ).toEqual(["cacert.pem", "server.pem"]);
});

test("sign makes a server's certificate of a request for nothing, and says so", async () => {
  const folder = temporaryFolder();
  await follow(folder, ["generate ca db"]);
  const request = encodeRequest(keyFromSeed(new Uint8Array(32)), "example.org", undefined);
  writeFileSync(join(folder, "example.req"), encodePem("CERTIFICATE REQUEST", request));
  const { status, stderr } = await say("sign cacert.pem db ca.key example.req".split(" "), folder);
  expect(status).toBe(0);
  expect(stderr).toContain("warning: the request asks for nothing");
  const [anchor] = readCertificates(folder, "cacert.pem");
  expect(verifyPath(readCertificates(folder, "example.org.pem"), anchor, Date.now(), "server").ok).toBe(true);
});

function serial(certificate: Certificate): string {
  return Buffer.from(certificate.serial).toString("hex");
}
