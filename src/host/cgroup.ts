/**
 * Cgroups: one for each caged guest, with limits for its memory, CPU time and
 * tasks, where the host has the unified hierarchy (cgroup v2) and lets us write.
 *
 * They lie in a folder of this daemon's own: in a group that was delegated to it
 * (by systemd, to the unit fulmar-guests.service), else at the top. Guests outlive
 * the daemon, and so do their groups.
 *
 * @module
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Name } from "../core/name.ts";
import { err, ok, type Result } from "../core/result.ts";
import { fileName } from "./file_name.ts";
import { attempt, errnoOf, type IoError } from "./io.ts";
import { shimGroup } from "./shim.ts";

export interface GroupLimits {
  /** MB, the tender's own included. */
  readonly memory: number;
  /** CPUs' worth of time. */
  readonly cpus: number;
  /** The host's CPUs that it may use. */
  readonly cpuids: readonly number[];
  readonly tasks: number;
}

export type CgroupError =
  | { readonly kind: "no-cgroup-v2"; readonly path: string }
  | { readonly kind: "cgroup-controllers-missing"; readonly missing: string }
  | IoError;

/** Where the kernel shows the hierarchy, and which group of it is ours to divide. */
export interface Hierarchy {
  readonly root: string;
  /** Below `root`; empty: the top. No process may be in it itself. */
  readonly group: string;
}

export class Cgroups {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Makes a guest's group, empty. @returns its folder */
  create(name: Name, limits: GroupLimits): Promise<Result<string, IoError>> {
    const path = this.#pathOf(name);
    return attempt("create", path, () => {
      for (const folder of [join(this.#folder, shimGroup), path]) mkdirSync(folder, { recursive: true });
      const { memory, cpus, cpuids, tasks } = limits;
      writeFileSync(join(path, "memory.max"), String(memory * megabyte));
      writeFileSync(join(path, "memory.oom.group"), "1");
      writeFileSync(join(path, "pids.max"), String(tasks));
      writeFileSync(join(path, "cpu.max"), `${cpus * period} ${period}`);
      writeFileSync(join(path, "cpuset.cpus"), cpuids.join(","));
      // Absent where the kernel counts no swap.
      if (existsSync(join(path, "memory.swap.max"))) writeFileSync(join(path, "memory.swap.max"), "0");
      return path;
    });
  }

  /** Removes the group of a guest that has ended; one that is gone already is no error. */
  async remove(name: Name): Promise<Result<void, IoError>> {
    const path = this.#pathOf(name);
    for (let tries = 1; ; tries++) {
      const removed = await attempt("remove", path, () => {
        if (existsSync(path)) rmdirSync(path);
      });
      if (removed.ok || removed.error.code !== "EBUSY" || tries === removeTries) return removed;
      await delay(removeInterval);
    }
  }

  /** Removes the groups that nothing is in. */
  sweep(): Promise<Result<void, IoError>> {
    return attempt("sweep", this.#folder, () => {
      for (const entry of readdirSync(this.#folder, { withFileTypes: true })) {
        if (entry.isDirectory()) removeEmpty(join(this.#folder, entry.name));
      }
    });
  }

  /** Removes all groups in which nothing is any more, and the folder if that was all: shims end just after their guests. */
  async dissolve(): Promise<Result<void, IoError>> {
    for (let tries = 1; existsSync(this.#folder); tries++) {
      const swept = await this.sweep();
      removeEmpty(this.#folder);
      if (!swept.ok || tries === removeTries) return swept;
      await delay(removeInterval);
    }
    return ok(undefined);
  }

  #pathOf(name: Name): string {
    return join(this.#folder, fileName(name));
  }
}

/**
 * Makes the folder for the guests' groups, with the controllers that limit them.
 *
 * @param tag - tells this daemon's folder from another's
 */
export async function openCgroups(tag: string, { root, group }: Hierarchy): Promise<Result<Cgroups, CgroupError>> {
  if (!existsSync(join(root, "cgroup.controllers"))) return err({ kind: "no-cgroup-v2", path: root });
  const parent = join(root, group);
  const folder = join(parent, tag);
  const made = await attempt("create", folder, () => {
    pass(parent);
    mkdirSync(folder, { recursive: true });
    const passed = pass(folder);
    return controllers.filter((one) => !passed.includes(one));
  });
  if (!made.ok) return made;
  if (made.value.length > 0) return err({ kind: "cgroup-controllers-missing", missing: made.value.join(" ") });
  return ok(new Cgroups(folder));
}

/** The groups that this or an earlier daemon has made, if it has. */
export function findCgroups(tag: string, { root, group }: Hierarchy): Cgroups {
  return new Cgroups(join(root, group, tag));
}

/** Lets the groups below have the controllers that this one has. @returns these */
function pass(group: string): readonly string[] {
  const there = readFileSync(join(group, "cgroup.controllers"), "latin1").trim().split(" ");
  const wanted = controllers.filter((one) => there.includes(one));
  writeFileSync(join(group, "cgroup.subtree_control"), wanted.map((one) => `+${one}`).join(" "));
  return wanted;
}

function removeEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch (thrown) {
    errnoOf(thrown);
  }
}

const controllers: readonly string[] = ["memory", "pids", "cpu", "cpuset"];

/** Microseconds: the kernel's own default (cgroup-v2, cpu.max). */
const period = 100_000;

/** A group is busy for the moments in which its last thread ends: KVM's worker ends after the process. */
const removeTries = 20;

/** Milliseconds. */
const removeInterval = 50;

/** albatross's MB. */
const megabyte: number = 1024 * 1024;
