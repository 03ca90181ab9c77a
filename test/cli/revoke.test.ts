import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Crl, listRevoked, parseCrl, verifyCrl } from "../../src/x509/crl.ts";
import { parseCertificates, parsePem } from "../../src/x509/pem.ts";
import { expectOk } from "../host/folder.ts";
import { requested, say, temporaryFolder } from "./terminal.ts";

/** A folder with an authority, alice and bob below it, and carol below alice. */
async function family(): Promise<string> {
  const folder = temporaryFolder();
  for (const line of [
    "generate ca db",
    "add-policy --csr alice 2 --mem 256 --bridge service",
    "sign cacert.pem db ca.key alice.req",
    "add-policy --csr bob 2 --mem 256 --bridge service",
    "sign cacert.pem db ca.key bob.req",
    "add-policy --csr carol 1 --mem 64 --bridge service",
    "sign alice.pem db alice.key carol.req",
  ]) {
    const { status, stderr } = await say(line.split(" "), folder);
    if (status !== 0) throw new Error(`${line}: ${stderr}`);
  }
  return folder;
}

function readCrl(folder: string, file: string, authority: string): Crl {
  const [block] = expectOk(parsePem(readFileSync(join(folder, file), "latin1")));
  const crl = expectOk(parseCrl(block?.der ?? new Uint8Array(0)));
  const [issuer] = expectOk(parseCertificates(readFileSync(join(folder, authority), "latin1")));
  expectOk(verifyCrl(crl, issuer));
  return crl;
}

function serials(crl: Crl): readonly string[] {
  return listRevoked(crl).map(({ serial }) => Buffer.from(serial).toString("hex"));
}

/** As it stands in the database. */
function serialOf(folder: string, name: string): string {
  const line = readFileSync(join(folder, "db"), "latin1").split("\n");
  return line.find((one) => one.endsWith(` ${name}`))?.split(" ")[0] ?? "";
}

const revoke = "revoke cacert.pem db ca.key".split(" ");

test("revoke makes one list after the other, each of all that was revoked, and leaves the database as it is", async () => {
  const folder = await family();
  const database = readFileSync(join(folder, "db"), "utf8");
  const first = await say([...revoke, "alice.pem", "--next-update", "7"], folder);
  expect(first.stdout).toMatch(/^revoking [0-9a-f]+\nwrote ca.crl: list 1 of ca, 1 certificate, good until \S+\n$/);
  const one = readCrl(folder, "ca.crl", "cacert.pem");
  expect([one.number, (one.nextUpdate - one.thisUpdate) / 86_400_000]).toEqual([1n, 7]);
  expect((await say([...revoke, serialOf(folder, "bob"), "alice.pem"], folder)).status).toBe(0);
  expect((await say(revoke, folder)).status).toBe(0);
  const last = readCrl(folder, "ca.crl", "cacert.pem");
  expect(last.number).toBe(3n);
  expect(new Set(serials(last))).toEqual(new Set(["alice", "bob"].map((name) => serialOf(folder, name))));
  expect(readFileSync(join(folder, "db"), "utf8")).toBe(database);
});

test("revoke keeps the lists of several authorities with one database apart", async () => {
  const folder = await family();
  await say([...revoke, "alice.pem"], folder);
  expect((await say("revoke alice.pem db alice.key carol.pem".split(" "), folder)).status).toBe(0);
  const alices = readCrl(folder, "alice.crl", "alice.pem");
  expect([alices.number, serials(alices)]).toEqual([1n, [serialOf(folder, "carol")]]);
});

test("revoke reads a serial number in any spelling", async () => {
  const folder = await family();
  const pairs = serialOf(folder, "alice").toUpperCase().match(/../g) ?? [];
  expect((await say([...revoke, `00${pairs.join("")}`], folder)).status).toBe(0);
  expect((await say([...revoke, pairs.join(":")], folder)).stdout).toContain("is revoked already");
  expect(serials(readCrl(folder, "ca.crl", "cacert.pem"))).toEqual([serialOf(folder, "alice")]);
});

