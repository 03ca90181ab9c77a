/**
 * The system calls that change something: on the disk, among the processes, on
 * the network, or for somebody at the other end. Between two of them nothing
 * changes, so that whoever is killed before each of them was killed everywhere.
 * What a guest's side mounts in namespaces of its own, nobody else sees.
 *
 * @module
 */
import { closeSync, existsSync, openSync, readlinkSync, readSync } from "node:fs";
import { type Call, readText } from "./ptrace.ts";

/** One such call. */
export interface Change {
  readonly call: string;
  /** What it is about: a file, or another word. */
  readonly target: string;
}

/** A call as it is about to be made. */
interface Made {
  readonly tid: number;
  readonly words: readonly bigint[];
  /** Whether by the process that is tried itself, and not by one that it started. */
  readonly root: boolean;
}

/** @returns undefined: it changes nothing */
export function changeOf({ number, words }: Call, made: Omit<Made, "words">): Change | undefined {
  const [call, targetOf] = table.get(number) ?? [];
  const target = targetOf?.({ ...made, words });
  return call === undefined || target === undefined ? undefined : { call, target };
}

/** Whether the call is one that a disk can refuse; one that is full lets names and files go. */
export function canDiskRefuse({ call, target }: Change, folder: string, full: boolean): boolean {
  const calls = full ? takingRoom : onDisk;
  return calls.has(call) && `${target}/`.startsWith(`${folder}/`);
}

/** What it is about; undefined where it changes nothing. */
type TargetOf = (made: Made) => string | undefined;

const file: TargetOf = ({ tid, words: [fd = 0n, , length = 0n], root }) => {
  const target = fileOf(tid, fd);
  const note = target.startsWith("pipe:") && signalNotes.includes(length);
  return note || (root && fd <= 2n) ? undefined : told(target);
};

const path: TargetOf = ({ tid, words: [address = 0n] }) => told(pathOf(tid, address));

const pathAt: TargetOf = ({ tid, words: [, address = 0n] }) => told(pathOf(tid, address));

const created: TargetOf = ({ tid, words: [, address = 0n, flags = 0n] }) =>
  (flags & create) === 0n ? undefined : told(pathOf(tid, address));

/** Whoever looks for a program tries many names. */
const program: TargetOf = ({ tid, words: [address = 0n] }) => {
  const target = pathOf(tid, address);
  return existsSync(target) ? target : undefined;
};

const child: TargetOf = ({ words: [flags = 0n] }) => ((flags & thread) === 0n ? "" : undefined);

const child3: TargetOf = ({ tid, words: [address = 0n] }) =>
  (readFlags(tid, address) & thread) === 0n ? "" : undefined;

/** A tap is made, or something is set of a network device. */
const device: TargetOf = ({ words: [, request = 0n] }) => {
  const kind = (request >> 8n) & 0xffn;
  return kind === 0x89n || (kind === 0x54n && request > 0xffffn) ? request.toString(16) : undefined;
};

/** 0 only asks whether the process is there. */
const signal: TargetOf = ({ words: [, number = 0n] }) => (number === 0n ? undefined : number.toString());

const anything: TargetOf = () => "";

/** Not what a process says to itself, or to the kernel about itself. */
function told(target: string): string | undefined {
  if (target.startsWith("anon_inode:") || /^\/(?:proc|dev(?!\/shm))\//.test(target)) return undefined;
  return target.replace(/^(pipe|socket):.*/, "$1").replace(/temporary-[0-9a-f]+/, "temporary-");
}

function fileOf(tid: number, fd: bigint): string {
  try {
    return readlinkSync(`/proc/${tid}/fd/${fd}`);
  } catch {
    return "";
  }
}

function pathOf(tid: number, address: bigint): string {
  return withMemory(tid, "", (memory) => readText(memory, address));
}

function readFlags(tid: number, address: bigint): bigint {
  return withMemory(tid, thread, (memory) => {
    const bytes = Buffer.alloc(8);
    readSync(memory, bytes, 0, 8, address);
    return bytes.readBigUInt64LE();
  });
}

function withMemory<T>(tid: number, without: T, read: (memory: number) => T): T {
  try {
    const memory = openSync(`/proc/${tid}/mem`, "r");
    try {
      return read(memory);
    } finally {
      closeSync(memory);
    }
  } catch {
    return without;
  }
}

/** By their numbers on x86-64. */
const table: ReadonlyMap<number, readonly [string, TargetOf]> = new Map([
  [1, ["write", file]],
  [16, ["ioctl", device]],
  [18, ["pwrite64", file]],
  [20, ["writev", file]],
  [26, ["msync", anything]],
  [40, ["sendfile", file]],
  [44, ["sendto", file]],
  [46, ["sendmsg", file]],
  [56, ["clone", child]],
  [57, ["fork", anything]],
  [58, ["vfork", anything]],
  [59, ["execve", program]],
  [62, ["kill", signal]],
  [74, ["fsync", file]],
  [75, ["fdatasync", file]],
  [76, ["truncate", path]],
  [77, ["ftruncate", file]],
  [82, ["rename", path]],
  [83, ["mkdir", path]],
  [84, ["rmdir", path]],
  [86, ["link", path]],
  [87, ["unlink", path]],
  [88, ["symlink", path]],
  [90, ["chmod", path]],
  [91, ["fchmod", file]],
  [92, ["chown", path]],
  [93, ["fchown", file]],
  [133, ["mknod", path]],
  [257, ["openat", created]],
  [258, ["mkdirat", pathAt]],
  [259, ["mknodat", pathAt]],
  [260, ["fchownat", pathAt]],
  [263, ["unlinkat", pathAt]],
  [264, ["renameat", pathAt]],
  [265, ["linkat", pathAt]],
  [266, ["symlinkat", pathAt]],
  [268, ["fchmodat", pathAt]],
  [285, ["fallocate", file]],
  [296, ["pwritev", file]],
  [307, ["sendmmsg", file]],
  [316, ["renameat2", pathAt]],
  [326, ["copy_file_range", anything]],
  [328, ["pwritev2", file]],
  [435, ["clone3", child3]],
] satisfies readonly (readonly [number, readonly [string, TargetOf]])[]);

const takingRoom: ReadonlySet<string> = new Set([
  ...["write", "writev", "pwrite64", "pwritev", "openat", "fsync", "fdatasync", "msync", "ftruncate", "fallocate"],
  ...["rename", "renameat", "renameat2", "link", "linkat", "mkdir", "mkdirat", "mknod", "mknodat"],
]);

const onDisk: ReadonlySet<string> = new Set([...takingRoom, "unlink", "unlinkat", "rmdir"]);

/** O_CREAT */
const create = 0o100n;

/** CLONE_THREAD */
const thread = 0x10000n;

/** Bytes: libuv's notes to itself about signals, and about who deals with them. */
const signalNotes: readonly bigint[] = [1n, 16n];
