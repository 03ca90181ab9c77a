/**
 * What a tenant does who has an authority's certificate and means ill: all of
 * it he may do, and none of it is to cost his neighbour more than time.
 *
 * @module
 */
import type { TLSSocket } from "node:tls";
import { frameHeader } from "../src/codec/frame.ts";
import { encodeMessage } from "../src/codec/wire.ts";
import type { Command } from "../src/core/command.ts";
import { Counter } from "./counter.ts";
import { ended, hold, type Kinds, secured, shake } from "./siege_sockets.ts";

/** Mallory has the unikernel `vm`, which prints, and the block device `data`. */
export const tenantKinds: Kinds = {
  "sessions that ask without a pause": async (target, from) => {
    const socket = shake(target, from, target.asking({ kind: "session" }, "."));
    await answered(socket, questions, asked);
  },
  "a request each, from many addresses": async (target, _, __, number) => {
    const from = `127.${1 + (number % 200)}.${1 + (number % 199)}.1`;
    await ended(shake(target, from, target.asking({ kind: "policy-info" })).resume());
  },
  "delegations that nobody has seen": async (target, from) => {
    await ended(shake(target, from, target.delegated({ kind: "policy-info" })).resume());
  },
  "creates that are refused": async (target, from) => {
    await ended(shake(target, from, target.asking(tooLarge, "more")).resume());
  },
  "uploads that trickle": async (target, from, held) => {
    const socket = shake(target, from, target.asking({ kind: "block-set", compressed: false }, "data"));
    await secured(socket);
    socket.resume().write(frameHeader(1024 * 1024));
    const trickle = setInterval(() => socket.write("\0"), 500);
    socket.once("close", () => clearInterval(trickle));
    hold(socket, held);
  },
  "images and dumps that are never read": async (target, from, held, number) => {
    const command = number % 2 === 0 ? dump : ({ kind: "unikernel-get", level: 0 } as const);
    const socket = shake(target, from, target.asking(command, number % 2 === 0 ? "data" : "vm"));
    await secured(socket.pause());
    hold(socket, held);
  },
  "consoles, statistics and logs that are never read": async (target, from, held, number) => {
    const command = subscriptions[number % subscriptions.length] ?? subscriptions[0];
    const socket = shake(target, from, target.asking(command));
    await secured(socket.pause());
    hold(socket, held);
  },
};

/** Says it at once, and resolves when so many messages have come back. */
function answered(socket: TLSSocket, said: Uint8Array, count: number): Promise<void> {
  socket.once("secureConnect", () => socket.write(said));
  const heard = (): void => void socket.destroy();
  new Counter(socket).count(count).then(heard, heard);
  return ended(socket);
}

const dump: Command = { kind: "block-dump", level: 0, form: "current" };

const subscriptions: readonly [Command, ...Command[]] = [
  { kind: "console-subscribe", from: { kind: "count", count: 1024 } },
  { kind: "stats-subscribe" },
  { kind: "log-subscribe" },
];

/** More memory than mallory has. */
const tooLarge: Command = {
  kind: "unikernel-create",
  config: {
    ...{ typ: "solo5", addName: true, failBehaviour: { kind: "quit" }, cpuids: [0], memory: 100_000 },
    ...{ blocks: [], bridges: [], cpus: 1 },
  },
  image: { compressed: false, bytes: Buffer.alloc(16 * 1024) },
  replace: false,
};

/** Commands of one session, written in one piece. */
const asked = 100;
const questions: Uint8Array = Buffer.concat(
  Array.from({ length: asked }, (_, number) =>
    encodeMessage({
      header: { version: 5, sequence: BigInt(number + 1), name: { path: [] } },
      payload: { kind: "command", command: { kind: "unikernel-info", form: "current" } },
    }),
  ),
);
