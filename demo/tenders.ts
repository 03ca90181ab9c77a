/**
 * Which tender of this machine runs our guest: tried by running it.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TenderKind } from "../src/core/manifest.ts";

/** The first of spt, hvt and virtio that runs the guest in `folder` to its end. */
export function findTender(folder: string): TenderKind | undefined {
  return kinds.find((kind) => runs(kind, join(folder, `hello.${kind}`)));
}

/** Installs QEMU where that can be done unasked: as root, on Debian and its like. @returns whether it was done */
export function installQemu(say: (line: string) => void): boolean {
  if (process.geteuid?.() !== 0 || !isDebian()) return false;
  say("no tender found: installing QEMU with apt-get install qemu-system-x86");
  const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  return [["update"], ["install", "-y", "--no-install-recommends", "qemu-system-x86"]].every(
    (words) =>
      spawnSync("apt-get", ["-q", ...words], { stdio: ["ignore", "ignore", "inherit"], env: environment }).status === 0,
  );
}

function runs(kind: TenderKind, image: string): boolean {
  const solo5 = [`solo5-${kind}`, "--mem=16", "--", image, "exit=0"];
  const qemu = [
    "qemu-system-x86_64",
    "-accel",
    "tcg",
    "-cpu",
    "Westmere",
    "-m",
    "16",
    "-nodefaults",
    "-display",
    "none",
  ];
  const exit = ["-serial", "none", "-device", "isa-debug-exit", "-kernel", image, "-append", "exit=0"];
  const [program = "", ...words] = kind === "virtio" ? [...qemu, ...exit] : solo5;
  const { status } = spawnSync(program, words, { stdio: "ignore", timeout: 20_000, killSignal: "SIGKILL" });
  return status === (kind === "virtio" ? qemuExit : 0);
}

function isDebian(): boolean {
  try {
    return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(readFileSync("/etc/os-release", "utf8"));
  } catch {
    return false;
  }
}

const kinds: readonly TenderKind[] = ["spt", "hvt", "virtio"];

/** QEMU's status when a guest ends through its debug-exit device, whatever the guest's own was. */
const qemuExit = 83;
