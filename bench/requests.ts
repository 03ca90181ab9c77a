/**
 * Requests a second: over TLS with a handshake each, over sessions, over the
 * daemon's own sockets.
 *
 * @module
 */
import { once } from "node:events";
import { connect as connectUnix, type Socket } from "node:net";
import { join } from "node:path";
import { connect, createSecureContext } from "node:tls";
import { Session } from "../src/client/session.ts";
import { encodeMessage } from "../src/codec/wire.ts";
import type { Command } from "../src/core/command.ts";
import { parseName } from "../src/core/name.ts";
import { connectRemote } from "../src/host/client_tls.ts";
import { Counter } from "./counter.ts";
import type { Figure } from "./figure.ts";
import type { Host } from "./hosts.ts";
import { load } from "./load.ts";
import type { Pki } from "./pki.ts";
import { sleep, startOwn, stop } from "./processes.ts";

const info: Command = { kind: "unikernel-info", form: "current" };

/** One command a handshake, its certificate made before. */
export function measureHandshake(host: Host, pki: Pki, time: number): Promise<Figure> {
  const context = createSecureContext({ ...pki.present(info), ca: [], minVersion: "TLSv1.3" });
  const what = handshakeOf(pki);
  return load({ part: "TLS", what, who: host.who, pids: host.pids, time, parallel: 8 }, async () => {
    const options = { port: host.port, host: "127.0.0.1", secureContext: context, rejectUnauthorized: false };
    await replyOf(connect(options));
  });
}

function handshakeOf(pki: Pki): string {
  return `one command a handshake, ${pki.type}`;
}

/** Many commands a connection, so many under way on each. */
export async function measureSession(host: Host, pki: Pki, connections: number, time: number): Promise<Figure> {
  const { cert: chain, key } = pki.present({ kind: "session" }, ".");
  const sessions: Session[] = [];
  for (let index = 0; index < connections; index++) {
    const peer = {
      host: "127.0.0.1",
      port: host.port,
      chain,
      key,
      anchor: pki.root.certificate,
      now: Date.now(),
      settle: false,
    };
    const connection = await connectRemote(peer);
    if (!connection.ok) throw new Error(connection.error.kind);
    sessions.push(new Session(connection.value));
  }
  const name = parseName(":vm");
  if (!name.ok) throw new Error(name.error.kind);
  const what = `session, ${connections} ${connections === 1 ? "connection" : "connections"}, pipelined`;
  const figure = await load(
    { part: "TLS", what, who: host.who, pids: host.pids, time, parallel: connections * depth },
    async (worker) => {
      const reply = await sessions[worker % connections]?.ask(name.value, info);
      if (reply?.payload.kind !== "success") throw new Error(JSON.stringify(reply?.payload));
    },
  );
  for (const session of sessions) session.retire();
  return { ...figure, against: handshakeOf(pki) };
}

/** A Node server that does nothing but to send back what comes. */
export async function openEcho(folder: string): Promise<{ readonly host: Host; readonly path: string }> {
  const path = join(folder, "echo.sock");
  const { child } = await startOwn("bench/bare_echo.js", [path], /./);
  const pids = child.pid === undefined ? [] : [child.pid];
  return { host: { who: "node", port: 0, tmpdir: folder, pids, close: () => stop(child) }, path };
}

/** One of a host's sockets. */
export function socketOf({ tmpdir }: Host, name: "vmmd" | "stat"): string {
  return join(tmpdir, `util/${name}.sock`);
}

/** A connection for each request. One whose backlog is full is asked again, as albatross's often is. */
export function measureConnects({ who, pids }: Host, path: string, time: number): Promise<Figure> {
  const question = frame(":vm", info);
  const one = async (): Promise<void> => {
    const socket = connectUnix(path);
    socket.write(question);
    try {
      await replyOf(socket);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) throw error;
      await sleep(1);
      await one();
    }
  };
  return load({ part: "unix socket", what: "a connection a request", who, pids, time, parallel: 4 }, one);
}

/** One request after the other, on the socket that stays open: that of statistics. */
export async function measureOneConnection({ who, pids }: Host, path: string, time: number): Promise<Figure> {
  const question = frame(":bench", { kind: "stats-remove" });
  const socket = connectUnix(path);
  await once(socket, "connect");
  const counter = new Counter(socket);
  const figure = await load({ part: "unix socket", what: "one connection", who, pids, time, parallel: 1 }, async () => {
    socket.write(question);
    await counter.count(1);
  });
  socket.destroy();
  return figure;
}

function frame(target: string, command: Command): Uint8Array {
  const name = parseName(target);
  if (!name.ok) throw new Error(name.error.kind);
  return encodeMessage({
    header: { version: 5, sequence: 1n, name: name.value },
    payload: { kind: "command", command },
  });
}

/** Resolves when one message has come, and the connection is closed. */
async function replyOf(socket: Socket): Promise<void> {
  const counter = new Counter(socket);
  await counter.count(1);
  socket.destroy();
}

/** Commands under way on one connection. */
const depth = 64;
