/**
 * The committed images: that they come from the sources beside them, that their
 * notes are right, and that they do what their README says where a tender or
 * QEMU is on PATH.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { readAbi, readImage, readManifest } from "./image.ts";

const reserved = { name: "", type: 0x40000000 };
const storage = { name: "storage", type: 1 };
const service = { name: "service", type: 2 };

const hvt = [1, 2] as const;
const spt = [2, 2] as const;
const virtio = [3, 1] as const;

const images = [
  { name: "hello.hvt", abi: hvt, devices: [reserved] },
  { name: "hello.spt", abi: spt, devices: [reserved] },
  { name: "hello.virtio", abi: virtio, devices: [reserved] },
  { name: "hello_block.hvt", abi: hvt, devices: [reserved, storage] },
  { name: "hello_block.spt", abi: spt, devices: [reserved, storage] },
  { name: "hello_block.virtio", abi: virtio, devices: [reserved, storage] },
  { name: "hello_net.hvt", abi: hvt, devices: [reserved, service] },
  { name: "hello_net.spt", abi: spt, devices: [reserved, service] },
];

test("make rebuilds the committed images byte for byte", ({ skip }) => {
  const tools = versions();
  if (tools === undefined) return skip("no gcc, ld or make");
  if (tools !== recorded()) return skip(`recorded with another compiler or linker; here: ${tools}`);
  const folder = build();
  for (const { name } of images) {
    expect(readFileSync(join(folder, name)).equals(committed(name)), name).toBe(true);
  }
}, 60_000);

test("make gives the images the same notes with any compiler", ({ skip }) => {
  if (versions() === undefined) return skip("no gcc, ld or make");
  const folder = build();
  for (const { name } of images) {
    expect(readImage(readFileSync(join(folder, name))).notes).toEqual(readImage(committed(name)).notes);
  }
}, 60_000);

test.for(images)("$name has one note in each of its three note segments", ({ name, abi, devices }) => {
  const [marker, abiNote, manifest, ...more] = readImage(committed(name)).notes;
  expect(marker).toEqual({ name: "OpenBSD", type: 1, description: Buffer.alloc(4) });
  expect(abiNote && readAbi(abiNote)).toEqual(abi);
  expect(manifest && readManifest(manifest)).toEqual(devices);
  expect(more).toEqual([]);
});

test.for(images)("$name has ascending segments on pages of their own, none writable and executable", ({ name }) => {
  const { entry, interpreter, loads } = readImage(committed(name));
  expect(interpreter).toBe("/nonexistent/solo5/");
  expect(entry).toBeGreaterThanOrEqual(0x100000);
  let free = 0x100000;
  for (const load of loads) {
    expect(load.address).toBeGreaterThanOrEqual(free);
    expect(load.address % 4096).toBe(0);
    expect(load.flags & 3).not.toBe(3);
    free = Math.ceil((load.address + load.memorySize) / 4096) * 4096;
  }
});

// Multiboot 1, section 3.1: within the first 8 KiB, on 4 bytes, the first three words sum to zero.
test.for(["hello.virtio", "hello_block.virtio"])("%s has a multiboot header that covers its segments", (name) => {
  const file = committed(name);
  const { entry, loads } = readImage(file);
  const at = file.indexOf(Buffer.from("02b0ad1b", "hex"));
  expect(at % 4).toBe(0);
  expect(at).toBeLessThan(8192 - 32);
  const [magic = 0, flags = 0, checksum = 0, header = 0, start = 0, end = 0, memoryEnd = 0, entered] = Array.from(
    { length: 8 },
    (_, word) => file.readUInt32LE(at + word * 4),
  );
  expect((magic + flags + checksum) % 2 ** 32).toBe(0);
  expect(entered).toBe(entry);
  for (const load of loads) {
    expect(load.address + load.memorySize).toBeLessThanOrEqual(memoryEnd);
    if (load.fileSize === 0) continue;
    expect(load.offset - load.address).toBe(at - header);
    expect(load.address).toBeGreaterThanOrEqual(start);
    expect(load.address + load.fileSize).toBeLessThanOrEqual(end);
  }
});

const tenders = ["hvt", "spt"] as const;

// The argument line, the lines that follow it on the console, and how it ends.
const endings = [
  { words: "exit=3 after=1 --name=foo", lines: ["tick 1"], status: 3 },
  { words: "after=1", lines: ["tick 1"], status: 0 },
  { words: "exit=4", lines: [], status: 4 },
  { words: "--solo5:quiet exit=x after=-1 floods exit=256", lines: [], status: 0 },
  { words: "flood=3 exit=7", lines: ["flood 000001", "flood 000002", "flood 000003"], status: 7 },
];

test.for([
  ...tenders.flatMap((target) => endings.map((ending) => ({ target, ...ending }))),
  { target: "hvt", words: "crash", lines: ["processor exception"], status: 255 },
  { target: "spt", words: "crash", lines: [], status: "SIGILL" },
] as const)("hello on $target: $words", { timeout: 30_000 }, ({ target, words, lines, status }, { skip }) => {
  const obstacle = findObstacle(target);
  if (obstacle !== undefined) return skip(obstacle);
  expect(runTender(`hello.${target}`, [], words)).toEqual({
    lines: [`Hello from fulmar's guest (${target})`, `arguments: ${words}`, ...lines],
    status,
  });
});

test.for([
  { target: "hvt", words: "spin", status: "stopped" },
  { target: "hvt", words: "flood", status: "stopped" },
  { target: "spt", words: "spin", status: "SIGTERM" },
  { target: "spt", words: "flood", status: "SIGTERM" },
] as const)("hello on $target: $words goes on until it is told to end", ({ target, words, status }, { skip }) => {
  const obstacle = findObstacle(target);
  if (obstacle !== undefined) return skip(obstacle);
  expect(runTender(`hello.${target}`, [], words, 1000).status).toBe(status);
});

test.for(tenders)("hello_block.%s shows and replaces the first sector", { timeout: 30_000 }, (target, { skip }) => {
  const obstacle = findObstacle(target);
  if (obstacle !== undefined) return skip(obstacle);
  const image = `hello_block.${target}`;
  const disk = makeDisk();
  const block = [`--block:storage=${disk}`];
  expect(runTender(image, block, "exit=0").lines.at(-1)).toBe(
    "storage: 65536 bytes, sector 512, starts with: first words",
  );
  expect(runTender(image, block, "exit=0 write=second").lines.at(-1)).toBe(
    "storage: 65536 bytes, sector 512, starts with: second",
  );
  expect(readFileSync(disk, "latin1").slice(0, 10)).toBe("second\0\0\0\0");
});

test.for(tenders)("hello_net.%s is refused without its device", (target, { skip }) => {
  const obstacle = findObstacle(target);
  if (obstacle !== undefined) return skip(obstacle);
  expect(runTender(`hello_net.${target}`, [], "exit=0")).toEqual({ lines: [], status: 1 });
});

test.for([
  { words: "exit=3 after=1 --name=foo", lines: ["tick 1"] },
  { words: "flood=2 exit=0", lines: ["flood 000001", "flood 000002"] },
  { words: "crash", lines: ["processor exception"] },
])("hello.virtio $words", { timeout: 30_000 }, ({ words, lines }, { skip }) => {
  if (!isThere("qemu-system-x86_64")) return skip("no qemu-system-x86_64 on PATH");
  expect(runQemu("hello.virtio", [], words)).toEqual({
    lines: ["Hello from fulmar's guest (virtio)", `arguments: ${words}`, ...lines],
    status: 83,
  });
});

test("hello_block.virtio shows and replaces the first sector", ({ skip }) => {
  if (!isThere("qemu-system-x86_64")) return skip("no qemu-system-x86_64 on PATH");
  const disk = makeDisk();
  const drive = ["-drive", `id=drive2,file=${disk},if=none,format=raw`];
  const block = [...drive, "-device", "virtio-blk,drive=drive2,addr=0x2,bus=pci.0"];
  expect(runQemu("hello_block.virtio", block, "exit=0").lines.at(-1)).toBe(
    "storage: 65536 bytes, sector 512, starts with: first words",
  );
  runQemu("hello_block.virtio", block, "exit=0 write=second");
  expect(readFileSync(disk, "latin1").slice(0, 10)).toBe("second\0\0\0\0");
}, 30_000);

interface Outcome {
  readonly lines: readonly string[];
  readonly status: number | string | null;
}

/** The image's suffix is its target. */
function runTender(image: string, options: readonly string[], words: string, patience = 10_000): Outcome {
  const tender = `solo5-${image.split(".")[1]}`;
  return run(tender, ["--mem=2", ...options, "--", join(guest, image), ...words.split(" ")], patience);
}

