/**
 * Cells: the whole cage of one guest, put together of what this host allows.
 *
 * Namespaces and a file system of its own, and a cgroup, are there or not as a
 * whole, for all guests of a daemon; what is missing is said once, at start.
 *
 * @module
 */
import { statSync } from "node:fs";
import type { TenderKind } from "../core/manifest.ts";
import type { Name } from "../core/name.ts";
import { tenderOverhead } from "../core/overhead.ts";
import { ok, type Result } from "../core/result.ts";
import type { Incarnation } from "../core/state.ts";
import { blockPath } from "./block.ts";
import { cageArgv, type Limits, namespaceArgv } from "./cage.ts";
import { type Cgroups, findCgroups, type Hierarchy, openCgroups } from "./cgroup.ts";
import { kvmGroup } from "./devices.ts";
import { attempt, type IoError } from "./io.ts";
import { openView, type View } from "./view.ts";

/** What a tender is started in. */
export interface Cell {
  /** Runs the shim; empty: nothing does. */
  readonly apart: readonly string[];
  /** The table of mounts; empty: none. */
  readonly mounts: string;
  /** The folder of the guest's cgroup; empty: none. */
  readonly cgroup: string;
  /** The tender's command line with its cage. */
  readonly argv: readonly string[];
}

/** What a cell is made for. */
export interface Inmate {
  readonly name: Name;
  /** Absent: the daemon's own user, uncaged. */
  readonly uid?: number;
  readonly incarnation: Incarnation;
  /** The tender's command line. */
  readonly words: readonly string[];
}

export class Cells {
  readonly #dbdir: string;
  readonly #view: View | undefined;
  readonly #cgroups: Cgroups | undefined;

  constructor(dbdir: string, view: View | undefined, cgroups: Cgroups | undefined) {
    this.#dbdir = dbdir;
    this.#view = view;
    this.#cgroups = cgroups;
  }

  /** Makes ready what the guest is to be started in; `remove` takes it away again. */
  async create({ name, uid, incarnation, words }: Inmate): Promise<Result<Cell, IoError>> {
    if (uid === undefined) return ok({ ...open, argv: cageArgv({ kind: "same-user" }, words) });
    const { tender } = incarnation;
    const limits = await this.#limits(incarnation);
    if (!limits.ok) return limits;
    const mounts = (await this.#view?.tableFor(tender.path)) ?? ok("");
    if (!mounts.ok) return mounts;
    const cgroup = (await this.#cgroups?.create(name, groupLimits(incarnation, limits.value))) ?? ok("");
    if (!cgroup.ok) return cgroup;
    const root = this.#view === undefined ? {} : { root: this.#view.root };
    const argv = cageArgv(
      { kind: "own-user", uid, gid: gidOf(uid, incarnation), limits: limits.value, ...root },
      words,
    );
    const network = incarnation.devices.some((device) => device.kind === "net");
    const apart = this.#view === undefined ? [] : namespaceArgv(network);
    return ok({ apart, mounts: mounts.value, cgroup: cgroup.value, argv });
  }

  /** The guest has ended, or was never started. */
  async remove(name: Name): Promise<Result<void, IoError>> {
    return (await this.#cgroups?.remove(name)) ?? ok(undefined);
  }

  #limits({ devices, tender }: Incarnation): Promise<Result<Limits, IoError>> {
    return attempt("look at", this.#dbdir, () => {
      const sizes = devices.map((device) =>
        device.kind === "block" ? statSync(blockPath(this.#dbdir, device.name)).size : 0,
      );
      return {
        fileSize: Math.max(smallestFile, ...sizes),
        tasks: taskLimits[tender.kind],
        descriptors: descriptorLimit,
      };
    });
  }
}

/** What the cells of one daemon are made of. */
export interface CellPlaces {
  readonly tmpdir: string;
  readonly dbdir: string;
  /** The cgroup that guests' own are to be in, below the hierarchy's root; absent: the root. */
  readonly cgroup?: string;
}

/**
 * @param tag - tells this daemon's cgroups from another's
 * @returns the cells, and why they lack what they lack
 */
export async function openCells(
  places: CellPlaces,
  tag: string,
): Promise<{ readonly cells: Cells; readonly faults: readonly object[] }> {
  const { tmpdir, dbdir } = places;
  const view = await openView(tmpdir, dbdir);
  const cgroups = await openCgroups(tag, hierarchyOf(places));
  if (cgroups.ok) await cgroups.value.sweep();
  const cells = new Cells(dbdir, view.ok ? view.value : undefined, cgroups.ok ? cgroups.value : undefined);
  const faults = [
    ...(view.ok ? [] : [{ lacking: "namespaces", error: view.error }]),
    ...(cgroups.ok ? [] : [{ lacking: "cgroups", error: cgroups.error }]),
  ];
  return { cells, faults };
}

/** All guests have ended: takes away what was made for them together. */
export function dissolveCells(places: CellPlaces, tag: string): Promise<Result<void, IoError>> {
  return findCgroups(tag, hierarchyOf(places)).dissolve();
}

function hierarchyOf({ cgroup = "" }: CellPlaces): Hierarchy {
  return { root: "/sys/fs/cgroup", group: cgroup };
}

function groupLimits({ config, tender }: Incarnation, { tasks }: Limits): Parameters<Cgroups["create"]>[1] {
  const { cpuids, memory } = config;
  const tables = Math.ceil(memory / memoryPerTable);
  return { memory: memory + tenderOverhead[tender.kind] + tables, cpus: Math.max(1, config.cpus), cpuids, tasks };
}

function gidOf(uid: number, { tender }: Incarnation): number {
  const needsKvm = tender.kind === "hvt" || tender.accel === "kvm";
  return (needsKvm ? kvmGroup() : undefined) ?? uid;
}

/** Without anything of its own. */
const open: Omit<Cell, "argv"> = { apart: [], mounts: "", cgroup: "" };

/**
 * Processes and threads. Solo5's tenders have one, hvt besides KVM's worker; QEMU has a few, and up to 64 that read and
 * write block devices (thread-pool-max).
 */
const taskLimits: Readonly<Record<TenderKind, number>> = { spt: 8, hvt: 8, virtio: 128 };

/** Bytes: spt writes its seccomp filter to a file in memory before it uses it. */
const smallestFile: number = 64 * 1024;

/** 63 devices, of which each is a few for QEMU, and some for the tender itself. */
const descriptorLimit = 256;

/** MB of memory to one of page tables, the host's and the guest's: 8 bytes for each 4 KiB, twice, and as much again. */
const memoryPerTable = 128;
