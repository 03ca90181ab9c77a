/**
 * Connections of rude clients: none of their errors is anybody's concern.
 *
 * @module
 */
import { createConnection, type Socket } from "node:net";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import type { Command } from "../src/core/command.ts";

export interface Target {
  readonly port: number;
  /** What mallory presents, who has an authority's certificate, for one of her unikernels or block devices. */
  readonly asking: (command: Command, label?: string) => ConnectionOptions;
  /** The same below a delegation of its own, which nobody has seen before. */
  readonly delegated: (command: Command) => ConnectionOptions;
}

/** One rude client; resolves when its part is done, and leaves what it holds to be ended later. */
export type Rude = (target: Target, from: string, held: Set<Socket>, number: number) => Promise<void>;

export type Kinds = Readonly<Record<string, Rude>>;

export function open({ port }: Target, localAddress: string): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: "127.0.0.1", localAddress, allowHalfOpen: true });
    socket.on("error", () => undefined);
    socket.once("connect", () => resolve(socket)).once("close", () => resolve(socket));
  });
}

export function shake(target: Target, localAddress: string, options: ConnectionOptions): TLSSocket {
  const raw = createConnection({ port: target.port, host: "127.0.0.1", localAddress });
  raw.on("error", () => undefined);
  const socket = connect({ socket: raw, ...options });
  raw.once("close", () => socket.destroy());
  return socket.on("error", () => undefined);
}

/** What is held is let go, the oldest first, before there is more of it than this process may have open. */
export function hold(socket: Socket, held: Set<Socket>): void {
  if (socket.destroyed) return;
  held.add(socket);
  socket.once("close", () => held.delete(socket));
  const [oldest] = held;
  if (held.size > mostHeld) oldest?.destroy();
}

export function secured(socket: TLSSocket): Promise<void> {
  return new Promise((resolve) => {
    socket.once("secureConnect", () => resolve()).once("close", () => resolve());
  });
}

export function ended(socket: Socket, first: () => void = () => undefined): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) return resolve();
    socket.once("close", () => resolve());
    socket.once("end", () => socket.destroy());
    socket.setTimeout(answerLimit, () => socket.destroy());
    first();
  });
}

/** More than the endpoint has. */
const mostHeld = 3000;

/** Milliseconds. */
const answerLimit = 20_000;
