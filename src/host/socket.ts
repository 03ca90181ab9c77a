/**
 * Unix sockets: listening where clients look for us.
 *
 * @module
 */
import { chmodSync } from "node:fs";
import { rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import { err, ok, type Result } from "../core/result.ts";
import { errnoOf, makeFolder } from "./io.ts";
import { Ebb } from "./memory.ts";

export type ListenError =
  /** Somebody answers there already. */
  | { readonly kind: "socket-in-use"; readonly path: string }
  | { readonly kind: "socket-failed"; readonly path: string; readonly code: string };

/** A socket that serves until it is closed, together with its connections. */
export interface Listener {
  close(): Promise<void>;
}

/** One whose connections get what was written to them when it is closed, if they read it soon. */
export interface UnixListener extends Listener {
  /** Takes nobody on any more. */
  stop(): void;
}

/** How a Unix socket is served. */
export interface UnixOptions {
  /** Connections at once; further ones are closed, unless another makes room. */
  readonly most: number;
  /** Ends a connection for a further one, and tells which; undefined: there is none that may go. */
  readonly makeRoom?: () => Socket | undefined;
  /** A socket that listens already: its file and its mode are the service manager's. */
  readonly fd?: number | undefined;
}

/**
 * Listens on a Unix socket that its owner and group may write to.
 *
 * A socket file that nobody answers behind is an earlier daemon's and goes.
 */
export async function listenUnix(
  path: string,
  { most, makeRoom = () => undefined, fd }: UnixOptions,
  serve: (socket: Socket) => void,
): Promise<Result<UnixListener, ListenError>> {
  if (fd === undefined && (await answers(path))) return err({ kind: "socket-in-use", path });
  const open = new Set<Socket>();
  const ebb = new Ebb();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    if (open.size >= most) {
      const gone = makeRoom();
      if (gone === undefined) return void socket.destroy();
      open.delete(gone);
    }
    open.add(socket);
    ebb.count(open.size);
    socket.on("close", () => {
      open.delete(socket);
      ebb.count(open.size);
    });
    serve(socket);
  });
  try {
    if (fd === undefined) {
      await makeFolder(dirname(path), 0o755);
      await rm(path, { force: true });
    }
    await listen(server, path, fd);
  } catch (thrown) {
    return err({ kind: "socket-failed", path, code: errnoOf(thrown) });
  }
  return ok({ stop: () => void server.close(), close: () => close(server, open) });
}

/** Whether a server answers on the socket. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.on("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.on("error", () => resolve(false));
  });
}

function listen(server: Server, path: string, fd?: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    const mask = process.umask(0o117);
    server.listen(fd === undefined ? { path, backlog } : { fd }, () => {
      server.off("error", reject);
      if (fd === undefined) chmodSync(path, 0o660);
      resolve();
    });
    process.umask(mask);
  });
}

async function close(server: Server, open: ReadonlySet<Socket>): Promise<void> {
  const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
  await Promise.all([closed, ...[...open].map(end)]);
}

function end(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const late = setTimeout(() => socket.destroy(), lingering);
    socket.once("close", () => {
      clearTimeout(late);
      resolve();
    });
    socket.end(() => socket.destroy());
  });
}

/** Connections that the kernel holds until we take them, if it lets us: one that finds no room there is refused (EAGAIN). */
const backlog = 4096;

/** Milliseconds that a peer has for its last answer, once we close. */
const lingering = 1000;
