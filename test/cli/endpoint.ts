import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer as createTcpServer } from "node:net";
import { join } from "node:path";
import { createServer, type TLSSocket } from "node:tls";
import { encodeFrame } from "../../src/codec/frame.ts";
import { encodeWire, type Payload } from "../../src/codec/wire.ts";
import { type Certificate, parseCertificate } from "../../src/x509/certificate.ts";

/** A TLS server in place of an endpoint. */
export interface Endpoint {
  readonly port: number;
  /** What each client presented, leaf first. */
  readonly presented: Certificate[][];
  /** What each client sent, joined. */
  readonly received: Buffer[];
  close(): void;
}

export interface EndpointOptions {
  /** Where server.pem, server.key and cacert.pem are. */
  readonly folder: string;
  readonly certificate?: string;
  readonly key?: string;
  /** Closes where the client's certificate does not come from cacert.pem. */
  readonly strict?: boolean;
  /** With one that no key of the client fits, OpenSSL answers with an alert, after the client's handshake. */
  readonly sigalgs?: string;
  /** Called for each piece that came; ends the connection by itself. */
  readonly act: (socket: TLSSocket, received: Buffer) => void;
}

export async function serve({
  folder,
  certificate,
  key,
  strict = false,
  sigalgs,
  act,
}: EndpointOptions): Promise<Endpoint> {
  const read = (file: string): string => readFileSync(join(folder, file), "utf8");
  const presented: Certificate[][] = [];
  const received: Buffer[] = [];
  const credentials = { cert: read(certificate ?? "server.pem"), key: read(key ?? "server.key") };
  const server = createServer({
    ...credentials,
    ca: read("cacert.pem"),
    minVersion: "TLSv1.3",
    requestCert: true,
    rejectUnauthorized: strict,
    ...(sigalgs === undefined ? {} : { sigalgs }),
  });
  server.on("secureConnection", (socket) => {
    presented.push(chainOf(socket));
    const index = received.push(Buffer.alloc(0)) - 1;
    socket.on("error", () => undefined);
    socket.on("data", (piece) => {
      const all = Buffer.concat([received[index] ?? Buffer.alloc(0), piece]);
      received[index] = all;
      act(socket, all);
    });
    act(socket, Buffer.alloc(0));
  });
  server.on("tlsClientError", () => undefined);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: portOf(server.address()), presented, received, close: () => server.close() };
}

/** A port that nobody listens on. */
export async function closedPort(): Promise<number> {
  const server = createTcpServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server.address());
  server.close();
  await once(server, "close");
  return port;
}

export function answer(payload: Payload): Uint8Array {
  return encodeFrame(encodeWire({ header: { version: 5, sequence: 0n, name: { path: [] } }, payload }));
}

function chainOf(socket: TLSSocket): Certificate[] {
  const chain: Certificate[] = [];
  for (let at = socket.getPeerX509Certificate(); at !== undefined && chain.length < 20; at = at.issuerCertificate) {
    const certificate = parseCertificate(Uint8Array.from(at.raw));
    if (!certificate.ok) throw new Error(certificate.error.kind);
    chain.push(certificate.value);
  }
  return chain;
}

function portOf(address: ReturnType<ReturnType<typeof createTcpServer>["address"]>): number {
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