// The machine that solo5-virtio-run starts, on a processor that is emulated.
function runQemu(image: string, options: readonly string[], words: string): Outcome {
  const machine =
    "-cpu Westmere -m 128 -nodefaults -machine acpi=off -display none -serial stdio -device isa-debug-exit";
  const kernel = ["-kernel", join(guest, image), "-append", words];
  return run("qemu-system-x86_64", [...machine.split(" "), ...options, ...kernel], 20_000);
}

/**
 * SIGTERM ends it when `patience`, ms, runs out.
 *
 * @returns lines without their ends; in place of a status, the name of the signal
 * that killed it, or `stopped` if it ended by itself upon that SIGTERM
 */
function run(program: string, words: readonly string[], patience: number): Outcome {
  const { stdout, status, signal, error } = spawnSync(program, words, {
    encoding: "latin1",
    stdio: ["ignore", "pipe", "pipe"],
    timeout: patience,
    maxBuffer: 2 ** 30,
  });
  return { lines: stdout.split(/\r?\n/).slice(0, -1), status: signal ?? (error === undefined ? status : "stopped") };
}

function build(): string {
  const folder = makeFolder();
  const { status, stderr } = spawnSync(maker, ["-C", guest, `OUT=${folder}`], { encoding: "utf8" });
  expect(status, stderr).toBe(0);
  return folder;
}

