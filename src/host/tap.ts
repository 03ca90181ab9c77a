/**
 * Taps: the host's ends of the guests' network devices, one for each, on the
 * bridge that the guest asked for and owned by the guest's user.
 *
 * Every tap of ours is called `fulmar<n>` and carries the daemon's tag in its
 * alias; one that was made just before the daemon and `ip` were killed has no
 * alias yet, and is ours by its owner. Nothing else is ever removed, so that two
 * daemons may share a host.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import type { Tap } from "../core/command.ts";
import { err, ok, type Result } from "../core/result.ts";
import { createOffloads, type Offloads } from "./offload.ts";
import { type RunError, run } from "./run.ts";

export type TapError =
  | { readonly kind: "bridge-name-bad"; readonly bridge: string }
  | { readonly kind: "bridge-missing"; readonly bridge: string }
  | { readonly kind: "taps-exhausted"; readonly limit: number }
  | { readonly kind: "taps-failed"; readonly cause: RunError };

export class Taps {
  readonly #tag: string;
  readonly #isOurs: (uid: number) => boolean;
  readonly #taken: Set<string> = new Set();
  readonly #offloads: Offloads = createOffloads();

  /**
   * @param tag - tells this daemon's taps from another's: 1 to 64 letters, digits, `-`
   * @param isOurs - whether a user is one of this daemon's guests alone
   */
  constructor(tag: string, isOurs: (uid: number) => boolean) {
    this.#tag = tag;
    this.#isOurs = isOurs;
  }

  /** Why GRO and GSO stay on, where that is so: then guests lose frames that the kernel joined to more than their MTU. */
  get offloadFault(): string | undefined {
    return this.#offloads.fault();
  }

  /** The taps of a guest that an earlier daemon started count as taken. */
  claim(names: readonly string[]): void {
    for (const name of names) this.#taken.add(name);
  }

  /** Our taps: at start, those of an earlier daemon. They count as taken from here on. */
  async list(): Promise<Result<readonly string[], RunError>> {
    const links = await run(["ip", "-d", "-o", "link", "show", "type", "tun"]);
    if (!links.ok) return links;
    const ours = links.value
      .split("\n")
      .filter((line) => this.#isMade(line))
      .map((line) => /^\d+: (fulmar\d+):/.exec(line)?.[1] ?? "")
      .filter((name) => name !== "");
    for (const name of ours) this.#taken.add(name);
    return ok(ours);
  }

  /**
   * Makes one tap on each bridge, up and owned by `uid`: all of them or none.
   *
   * @returns in the order of `bridges`
   */
  async create(bridges: readonly string[], uid: number): Promise<Result<readonly Tap[], TapError>> {
    const present = readInterfaces();
    for (const bridge of bridges) {
      if (!interfaceName.test(bridge)) return err({ kind: "bridge-name-bad", bridge });
      if (!present.has(bridge)) return err({ kind: "bridge-missing", bridge });
    }
    const taps = this.#reserve(bridges, present);
    if (taps === undefined) return err({ kind: "taps-exhausted", limit: maxTaps });
    const made = await run(["ip", "-batch", "-"], { input: batch(taps, uid, this.#tag) });
    if (!made.ok) {
      const names = taps.map((tap) => tap.tap);
      await this.#delete(names.slice(0, addedBefore(made.error, taps.length)));
      for (const name of names) this.#taken.delete(name);
      return err({ kind: "taps-failed", cause: made.error });
    }
    for (const { tap } of taps) await this.#offloads.switchOff(tap);
    return ok(taps);
  }

  /** Removes taps of ours; those that are gone already are no error. */
  async remove(names: readonly string[]): Promise<Result<void, TapError>> {
    const cause = await this.#delete(names.filter((name) => this.#taken.has(name)));
    const present = readInterfaces();
    for (const name of names) if (!present.has(name)) this.#taken.delete(name);
    return cause !== undefined && names.some((name) => this.#taken.has(name))
      ? err({ kind: "taps-failed", cause })
      : ok(undefined);
  }

  /** @param line - as `ip` tells of one tap */
  #isMade(line: string): boolean {
    const [, alias] = /\balias (.*)$/.exec(line) ?? [];
    if (alias !== undefined) return alias === this.#tag;
    const [, uid] = /\buser (\d+)/.exec(line) ?? [];
    return uid !== undefined && this.#isOurs(Number(uid));
  }

  /** The lowest free names, taken at once: creations at the same time get different ones. */
  #reserve(bridges: readonly string[], present: ReadonlySet<string>): readonly Tap[] | undefined {
    const taps: Tap[] = [];
    for (let n = 0; n < maxTaps && taps.length < bridges.length; n++) {
      const tap = `fulmar${n}`;
      if (this.#taken.has(tap) || present.has(tap)) continue;
      taps.push({ bridge: bridges[taps.length] ?? "", tap });
    }
    if (taps.length < bridges.length) return undefined;
    for (const { tap } of taps) this.#taken.add(tap);
    return taps;
  }

  async #delete(names: readonly string[]): Promise<RunError | undefined> {
    if (names.length === 0) return undefined;
    const input = names.map((name) => `link delete dev ${name}\n`).join("");
    const deleted = await run(["ip", "-force", "-batch", "-"], { input });
    return deleted.ok ? undefined : deleted.error;
  }
}

/** Whether the host still has all of these: bridges come and go while a daemon runs. */
export function checkBridges(bridges: readonly string[]): Result<void, TapError> {
  if (bridges.length === 0) return ok(undefined);
  const present = readInterfaces();
  const bridge = bridges.find((name) => !present.has(name));
  return bridge === undefined ? ok(undefined) : err({ kind: "bridge-missing", bridge });
}

/** All additions come first, so that a failure tells how many of them were done. */
function batch(taps: readonly Tap[], uid: number, tag: string): string {
  const add = taps.map(({ tap }) => `tuntap add dev ${tap} mode tap user ${uid}\n`);
  const tie = taps.map(({ tap, bridge }) => `link set dev ${tap} alias ${tag} master ${bridge} up\n`);
  return [...add, ...tie].join("");
}

/** `ip` names the line that failed, except where it could not read one of its words: never an addition. */
function addedBefore(error: RunError, count: number): number {
  if (error.kind === "program-missing") return 0;
  const line = error.kind === "program-failed" ? /Command failed -:(\d+)/.exec(error.output)?.[1] : undefined;
  return line === undefined ? count : Math.min(Number(line) - 1, count);
}

/** The interfaces of the network namespace that we are in. */
function readInterfaces(): ReadonlySet<string> {
  const lines = readFileSync("/proc/self/net/dev", "latin1").split("\n").slice(2);
  return new Set(lines.map((line) => line.slice(0, Math.max(line.lastIndexOf(":"), 0)).trim()));
}

/** What the kernel takes as an interface's name (dev_valid_name), without what `ip` reads as its own syntax. */
const interfaceName = /^[^\s/:"'\\#-][^\s/:"'\\#]{0,14}$/;

/** Names have 15 characters; a bridge takes 1,023 ports, so that nobody gets near this. */
const maxTaps = 100_000;
