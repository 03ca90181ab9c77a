/**
 * Whether this Node shows a server the certificates that a client sends: some
 * releases show the leaf alone, and then every delegation would be lost.
 *
 * A client of ours sends a chain of three, made for this once, through the same
 * code as every other client, over a socket without a name in the file system.
 *
 * @module
 */
import { generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { createConnection, createServer, type Socket } from "node:net";
import { connect } from "node:tls";
import { err, ok, type Result } from "../core/result.ts";
import { type Certificate, parseCertificate } from "../x509/certificate.ts";
import { issueCertificate } from "../x509/issue.ts";
import { encodeKey, encodePublicKey } from "../x509/keys.ts";
import { encodeCertificates } from "../x509/pem.ts";
import { startHandshake, type TlsContext } from "./tls_socket.ts";

/** A server saw `seen` of the three certificates, or others; no service is safe then. */
export interface SelfTestError {
  readonly kind: "chain-not-seen";
  readonly seen: number;
  readonly sent: number;
}

/** @param weight - bytes that the leaf carries besides */
export async function testPresented(context: TlsContext, weight = 0): Promise<Result<void, SelfTestError>> {
  const { chain, key } = makeChain(weight);
  const seen = await present(context, encodeCertificates(chain), key);
  const same = seen.length === chain.length && seen.every((der, at) => Buffer.compare(der, chain[at] ?? none) === 0);
  return same ? ok(undefined) : err({ kind: "chain-not-seen", seen: seen.length, sent: chain.length });
}

/** What the server sees. Empty where the handshake fails. */
async function present(context: TlsContext, chain: string, key: string): Promise<readonly Uint8Array[]> {
  const path = `\0fulmar-self-test-${randomBytes(8).toString("hex")}`;
  const server = createServer();
  const sockets: Socket[] = [];
  const seen = new Promise<readonly Uint8Array[]>((resolve) => {
    const timer = setTimeout(() => resolve([]), patience);
    const settle = (presented: readonly Uint8Array[]): void => {
      clearTimeout(timer);
      resolve(presented);
    };
    server.once("error", () => settle([]));
    server.once("connection", (raw) => {
      const { socket, readPresented } = startHandshake(raw, context, () => settle([]));
      sockets.push(socket);
      socket.once("secure", () => settle(readPresented() ?? []));
    });
    // Exclusive: a worker's is no matter of the others'.
    server.listen({ path, exclusive: true }, () => {
      const raw = createConnection(path);
      const client = connect({ socket: raw, cert: chain, key, ca: [], rejectUnauthorized: false });
      client.on("error", () => settle([]));
      sockets.push(client, raw);
    });
  });
  const result = await seen;
  for (const socket of sockets) socket.destroy();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return result;
}

/** Leaf, its issuer, and that one's issuer; the root is nobody's. */
function makeChain(weight: number): { readonly chain: readonly Uint8Array[]; readonly key: string } {
  const root = issue("self-test-root");
  const upper = issue("self-test-upper", root);
  const lower = issue("self-test-lower", upper);
  const leaf = issue("self-test-leaf", lower, weight);
  return { chain: [leaf, lower, upper].map(({ certificate }) => certificate.raw), key: encodeKey(leaf.key) };
}

interface Holder {
  readonly certificate: Certificate;
  readonly key: KeyObject;
}

function issue(commonName: string, issuer?: Holder, weight = 0): Holder {
  const { privateKey: key } = generateKeyPairSync("ed25519");
  const der = issueCertificate({
    profile: "authority",
    commonName,
    publicKey: encodePublicKey(key),
    ...(issuer === undefined ? {} : { issuer: issuer.certificate }),
    ...(weight === 0 ? {} : { extension: new Uint8Array(weight) }),
    issuerKey: issuer?.key ?? key,
    notBefore: Date.UTC(2026, 0),
    notAfter: Date.UTC(2046, 0),
    serial: randomBytes(10),
  });
  const certificate = parseCertificate(der);
  if (!certificate.ok) throw new Error(`unreadable certificate of our own: ${certificate.error.kind}`);
  return { certificate: certificate.value, key };
}

const none = new Uint8Array(0);

/** Milliseconds; it takes about ten. */
const patience = 10_000;
