/**
 * Tenders: the programs that run a unikernel, one for each target and ABI.
 *
 * As albatross: the first file found decides, and must say of itself that it
 * speaks the image's ABI.
 *
 * @module
 */
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { env } from "node:process";
import type { TenderKind } from "../core/manifest.ts";
import { err, ok, type Result } from "../core/result.ts";
import { kvmDevice, kvmGroup } from "./devices.ts";
import { errnoOf } from "./io.ts";
import { type RunError, run } from "./run.ts";

export interface FoundTender {
  readonly kind: TenderKind;
  /** Absolute. */
  readonly path: string;
  /** What runs the guest's instructions; virtio only. */
  readonly accel?: "kvm" | "tcg";
}

export interface TenderOptions {
  /** Where tenders of this host lie; looked at before PATH. */
  readonly dbdir: string;
  /** The kinds that this host offers. */
  readonly offered: readonly TenderKind[];
  /** Whether QEMU may translate instead of using KVM; where it may, it always does. */
  readonly allowTcg: boolean;
  /** Whether guests have users of their own, whom /dev/kvm must let in. */
  readonly caged?: boolean;
  /** Directories to look in, separated by `:`; absent: those of the environment. */
  readonly path?: string;
}

export type TenderError =
  | { readonly kind: "tender-not-offered"; readonly tender: TenderKind; readonly offered: readonly TenderKind[] }
  | { readonly kind: "tender-missing"; readonly tender: TenderKind; readonly tried: readonly string[] }
  | { readonly kind: "tender-wrong-abi"; readonly path: string; readonly abi: number; readonly output: string }
  | { readonly kind: "tender-broken"; readonly path: string; readonly cause: RunError }
  | {
      readonly kind: "abi-unknown";
      readonly tender: TenderKind;
      readonly abi: number;
      readonly known: readonly number[];
    }
  | { readonly kind: "kvm-unusable"; readonly tender: TenderKind; readonly reason: string };

/** The tender for an image of this target and ABI. */
export async function findTender(
  kind: TenderKind,
  abi: number,
  options: TenderOptions,
): Promise<Result<FoundTender, TenderError>> {
  if (!options.offered.includes(kind)) {
    return err({ kind: "tender-not-offered", tender: kind, offered: options.offered });
  }
  return kind === "virtio" ? findQemu(abi, options) : findSolo5(kind, abi, options);
}

async function findSolo5(
  kind: "hvt" | "spt",
  abi: number,
  options: TenderOptions,
): Promise<Result<FoundTender, TenderError>> {
  const program = `solo5-${kind}`;
  const tried = [`${program}.${abi}`, program].flatMap((file) => [join(options.dbdir, file), ...onPath(file, options)]);
  const path = tried.find(isProgram);
  if (path === undefined) return err({ kind: "tender-missing", tender: kind, tried });
  const version = await readVersion(path);
  if (!version.ok) return err({ kind: "tender-broken", path, cause: version.error });
  if (!version.value.split("\n").includes(`ABI version ${abi}`)) {
    return err({ kind: "tender-wrong-abi", path, abi, output: version.value });
  }
  return kind === "hvt" ? withKvm({ kind, path }, options) : ok({ kind, path });
}

/**
 * QEMU has one ABI, Solo5's virtio 1.
 *
 * That /dev/kvm opens does not say that a guest boots on it (nested, KVM may be emulated and lack instructions), and
 * finding out costs seconds at each start. So the operator says which one it is: with `allowTcg` QEMU always
 * translates, without it QEMU always uses KVM.
 */
function findQemu(abi: number, options: TenderOptions): Result<FoundTender, TenderError> {
  if (abi !== virtioAbi) return err({ kind: "abi-unknown", tender: "virtio", abi, known: [virtioAbi] });
  const tried = onPath(qemu, options);
  const path = tried.find(isProgram);
  if (path === undefined) return err({ kind: "tender-missing", tender: "virtio", tried });
  if (options.allowTcg) return ok({ kind: "virtio", path, accel: "tcg" });
  return withKvm({ kind: "virtio", path, accel: "kvm" }, options);
}

function onPath(file: string, options: TenderOptions): readonly string[] {
  const { PATH = "" } = env;
  return (options.path ?? PATH)
    .split(delimiter)
    .filter((folder) => folder.startsWith("/"))
    .map((folder) => join(folder, file));
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** What `--version` prints, remembered for as long as the file stays the same. */
async function readVersion(path: string): Promise<Result<string, RunError>> {
  const { mtimeMs, size, ino } = statSync(path);
  const key = `${path}\0${mtimeMs}\0${size}\0${ino}`;
  const known = versions.get(key);
  if (known !== undefined) return ok(known);
  const version = await run([path, "--version"], { timeout: versionTimeout });
  if (version.ok) versions.set(key, version.value);
  return version;
}

/** The tender, if whoever it runs as may open /dev/kvm. */
function withKvm(tender: FoundTender, { caged }: TenderOptions): Result<FoundTender, TenderError> {
  try {
    accessSync(kvmDevice, constants.R_OK | constants.W_OK);
    const { mode, gid } = statSync(kvmDevice);
    if (caged !== true || (mode & 0o006) === 0o006 || kvmGroup() !== undefined) return ok(tender);
    const reason = `mode ${(mode & 0o777).toString(8)}, group ${gid}`;
    return err({ kind: "kvm-unusable", tender: tender.kind, reason });
  } catch (thrown) {
    return err({ kind: "kvm-unusable", tender: tender.kind, reason: errnoOf(thrown) });
  }
}

const versions: Map<string, string> = new Map();

/** Milliseconds; a tender answers within 10. */
const versionTimeout = 5_000;

const virtioAbi = 1;
const qemu = "qemu-system-x86_64";
