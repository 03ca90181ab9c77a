/**
 * Whether this Node shows a server the certificates that a client sends: some
 * releases show the leaf alone, and then every delegation would be lost.
 *
 * A client of ours sends a chain of three, made for this once, through the same
 * code as every other client, over a socket without a name in the file system.
 *
 * @module
 */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { createConnection, createServer, type Socket } from "node:net";
import { connect } from "node:tls";
import { tags } from "../codec/der.ts";
import {
  bitString,
  constructed,
  type Der,
  encodeDer,
  encoded,
  explicit,
  integer,
  octets,
  primitive,
  sequence,
  text,
} from "../codec/der_writer.ts";
import { err, ok, type Result } from "../core/result.ts";
import { encodeKey, encodePublicKey } from "../x509/keys.ts";
import { oids, writeOid } from "../x509/oid.ts";
import { encodeCertificates } from "../x509/pem.ts";
import { encodeAlgorithm } from "../x509/signature.ts";
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
      const { socket, readPresented } = startHandshake(raw, context, madeCount, () => settle([]));
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
  const keys = Array.from({ length: 4 }, () => generateKeyPairSync("ed25519").privateKey);
  const [key, lower, upper, root] = keys;
  if (key === undefined || lower === undefined || upper === undefined || root === undefined) throw new Error("no keys");
  const leaf = issue("self-test-leaf", key, "self-test-lower", lower, weight);
  const above = [issue("self-test-lower", lower, "self-test-upper", upper, 0)];
  above.push(issue("self-test-upper", upper, "self-test-root", root, 0));
  return { chain: [leaf, ...above], key: encodeKey(key) };
}

/** As little of a certificate as OpenSSL takes: nobody verifies these, and the library that makes real ones is large. */
function issue(subject: string, key: KeyObject, issuer: string, issuerKey: KeyObject, weight: number): Uint8Array {
  const ed25519 = encoded(encodeAlgorithm({ scheme: "ed25519" }));
  const validity = sequence(
    ...["260101000000Z", "460101000000Z"].map((time) => primitive(tags.utcTime, Buffer.from(time))),
  );
  const extension = sequence(writeOid(oids.command), octets(new Uint8Array(weight)));
  const publicKey = encoded(encodePublicKey(key));
  const names = [name(issuer), validity, name(subject)];
  const tbs = encodeDer(
    sequence(explicit(0, integer(2)), integer(1), ed25519, ...names, publicKey, explicit(3, sequence(extension))),
  );
  return encodeDer(sequence(encoded(tbs), ed25519, bitString(sign(undefined, tbs, issuerKey))));
}

function name(commonName: string): Der {
  return sequence(constructed(tags.set, [sequence(writeOid(oids.commonName), text(commonName))]));
}

const none = new Uint8Array(0);

/** Of the certificates made here. */
const madeCount = 3;

/** Milliseconds; it takes about ten. */
const patience = 10_000;
