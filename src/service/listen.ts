/**
 * The daemon's sockets, open before it serves.
 *
 * @module
 */
import type { Socket } from "node:net";
import { join } from "node:path";
import { err, ok, type Result } from "../core/result.ts";
import { type Activated, findActivated } from "../host/activation.ts";
import type { Log } from "../host/log.ts";
import { listenUnix, type UnixListener } from "../host/socket.ts";
import type { ChainRequests } from "./chain_requests.ts";
import type { Daemon } from "./daemon.ts";
import type { HostError } from "./host_describe.ts";

interface ListenOptions {
  readonly tmpdir: string;
  /** Sockets that systemd opened for us. */
  readonly activated?: readonly Activated[];
  /** Connections to each. */
  readonly most: number;
  readonly log: Log;
}

/** What the host could not do at start; `step` says at what. */
export interface StartError {
  readonly step: string;
  readonly error: HostError;
}

/** @param ready - who connects before is served then */
export async function listen(
  options: ListenOptions,
  ready: Promise<Daemon>,
): Promise<Result<readonly UnixListener[], StartError>> {
  const { tmpdir, activated = [], most, log } = options;
  const open: UnixListener[] = [];
  let chain: ChainRequests | undefined;
  void ready.then((daemon) => {
    chain = daemon.chain;
  });
  for (const [name, one] of Object.entries(services)) {
    const accept = (socket: Socket): void =>
      void ready
        .then((daemon) => one(daemon, socket))
        .catch((error: unknown) => {
          log.fatal({ err: error, socket: name }, "bug");
          socket.destroy();
        });
    const path = join(tmpdir, "util", `${name}.sock`);
    const fd = findActivated(activated, name)?.fd;
    const makeRoom = (): Socket | undefined => (name === "chain" ? chain?.makeRoom() : undefined);
    const listener = await listenUnix(path, { most, fd, makeRoom }, accept);
    if (!listener.ok) {
      await Promise.all(open.map((socket) => socket.close()));
      return err({ step: `listening on ${name}.sock`, error: listener.error });
    }
    open.push(listener.value);
  }
  return ok(open);
}

const services: Readonly<Record<string, (daemon: Daemon, socket: Socket) => Promise<void>>> = {
  vmmd: (daemon, socket) => daemon.serveLocal(socket),
  chain: (daemon, socket) => daemon.chain.serve(socket),
  console: (daemon, socket) => daemon.serveConsole(socket),
  stat: (daemon, socket) => daemon.serveStatistics(socket),
};
