/**
 * For the endpoint's tests: chains made on the spot, an endpoint on a free port,
 * a stand-in for the daemon on `util/chain.sock`, and a client that says what it got.
 */
import { generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { onTestFinished } from "vitest";
import { encodeExtension } from "../../src/codec/extension.ts";
import { encodeFrame, FrameReader, frameHeader } from "../../src/codec/frame.ts";
import { decodeWire, encodeWire, type Wire } from "../../src/codec/wire.ts";
import type { ChainRequest, Command } from "../../src/core/command.ts";
import type { Permission } from "../../src/core/permission.ts";
import type { Policy } from "../../src/core/policy.ts";
import type { UnikernelConfig } from "../../src/core/unikernel.ts";
import { createLog } from "../../src/host/log.ts";
import { type TlsLimits, tlsLimits } from "../../src/host/tls_limits.ts";
import { startEndpoint } from "../../src/service/endpoint.ts";
import { type Certificate, parseCertificate } from "../../src/x509/certificate.ts";
import { issueCertificate, type Profile } from "../../src/x509/issue.ts";
import { encodeKey, encodePublicKey, type KeyType, keyOptions } from "../../src/x509/keys.ts";
import { encodeCertificates } from "../../src/x509/pem.ts";

/** Someone with a certificate and its key. */
export interface Holder {
  readonly certificate: Certificate;
  readonly key: KeyObject;
}

export interface Wish {
  readonly profile?: Profile;
  readonly name?: string;
  readonly issuer?: Holder;
  readonly command?: Command;
  readonly extension?: Uint8Array;
  readonly permissions?: readonly Permission[];
  readonly keyType?: KeyType;
  readonly key?: KeyObject;
  readonly notBefore?: number;
  readonly notAfter?: number;
}

export function generateKey(type: KeyType = "ed25519"): KeyObject {
  const options = keyOptions(type);
  if (options.algorithm === "ed25519") return generateKeyPairSync("ed25519").privateKey;
  if (options.algorithm === "ec") return generateKeyPairSync("ec", { namedCurve: options.namedCurve }).privateKey;
  return generateKeyPairSync("rsa", { modulusLength: options.modulusLength }).privateKey;
}

export function hold(wish: Wish): Holder {
  const key = wish.key ?? generateKey(wish.keyType);
  const extension = wish.extension ?? (wish.command === undefined ? undefined : encodeExtension(wish.command));
  const der = issueCertificate({
    profile: wish.profile ?? "authority",
    ...(wish.name === undefined ? {} : { commonName: wish.name }),
    publicKey: encodePublicKey(key),
    ...(extension === undefined ? {} : { extension }),
    ...(wish.permissions === undefined ? {} : { permissions: wish.permissions }),
    ...(wish.issuer === undefined ? {} : { issuer: wish.issuer.certificate }),
    issuerKey: wish.issuer?.key ?? key,
    notBefore: wish.notBefore ?? Date.now() - 10_000,
    notAfter: wish.notAfter ?? Date.now() + 300_000,
    serial: randomBytes(10),
  });
  const certificate = parseCertificate(der);
  if (!certificate.ok) throw new Error(certificate.error.kind);
  return { certificate: certificate.value, key };
}

export const policy: Policy = { unikernels: 2, cpuids: [0], memory: 256, block: 64, bridges: ["service"] };
export const delegates: Command = { kind: "policy-add", policy };

/** A root, the endpoint's certificate (with that type of key), alice, and bob below her. */
export function makePki(keyType: KeyType = "ed25519"): Record<"root" | "server" | "alice" | "bob", Holder> {
  const root = hold({ name: "root" });
  const server = hold({ profile: "server", name: "server", issuer: root, keyType });
  const alice = hold({ name: "alice", issuer: root, command: delegates });
  const bob = hold({ name: "bob", issuer: alice, command: delegates });
  return { root, server, alice, bob };
}

const config: UnikernelConfig = {
  typ: "solo5",
  addName: true,
  failBehaviour: { kind: "quit" },
  cpuids: [0],
  memory: 32,
  blocks: [],
  bridges: [],
  cpus: 1,
};

export function create(bytes: Uint8Array): Command {
  return { kind: "unikernel-create", config, image: { compressed: true, bytes }, replace: false };
}

/** What the stand-in for the daemon was asked, and by which connection; it answers with what `answer` does. */
export interface Asked {
  readonly wire: Wire;
  readonly request: ChainRequest;
  /** What came behind the frame so far. */
  behind(): Buffer;
}

export interface Lab {
  readonly port: number;
  /** With ca.pem, server.pem, server.key and the stand-in's util/chain.sock. */
  readonly dir: string;
  readonly pki: ReturnType<typeof makePki>;
  readonly asked: readonly Asked[];
  readonly log: () => string;
}

export interface LabOptions {
  readonly pki?: ReturnType<typeof makePki>;
  readonly limits?: Partial<TlsLimits>;
  /** Absent: a success at once. `false`: there is no daemon. */
  readonly answer?: false | ((asked: Asked, socket: Socket) => void);
}

export async function openLab(options: LabOptions = {}): Promise<Lab> {
  const pki = options.pki ?? makePki();
  const dir = mkdtempSync(join(tmpdir(), "fulmar-endpoint-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  mkdirSync(join(dir, "util"));
  writeFileSync(join(dir, "ca.pem"), encodeCertificates([pki.root.certificate.raw]));
  writeFileSync(join(dir, "server.pem"), encodeCertificates([pki.server.certificate.raw]));
  writeFileSync(join(dir, "server.key"), encodeKey(pki.server.key), { mode: 0o600 });
  const asked: Asked[] = [];
  if (options.answer !== false) await standInForDaemon(join(dir, "util/chain.sock"), asked, options.answer ?? succeed);
  let log = "";
  const stream = { write: (line: string) => (log += line) };
  const files = { ca: join(dir, "ca.pem"), cert: join(dir, "server.pem"), key: join(dir, "server.key") };
  const endpoint = await startEndpoint({
    ...files,
    tmpdir: dir,
    host: "127.0.0.1",
    port: 0,
    log: createLog("endpoint", 2, stream),
    limits: { ...tlsLimits, ...options.limits },
  });
  if (!endpoint.ok) throw new Error(endpoint.error.kind);
  onTestFinished(() => endpoint.value.close(0));
  return { port: endpoint.value.port, dir, pki, asked, log: () => log };
}

function standInForDaemon(
  path: string,
  asked: Asked[],
  answer: (asked: Asked, socket: Socket) => void,
): Promise<Server> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    let bytes = Buffer.alloc(0);
    let told: Asked | undefined;
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    // As the daemon: what was asked is answered first, and a subscription ends.
    socket.on("end", () => (told === undefined || socket.bytesWritten > 0 ? socket.end() : undefined));
    socket.on("data", (piece: Buffer) => {
      bytes = Buffer.concat([bytes, piece]);
      if (told !== undefined || bytes.length < 4 || bytes.length < 4 + bytes.readUInt32BE()) return;
      const end = 4 + bytes.readUInt32BE();
      const wire = decodeWire(bytes.subarray(4, end));
      // What the endpoint refused, for the audit log: nothing else comes on such a connection.
      if (wire.ok && wire.value.payload.kind === "data") return;
      if (!wire.ok || wire.value.payload.kind !== "request") throw new Error("not a request");
      told = { wire: wire.value, request: wire.value.payload.request, behind: () => bytes.subarray(end) };
      asked.push(told);
      answer(told, socket);
    });
  });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return new Promise((resolve) => server.listen(path, () => resolve(server)));
}

