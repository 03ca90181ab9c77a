/**
 * Who is at the other end of a Unix socket: SO_PEERCRED, which the kernel notes
 * when the connection is made. Node has no way to ask; koffi's is used.
 *
 * @module
 */
import type { Socket } from "node:net";
import type { Peer } from "../core/audit.ts";
import { bindLibc } from "./libc.ts";

/** Absent: koffi is not there, or the socket is gone. */
export function readPeer(socket: Socket): Peer | undefined {
  load ??= loadAsk();
  const handle: unknown = Reflect.get(socket, "_handle");
  const fd: unknown = typeof handle === "object" && handle !== null ? Reflect.get(handle, "fd") : undefined;
  return typeof fd === "number" && fd >= 0 ? load(fd) : undefined;
}

type Ask = (fd: number) => Peer | undefined;

let load: Ask | undefined;

function loadAsk(): Ask {
  const getOption = bindLibc((libc) => libc.func("int getsockopt(int, int, int, void *, void *)"));
  if (getOption === undefined) return () => undefined;
  const credentials = Buffer.alloc(credentialsLength);
  const length = Buffer.alloc(4);
  return (fd) => {
    length.writeUInt32LE(credentialsLength);
    if (getOption(fd, solSocket, soPeercred, credentials, length) !== 0) return undefined;
    return { pid: credentials.readUInt32LE(0), uid: credentials.readUInt32LE(4) };
  };
}

/** Of sys/socket.h on Linux: struct ucred is pid, uid and gid, 4 bytes each. */
const solSocket = 1;
const soPeercred = 17;
const credentialsLength = 12;
