import { generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { Writable } from "node:stream";
import { createSecureContext } from "node:tls";
import { expect, test } from "vitest";
import { createLog } from "../../src/host/log.ts";
import { startTlsServer } from "../../src/host/tls.ts";
import { testPresented } from "../../src/host/tls_self_test.ts";
import { createContext } from "../../src/host/tls_socket.ts";
import { issueCertificate } from "../../src/x509/issue.ts";
import { encodeKey, encodePublicKey } from "../../src/x509/keys.ts";
import { encodeCertificates } from "../../src/x509/pem.ts";

function selfSigned(key: KeyObject): string {
  const der = issueCertificate({
    profile: "server",
    commonName: "server",
    publicKey: encodePublicKey(key),
    issuerKey: key,
    notBefore: Date.now() - 1000,
    notAfter: Date.now() + 60_000,
    serial: randomBytes(10),
  });
  return encodeCertificates([der]);
}

const { privateKey } = generateKeyPairSync("ed25519");
const chain = selfSigned(privateKey);
const key = encodeKey(privateKey);
const log = createLog("test", 0, new Writable({ write: (_chunk, _encoding, done) => done() }));

test("reference bug N3: testPresented passes where a server sees what was sent", async () => {
  const context = createContext(chain, key);
  expect(context.ok && (await testPresented(context.value))).toEqual({ ok: true, value: undefined });
});

test("reference bug N3: testPresented fails where a server sees nothing", async () => {
  // Without a certificate of its own, no handshake comes to an end.
  const error = { kind: "chain-not-seen", seen: 0, sent: 3 };
  expect(await testPresented({ secure: createSecureContext({ ca: [], minVersion: "TLSv1.3" }) })).toEqual({
    ok: false,
    error,
  });
});

test("createContext refuses a key that is not the certificate's", () => {
  const other = encodeKey(generateKeyPairSync("ed25519").privateKey);
  const code = "ERR_OSSL_X509_KEY_VALUES_MISMATCH";
  expect(createContext(chain, other)).toEqual({ ok: false, error: { kind: "credentials", code } });
});

test.for([
  ["localhost", 0],
  ["192.0.2.1", 0],
  ["127.0.0.1", 65_536],
  ["127.0.0.1", Number.NaN],
] as const)("startTlsServer does not listen on %s port %d", async ([host, port]) => {
  const server = await startTlsServer({ chain, key, host, port, log }, async () => undefined);
  expect(server).toMatchObject({ ok: false, error: { kind: "listen", host, port } });
});

test("startTlsServer says that its port is taken, and gives it back", async () => {
  const serve = async (): Promise<void> => undefined;
  const options = { chain, key, host: "127.0.0.1", log };
  const first = await startTlsServer({ ...options, port: 0 }, serve);
  if (!first.ok) throw new Error(first.error.kind);
  const { port } = first.value;
  const second = await startTlsServer({ ...options, port }, serve);
  expect(second).toMatchObject({ ok: false, error: { kind: "listen", code: "EADDRINUSE" } });
  await first.value.close(0);
  const third = await startTlsServer({ ...options, port }, serve);
  expect(third.ok).toBe(true);
  if (third.ok) await third.value.close(0);
});
