/**
 * For tests of sessions and of the client library: a daemon and an endpoint in
 * front of it, people with certificates, and a session spoken by hand.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { onTestFinished } from "vitest";
import { encodeFrame, FrameReader } from "../../src/codec/frame.ts";
import { decodeWire, encodeWire, type Payload, type Wire } from "../../src/codec/wire.ts";
import type { Command } from "../../src/core/command.ts";
import { printName } from "../../src/core/name.ts";
import { createLog } from "../../src/host/log.ts";
import { type TlsLimits, tlsLimits } from "../../src/host/tls_limits.ts";
import { startEndpoint } from "../../src/service/endpoint.ts";
import type { DaemonOptions } from "../../src/service/start.ts";
import { encodeKey } from "../../src/x509/keys.ts";
import { encodeCertificates } from "../../src/x509/pem.ts";
import { expectOk, name } from "../host/folder.ts";
import { delegates, dial, type Holder, hold, makePki } from "../service/endpoint_lab.ts";
import { openScripted, type Place } from "../service/lab.ts";

export interface Host {
  readonly place: Place;
  readonly port: number;
  readonly pki: Record<"root" | "server" | "alice" | "bob" | "charlie", Holder>;
  /** What the endpoint logged. */
  readonly log: () => string;
  /** Stops the endpoint. */
  readonly close: () => Promise<void>;
  /** Stops the daemon, and starts another one. */
  readonly restart: () => Promise<void>;
}

export interface HostOptions {
  readonly daemon?: Partial<DaemonOptions>;
  /** The endpoint's folder of revocation lists. */
  readonly crl?: string;
  /** Whether subscriptions end with their certificates. */
  readonly endSubscriptions?: boolean;
  /** The endpoint's. */
  readonly limits?: Partial<TlsLimits>;
}

/** A daemon whose guests sleep, and an endpoint before it. */
export async function openHost(
  place: Place = openScripted("exec sleep 1000"),
  { daemon = {}, crl, limits = {}, endSubscriptions = false }: HostOptions = {},
): Promise<Host> {
  let running = await place.start(daemon);
  const made = makePki();
  const pki = { ...made, charlie: hold({ name: "charlie", issuer: made.alice, command: delegates }) };
  const file = (base: string, content: string): string => {
    const path = join(place.folder, base);
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  };
  let log = "";
  const endpoint = expectOk(
    await startEndpoint({
      ca: file("cacert.pem", encodeCertificates([pki.root.certificate.raw])),
      cert: file("server.pem", encodeCertificates([pki.server.certificate.raw])),
      key: file("server.key", encodeKey(pki.server.key)),
      tmpdir: place.tmpdir,
      host: "127.0.0.1",
      port: 0,
      log: createLog("endpoint", 1, { write: (line: string) => (log += line) }),
      ...(crl === undefined ? {} : { crl }),
      limits: { ...tlsLimits, ...limits },
      endSubscriptions,
    }),
  );
  const close = (): Promise<void> => endpoint.close(0);
  onTestFinished(close);
  const restart = async (): Promise<void> => {
    await running.stop();
    running = await place.start(daemon);
  };
  return { place, port: endpoint.port, pki, log: () => log, close, restart };
}

type SessionCommand = Extract<Command, { kind: "session" }>;

/** A leaf that says `session`, below the issuers, nearest first. */
export function sessionChain(
  issuers: readonly [Holder, ...Holder[]],
  what: Omit<SessionCommand, "kind"> = {},
  validity: { readonly notAfter?: number } = {},
): readonly Holder[] {
  const command: Command = { kind: "session", ...what };
  return [hold({ profile: "client", name: ".", issuer: issuers[0], command, ...validity }), ...issuers];
}

/** A session's connection, and what came of it so far. */
export class Talk {
  readonly socket: TLSSocket;
  readonly wires: Wire[] = [];
  readonly closed: Promise<void>;
  readonly #reader = new FrameReader(64 * 1024 * 1024);
  #over = false;

  constructor(port: number, chain: readonly Holder[]) {
    this.socket = dial(port, chain);
    this.socket.on("error", () => undefined);
    this.socket.on("data", (piece: Buffer) => {
      for (const frame of expectOk(this.#reader.push(piece))) this.wires.push(expectOk(decodeWire(frame)));
    });
    this.closed = new Promise((resolve) => {
      this.socket.on("close", () => {
        this.#over = true;
        resolve();
      });
    });
  }

  say(sequence: number, target: string, command: Command): boolean {
    return this.send(sequence, target, { kind: "command", command });
  }

  send(sequence: number, target: string, payload: Payload): boolean {
    const header = { version: 5, sequence: BigInt(sequence), name: name(target) } as const;
    return this.socket.write(encodeFrame(encodeWire({ header, payload })));
  }

  /** The first so many messages. */
  async heard(count: number): Promise<readonly Wire[]> {
    const end = performance.now() + 20_000;
    while (this.wires.length < count) {
      if (this.#over || performance.now() > end) throw new Error(`${this.wires.length} of ${count} messages`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    return this.wires.slice(0, count);
  }
}

/** `7 alice:vm success`, or with a text `7 alice:vm refused: …`. */
export function tell({ header, payload }: Wire): string {
  const what =
    payload.kind === "failure"
      ? `refused: ${payload.text}`
      : payload.kind === "success" && payload.success.kind === "string"
        ? payload.success.text
        : payload.kind === "success"
          ? payload.success.kind
          : payload.kind === "data"
            ? payload.data.kind
            : payload.kind;
  return `${header.sequence} ${printName(header.name)} ${what}`;
}