function makeDisk(): string {
  const disk = join(makeFolder(), "disk.img");
  const content = Buffer.alloc(65536);
  content.write("first words");
  writeFileSync(disk, content);
  return disk;
}

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "fulmar-guest-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

function committed(name: string): Buffer {
  return readFileSync(join(guest, name));
}

/** In the form of compiler.txt; undefined if one of the tools is missing. */
function versions(): string | undefined {
  const [gcc, ld, make] = ["gcc", "ld", maker].map(versionOf);
  return gcc && ld && make ? `${gcc}\n${ld}\n` : undefined;
}

function versionOf(program: string): string | undefined {
  return spawnSync(program, ["--version"], { encoding: "utf8" }).stdout?.split("\n")[0];
}

function recorded(): string {
  return readFileSync(join(guest, "compiler.txt"), "utf8");
}

/** Why images of this target cannot run here; undefined if they can. */
function findObstacle(target: (typeof tenders)[number]): string | undefined {
  if (!isThere(`solo5-${target}`)) return `no solo5-${target} on PATH`;
  return target === "hvt" && !opens("/dev/kvm") ? "/dev/kvm does not open" : undefined;
}

function opens(device: string): boolean {
  try {
    closeSync(openSync(device, "r+"));
    return true;
  } catch {
    return false;
  }
}

function isThere(program: string): boolean {
  return spawnSync(program, ["--version"]).error === undefined;
}

const guest = fileURLToPath(new URL("../../guest", import.meta.url));
const maker = "make";
