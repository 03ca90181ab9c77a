/**
 * What a service manager gives us and wants to hear: listening sockets that
 * systemd opened (sd_listen_fds), and how we are (sd_notify).
 *
 * @module
 */
import { execFile } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";
import { bindLibc } from "./libc.ts";
import type { Log } from "./log.ts";

/** A socket that systemd opened for us. */
export interface Activated {
  readonly fd: number;
  /** FileDescriptorName of its unit, or that of the unit itself. */
  readonly name: string;
  /** Of a Unix socket. */
  readonly path?: string;
}

type Environment = Record<string, string | undefined>;

export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

/** Takes them out of the environment, so that no child of ours believes they were its own. */
export function takeActivated(env: Environment, pid: number): readonly Activated[] {
  const { LISTEN_PID: meant, LISTEN_FDS: count = "0", LISTEN_FDNAMES: names = "" } = env;
  for (const variable of ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"]) delete env[variable];
  if (meant !== `${pid}` || !/^\d{1,4}$/.test(count)) return [];
  const labels = names.split(":");
  return Array.from({ length: Number(count) }, (_, index) => {
    const fd = firstDescriptor + index;
    const path = pathOf(fd);
    return { fd, name: labels[index] ?? "", ...(path === undefined ? {} : { path }) };
  });
}

/** The one that is meant for `socket` (such as `vmmd`): by its name, else by that of its file, `vmmd.sock`. */
export function findActivated(activated: readonly Activated[], socket: string): Activated | undefined {
  return (
    activated.find(({ name }) => name === socket) ??
    activated.find(({ path }) => path !== undefined && basename(path) === `${socket}.sock`)
  );
}

/**
 * Tells the service manager, if there is one that wants to hear: `READY=1`, `STOPPING=1`.
 *
 * Node has no datagrams to Unix sockets: koffi's are used, else the program systemd-notify, whose words systemd takes as
 * ours only with NotifyAccess=all.
 *
 * @returns what went wrong
 */
export async function notify(state: string, env: Environment = process.env): Promise<string | undefined> {
  const { NOTIFY_SOCKET: address } = env;
  if (address === undefined || !/^[/@]./.test(address)) return undefined;
  if (send(address, state)) return undefined;
  return new Promise((resolve) => {
    execFile("systemd-notify", [state], { env, timeout: patience }, (error) => {
      resolve(error === null ? undefined : "the service manager cannot be told: neither koffi nor systemd-notify work");
    });
  });
}

/**
 * Says that we serve; at SIGTERM or SIGINT says that we stop, and does.
 *
 * @param others - further signals, each with its own way to stop
 */
export async function serveUntilSignalled(
  log: Log,
  stop: () => Promise<void>,
  others: Readonly<Partial<Record<NodeJS.Signals, () => Promise<void>>>> = {},
): Promise<void> {
  let ending = false;
  const end = async (how: () => Promise<void>): Promise<void> => {
    // A service manager tells every process of ours, and so do we our workers.
    if (ending) return;
    ending = true;
    await notify("STOPPING=1");
    await how();
    process.exit(0);
  };
  for (const [signal, how] of Object.entries({ SIGTERM: stop, SIGINT: stop, ...others })) {
    process.on(signal, () => void end(how));
  }
  const problem = await notify("READY=1");
  if (problem !== undefined) log.warn(problem);
}

function send(address: string, state: string): boolean {
  const sent = bindLibc((libc) => {
    const [openSocket, close] = [libc.func("int socket(int, int, int)"), libc.func("int close(int)")];
    const sendTo = libc.func("intptr_t sendto(int, void *, size_t, int, void *, uint32_t)");
    const name = Buffer.alloc(2 + Buffer.byteLength(address));
    name.writeUInt16LE(afUnix);
    name.write(address.replace(/^@/, "\0"), 2);
    const bytes = Buffer.from(state);
    const fd: number = openSocket(afUnix, sockDgram | sockCloexec, 0);
    if (fd < 0) return false;
    const count: number | bigint = sendTo(fd, bytes, bytes.length, msgNosignal, name, name.length);
    close(fd);
    return Number(count) === bytes.length;
  });
  return sent === true;
}

/** Where a Unix socket is bound, by its inode: unix(7) knows no other way without its own functions. */
function pathOf(fd: number): string | undefined {
  try {
    const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1];
    const line = readFileSync("/proc/net/unix", "utf8")
      .split("\n")
      .find((entry) => entry.split(/\s+/)[6] === inode && inode !== undefined);
    return line?.split(/\s+/).slice(7).join(" ") || undefined;
  } catch {
    return undefined;
  }
}

/** SD_LISTEN_FDS_START. */
const firstDescriptor = 3;

/** Numbers of sys/socket.h on Linux. */
const afUnix = 1;
const sockDgram = 2;
const sockCloexec = 0o2000000;
const msgNosignal = 0x4000;

/** Milliseconds for the program systemd-notify. */
const patience = 5000;
