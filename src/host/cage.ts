/**
 * The cage around a tender: the command lines of util-linux that it is made of,
 * and the user ids that guests run as.
 *
 * As root, a guest has a uid of its own, no group but its own (hvt: that of
 * /dev/kvm), no capability and no way to gain one, limits of its own, and where
 * the host allows it namespaces and a file system of its own. Started by an
 * ordinary user it stays that user, and only cannot gain anything.
 *
 * @module
 */
import { readFileSync } from "node:fs";

/** Who a guest runs as, and with what. */
export type Cage =
  | {
      readonly kind: "own-user";
      readonly uid: number;
      readonly gid: number;
      readonly limits: Limits;
      /** The folder that is all of the file system that the guest sees; absent: the host's root. */
      readonly root?: string;
    }
  | { readonly kind: "same-user" };

/** Resource limits of a guest's processes. */
export interface Limits {
  /** Bytes that a file may have after a write. */
  readonly fileSize: number;
  /** Processes and threads of the guest's uid. */
  readonly tasks: number;
  readonly descriptors: number;
}

/** The command line that runs `argv` caged. Each of its programs becomes the next: the pid stays. */
export function cageArgv(cage: Cage, argv: readonly string[]): readonly string[] {
  const { limits, user } = cage.kind === "own-user" ? ownUser(cage) : { limits: [], user: [] };
  return [...limits, "setpriv", ...user, "--inh-caps", "-all", "--no-new-privs", "--", ...argv];
}

/**
 * What the shim of a guest is run by, so that what it forks has a view of its own.
 *
 * Mounts of the host that go must not be held by guests: hence `slave` and not `private`. The shim itself stays in the
 * host's PID namespace.
 *
 * @param network - whether the guest needs the host's network: a tap can only be opened where it is
 */
export function namespaceArgv(network: boolean): readonly string[] {
  const own = ["--mount", "--propagation", "slave", "--ipc", "--uts", "--pid"];
  return ["unshare", ...own, ...(network ? [] : ["--net"]), "--"];
}

/** The whole environment of a guest's tender. */
export const cageEnvironment: Readonly<Record<string, string>> = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  LC_ALL: "C",
};

/** Whether the process is still one of the programs that become the tender in the end; one that has ended is not. */
export function isCaging(pid: number): boolean {
  try {
    return cagePrograms.has(readFileSync(`/proc/${pid}/comm`, "latin1").trim());
  } catch {
    return false;
  }
}

/**
 * The first uid of one daemon's guests: two daemons on one host do not share users.
 *
 * @param number - any number that tells the daemon from another
 */
export function firstUid(number: number): number {
  return uidBase + (number % uidParts) * uidCount;
}

/** The uids of the guests of one daemon: the lowest free one is taken. */
export class UidPool {
  readonly #base: number;
  readonly #size: number;
  readonly #taken: Set<number> = new Set();

  constructor(base: number, size: number = uidCount) {
    this.#base = base;
    this.#size = size;
  }

  /** A uid that no guest of ours has; undefined if all are taken. */
  take(): number | undefined {
    for (let uid = this.#base; uid < this.#base + this.#size; uid++) {
      if (this.claim(uid)) return uid;
    }
    return undefined;
  }

  /** Takes the uid of a guest that an earlier daemon started; false if it is not one of ours, or taken. */
  claim(uid: number): boolean {
    if (!this.has(uid) || this.#taken.has(uid)) return false;
    this.#taken.add(uid);
    return true;
  }

  /** Whether it is one of these, taken or not. */
  has(uid: number): boolean {
    return uid >= this.#base && uid < this.#base + this.#size;
  }

  release(uid: number): void {
    this.#taken.delete(uid);
  }
}

/** The shim's side of a guest, and what `cageArgv` and the tender's command line begin with. */
const cagePrograms: ReadonlySet<string> = new Set(["sh", "unshare", "prlimit", "setpriv", "taskset"]);

function ownUser({ uid, gid, limits, root }: Extract<Cage, { kind: "own-user" }>): {
  readonly limits: readonly string[];
  readonly user: readonly string[];
} {
  const { fileSize, tasks, descriptors } = limits;
  const numbers = [`--fsize=${fileSize}`, `--nproc=${tasks}`, `--nofile=${descriptors}`];
  const elsewhere = root === undefined ? [] : ["unshare", `--root=${root}`, "--wd=/", "--"];
  return {
    limits: ["prlimit", "--core=0", "--msgqueue=0", ...numbers, ...elsewhere],
    user: ["--reuid", `${uid}`, "--regid", `${gid}`, "--clear-groups", "--bounding-set", "-all"],
  };
}

/**
 * The first guest uid: in 1,879,048,192 to 2,147,352,575, which systemd's table of uid ranges
 * (https://systemd.io/UIDS-GIDS/) marks as unused, above its containers and what subuid hands out.
 */
const uidBase = 1_900_000_000;

/** Guest uids: as many as a container's range, far more than taps or memory allow. */
const uidCount = 65_536;

/** As many as fit into the range: two daemons of one host meet in one of them once in 3,700. */
const uidParts = 3700;
