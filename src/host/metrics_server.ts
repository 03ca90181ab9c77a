/**
 * One page over HTTP: `GET /metrics`, and nothing else.
 *
 * @module
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { err, ok, type Result } from "../core/result.ts";
import { errnoOf } from "./io.ts";
import { type ListenError, type Listener, listenUnix } from "./socket.ts";

export type MetricsAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/** @param page - in Prometheus' text format, made for every request */
export async function serveMetrics(
  address: MetricsAddress,
  page: () => string,
): Promise<Result<Listener, ListenError>> {
  const server = createServer({ maxHeaderSize: 8192 }, (request, response) => answer(request, response, page));
  server.maxConnections = maxConnections;
  server.setTimeout(silence);
  server.requestTimeout = silence;
  server.headersTimeout = silence;
  if (address.kind === "unix") {
    return listenUnix(address.path, { most: maxConnections }, (socket) => server.emit("connection", socket));
  }
  const path = `${address.host} port ${address.port}`;
  try {
    await listen(server, address.host, address.port);
  } catch (thrown) {
    return err({ kind: "socket-failed", path, code: errnoOf(thrown) });
  }
  return ok({ close: () => close(server) });
}

function answer({ method, url }: IncomingMessage, response: ServerResponse, page: () => string): void {
  const plain = { "content-type": "text/plain; charset=utf-8" };
  if (url?.split("?")[0] !== "/metrics") {
    response.writeHead(404, plain).end("what there is to see is at /metrics\n");
  } else if (method !== "GET" && method !== "HEAD") {
    response.writeHead(405, { ...plain, allow: "GET, HEAD" }).end("/metrics can only be read\n");
  } else {
    const body = page();
    const head = {
      "content-type": "text/plain; version=0.0.4; charset=utf-8",
      "content-length": Buffer.byteLength(body),
    };
    response.writeHead(200, head).end(body);
  }
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** A few scrapers, each with a connection that it keeps. */
const maxConnections = 32;

/** Milliseconds without a word, or for the words of one request: scrapers come every 10 to 60 s. */
const silence = 90_000;