test.for([
  ["revoke cacert.pem db ca.key 0a0b", "db lists no certificate 0a0b"],
  ["revoke cacert.pem db ca.key carol.pem", "is not issued by this authority"],
  ["revoke cacert.pem db alice.key alice.pem", "does not belong to the authority's certificate"],
  ["revoke server.pem db server.key alice.pem", "does not let its authority sign revocation lists"],
  ["revoke cacert.pem db ca.key nowhere.pem", "nowhere.pem: there is no such file"],
  ["push-crl ca.crl --ca alice.pem", "it is of another authority"],
  ["push-crl alice.pem --ca alice.pem", "there is no X509 CRL in it"],
] as const)("124: %s", async ([line, text]) => {
  const folder = await family();
  await say(revoke, folder);
  const { status, stderr } = await say(line.split(" "), folder);
  expect([status, stderr]).toEqual([124, expect.stringContaining(text)]);
  expect(readCrl(folder, "ca.crl", "cacert.pem").number).toBe(1n);
});

test("revoke makes no list while a line of what was revoked cannot be read: nobody knows what it says", async () => {
  const folder = await family();
  await say([...revoke, "alice.pem"], folder);
  appendFileSync(join(folder, "db.revoked"), "something else\n");
  const { status, stderr } = await say(revoke, folder);
  expect([status, stderr]).toEqual([124, expect.stringContaining("db.revoked: line 2 cannot be read")]);
});

test("push-crl asks with the list and its authority, lock and unlock with a path", async () => {
  const folder = await family();
  await say(revoke, folder);
  const push = await requested("push-crl ca.crl --ca cacert.pem".split(" "), folder);
  const [crl] = expectOk(parsePem(readFileSync(join(folder, "ca.crl"), "latin1")));
  const [certificate] = expectOk(parsePem(readFileSync(join(folder, "cacert.pem"), "latin1")));
  expect(push).toMatchObject({
    name: { path: [] },
    command: { kind: "push-crl", crl: crl?.der, authority: certificate?.der },
  });
  for (const kind of ["lock", "unlock"] as const) {
    const { name, command } = await requested([kind, "alice:bob"], folder);
    expect([name, command]).toEqual([{ path: [] }, { kind, path: ["alice", "bob"] }]);
  }
  const { name, command } = await requested(["locks", "-p", "alice"], folder);
  expect([name, command]).toEqual([{ path: ["alice"] }, { kind: "locks" }]);
});

test("sign shows which path a request for a lock is about", async () => {
  const folder = await family();
  await say("lock carol --csr".split(" "), folder);
  const { stdout } = await say("sign alice.pem db alice.key lock.req".split(" "), folder);
  expect(stdout).toContain("signing lock carol:");
});

test("revocations at the same time make lists of numbers of their own, and the last has what all revoked", async () => {
  const folder = await family();
  const words = ["alice.pem", "bob.pem", undefined, serialOf(folder, "alice")];
  const said = await Promise.all(words.map((word) => say([...revoke, ...(word === undefined ? [] : [word])], folder)));
  expect(said.map(({ status }) => status)).toEqual([0, 0, 0, 0]);
  const numbers = said.map(({ stdout }) => Number(/list (\d+) of ca/.exec(stdout)?.[1]));
  expect(numbers.sort()).toEqual([1, 2, 3, 4]);
  const last = readCrl(folder, "ca.crl", "cacert.pem");
  expect(last.number).toBe(4n);
  expect(new Set(serials(last))).toEqual(new Set(["alice", "bob"].map((name) => serialOf(folder, name))));
  expect(existsSync(join(folder, "db.revoked.lock"))).toBe(false);
});

test("a revocation that was killed in its turn keeps others from revoking, who are told what to remove", async () => {
  const folder = await family();
  writeFileSync(join(folder, "db.revoked.lock"), "1\n");
  const refused = await say([...revoke, "alice.pem"], folder);
  expect(refused.status).not.toBe(0);
  expect(refused.stderr).toContain("if none does, one was killed: remove db.revoked.lock");
  expect(existsSync(join(folder, "ca.crl"))).toBe(false);
}, 60_000);