export function reply(asked: Asked, text: string): Uint8Array {
  const payload = { kind: "success", success: { kind: "string", text } } as const;
  return encodeFrame(encodeWire({ header: asked.wire.header, payload }));
}

function succeed(asked: Asked, socket: Socket): void {
  socket.end(reply(asked, "done"));
}

/** Chunks as an upload has them, with its end. */
export function chunks(...pieces: Uint8Array[]): Buffer {
  return Buffer.concat([...pieces.flatMap((piece) => [frameHeader(piece.length), piece]), frameHeader(0)]);
}

/** @param chain - leaf first; its key is the client's */
export function dial(port: number, chain: readonly Holder[], options: ConnectionOptions = {}): TLSSocket {
  const [leaf] = chain;
  const cert = encodeCertificates(chain.map(({ certificate }) => certificate.raw));
  const credentials = leaf === undefined ? {} : { cert, key: encodeKey(leaf.key) };
  return connect({ port, host: "127.0.0.1", ...credentials, ca: [], rejectUnauthorized: false, ...options });
}

/** The payloads of the server's messages until it closes, after `upload` was sent. */
export function converse(socket: TLSSocket, upload?: Uint8Array): Promise<readonly Wire[]> {
  return new Promise((resolve, reject) => {
    const reader = new FrameReader(64 * 1024 * 1024);
    const wires: Wire[] = [];
    socket.on("secureConnect", () => (upload === undefined ? undefined : socket.write(upload)));
    socket.on("data", (piece: Buffer) => {
      const frames = reader.push(piece);
      if (!frames.ok) return reject(new Error(frames.error.kind));
      for (const frame of frames.value) {
        const wire = decodeWire(frame);
        if (!wire.ok) return reject(new Error(wire.error.kind));
        wires.push(wire.value);
      }
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(wires));
  });
}

/** The one message of the server, as name and text. */
export async function ask(port: number, chain: readonly Holder[], upload?: Uint8Array): Promise<Wire> {
  const wires = await converse(dial(port, chain), upload);
  const [wire] = wires;
  if (wire === undefined || wires.length > 1) throw new Error(`${wires.length} messages`);
  return wire;
}

export async function until(condition: () => boolean, what: string, milliseconds = 5000): Promise<void> {
  const end = Date.now() + milliseconds;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`not within ${milliseconds} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}
