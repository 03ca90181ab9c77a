/**
 * GET over HTTP and HTTPS, for repositories of images: no redirect is
 * followed, and what comes back is bounded in size and time.
 *
 * @module
 */
import { type IncomingMessage, type RequestOptions, request as requestPlain } from "node:http";
import { request as requestTls } from "node:https";
import { err, ok, type Result } from "../core/result.ts";
import { errorCode } from "./client_connection.ts";

export interface HttpReply {
  readonly status: number;
  /** Where a redirect leads, as it was sent. */
  readonly location?: string;
  readonly body: Uint8Array;
}

export interface HttpLimits {
  /** Of the body, bytes. */
  readonly size: number;
  /** Milliseconds until the whole answer has come. */
  readonly time: number;
}

export type HttpError =
  /** There is no connection, or its TLS was refused; `code` is the operating system's or OpenSSL's. */
  | { readonly kind: "http-unreachable"; readonly code: string }
  /** The answer is no HTTP, or broke off. */
  | { readonly kind: "http-broken"; readonly code: string }
  | { readonly kind: "http-silent"; readonly milliseconds: number }
  | { readonly kind: "http-too-large"; readonly limit: number }
  /** A transformation that was not asked for. */
  | { readonly kind: "http-encoded"; readonly encoding: string };

/** Where a request goes. */
export interface HttpTarget {
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
  /** With the query, percent-encoded; sent as it is. */
  readonly path: string;
}

/** Asks once, on a connection of its own. The body of an answer other than 2xx is not read. */
export function getHttp(target: HttpTarget, limits: HttpLimits): Promise<Result<HttpReply, HttpError>> {
  return new Promise((resolve) => {
    let connected = false;
    const request = (target.secure ? requestTls : requestPlain)(optionsOf(target));
    const settle = (result: Result<HttpReply, HttpError>): void => {
      clearTimeout(whole);
      resolve(result);
      request.destroy();
    };
    const silent = (milliseconds: number): void => settle(err({ kind: "http-silent", milliseconds }));
    const whole = setTimeout(silent, limits.time, limits.time);
    request.on("socket", (socket) => {
      socket.once(target.secure ? "secureConnect" : "connect", () => {
        connected = true;
      });
    });
    request.setTimeout(silenceLimit, () => silent(silenceLimit));
    request.on("error", (error) =>
      settle(err({ kind: connected ? "http-broken" : "http-unreachable", code: errorCode(error) })),
    );
    request.on("response", (response) => void read(response, limits.size).then(settle));
    request.end();
  });
}

function optionsOf({ secure, host, port, path }: HttpTarget): RequestOptions {
  const defaultPort = secure ? 443 : 80;
  const name = host.includes(":") ? `[${host}]` : host;
  return {
    host,
    port,
    path,
    agent: false,
    headers: {
      host: port === defaultPort ? name : `${name}:${port}`,
      "accept-encoding": "identity",
      connection: "close",
      "user-agent": "fulmar",
    },
  };
}

async function read(response: IncomingMessage, limit: number): Promise<Result<HttpReply, HttpError>> {
  const { statusCode: status = 0, headers } = response;
  const { location, "content-encoding": encoding = "identity" } = headers;
  const head = { status, ...(location === undefined ? {} : { location }) };
  if (status < 200 || status > 299) return ok({ ...head, body: new Uint8Array(0) });
  if (encoding !== "identity") return err({ kind: "http-encoded", encoding });
  if (Number(headers["content-length"] ?? 0) > limit) return err({ kind: "http-too-large", limit });
  const pieces: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const piece of response as AsyncIterable<Uint8Array>) {
      size += piece.length;
      if (size > limit) return err({ kind: "http-too-large", limit });
      pieces.push(piece);
    }
  } catch (error) {
    return err({ kind: "http-broken", code: error instanceof Error ? errorCode(error) : String(error) });
  }
  return ok({ ...head, body: Buffer.concat(pieces) });
}

/** Milliseconds without a byte after which a server counts as gone. */
const silenceLimit = 30_000;
