import { execFileSync, spawnSync } from "node:child_process";
import { createPrivateKey } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSecureContext } from "node:tls";
import { expect, onTestFinished, test } from "vitest";
import { parseCertificate } from "../../src/x509/certificate.ts";
import { type Bundle, encodeBundle, encryptKey, isBundlePassphrase } from "../../src/x509/export.ts";
import { issueCertificate } from "../../src/x509/issue.ts";
import { encodePublicKey, type KeyType, keyTypes } from "../../src/x509/keys.ts";
import { encodePem, parsePem } from "../../src/x509/pem.ts";
import { generate } from "./forge.ts";
import { must } from "./vectors.ts";

const passphrase = 'correct horse \\"$1~';
const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;

/** A leaf below a root, with keys of two types. */
function bundle(type: KeyType, rootType: KeyType = type): Bundle {
  const [rootKey, key] = [generate(rootType), generate(type)];
  const times = { notBefore: Date.now() - 1000, notAfter: Date.now() + 86_400_000, serial: Uint8Array.of(1, 2) };
  const rootPublic = encodePublicKey(rootKey);
  const root = must(
    parseCertificate(
      issueCertificate({ ...times, profile: "authority", commonName: "ca", publicKey: rootPublic, issuerKey: rootKey }),
    ),
  );
  const subject = { profile: "client", commonName: "alice", publicKey: encodePublicKey(key) } as const;
  const leaf = must(parseCertificate(issueCertificate({ ...times, ...subject, issuer: root, issuerKey: rootKey })));
  return { key, chain: [leaf, root], title: "Älice" };
}

function file(content: Uint8Array | string): string {
  const folder = mkdtempSync(join(tmpdir(), "fulmar-export-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "file"), content);
  return join(folder, "file");
}

function openssl(words: readonly string[]): string {
  return execFileSync("openssl", words, { encoding: "utf8", env: { ...process.env, WORD: passphrase } });
}

test.for(keyTypes)("encryptKey writes a key of type %s that only the passphrase opens", async (type) => {
  const key = generate(type);
  const pem = await encryptKey(key, passphrase);
  expect(pem).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/);
  expect(createPrivateKey({ key: pem, passphrase }).equals(key)).toBe(true);
  expect(() => createPrivateKey({ key: pem, passphrase: "wrong" })).toThrow();
  expect(Buffer.from(pem).includes(key.export({ format: "pem", type: "pkcs8" }).slice(30, 90))).toBe(false);
  if (hasOpenssl) {
    const clear = openssl(["pkey", "-in", file(pem), "-passin", "env:WORD"]);
    expect(createPrivateKey(clear).equals(key)).toBe(true);
  }
});

test.for(["ed25519", "rsa2048"] as const)("encryptKey takes any passphrase for a key of type %s", async (type) => {
  const key = generate(type);
  const pem = await encryptKey(key, "pässwörd €");
  expect(createPrivateKey({ key: pem, passphrase: "pässwörd €" }).equals(key)).toBe(true);
});

const mixed = [
  ...keyTypes.map((type) => [type, type] as const),
  ["rsa2048", "ed25519"],
  ["ed25519", "rsa2048"],
] as const;

test.for(mixed)("encodeBundle writes a key of type %s below a root of type %s", async ([type, rootType]) => {
  const made = bundle(type, rootType);
  const pfx = Buffer.from(await encodeBundle(made, passphrase));
  expect(() => createSecureContext({ pfx, passphrase })).not.toThrow();
  expect(() => createSecureContext({ pfx, passphrase: "wrong" })).toThrow(/mac verify failure/i);
  if (!hasOpenssl) return;
  const text = openssl(["pkcs12", "-in", file(pfx), "-passin", "env:WORD", "-nodes"]);
  const blocks = must(parsePem(text));
  const certificates = blocks.filter(({ label }) => label === "CERTIFICATE").map(({ der }) => der);
  expect(certificates.map((der) => Buffer.from(der))).toEqual(made.chain.map(({ raw }) => Buffer.from(raw)));
  const [key] = blocks.filter(({ label }) => label === "PRIVATE KEY");
  expect(createPrivateKey(encodePem("PRIVATE KEY", key?.der ?? new Uint8Array(0))).equals(made.key)).toBe(true);
  expect(text.match(/friendlyName: .*lice/g)).toHaveLength(2);
  expect(new Set(text.match(/localKeyID: .*/g)).size).toBe(1);
  const info = spawnSync("openssl", ["pkcs12", "-in", file(pfx), "-passin", "env:WORD", "-info", "-noout"], {
    encoding: "utf8",
    env: { ...process.env, WORD: passphrase },
  });
  expect(info.stderr).toContain("PBES2, PBKDF2, AES-256-CBC, Iteration 100000, PRF hmacWithSHA256");
});

test.for([
  ["plain", true],
  ["", false],
  ["ä", false],
  ["line\n", false],
] as const)("isBundlePassphrase says of %j: %s", ([text, good]) => {
  expect(isBundlePassphrase(text)).toBe(good);
});

test("encodeBundle writes an RSA key's certificate that another kind of key signed, without its issuer", async () => {
  const made = bundle("rsa2048", "ed25519");
  const pfx = Buffer.from(await encodeBundle({ ...made, chain: [made.chain[0]] }, passphrase));
  expect(() => createSecureContext({ pfx, passphrase })).not.toThrow();
  expect(pfx.includes(Buffer.from(made.chain[0].raw))).toBe(true);
});
