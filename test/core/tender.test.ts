import { expect, test } from "vitest";
import { guestArguments, type Launch, printMac, tenderArguments } from "../../src/core/tender.ts";

const mac = Uint8Array.of(0, 0x80, 0x41, 0xd7, 0x9a, 0x05);
const launch: Launch = {
  kind: "hvt",
  tender: "/db/solo5-hvt",
  cpuids: [0, 2],
  memory: 32,
  devices: [
    { kind: "block", device: "storage", file: "/db/block/alice:data", sectorSize: 4096 },
    { kind: "net", device: "service", tap: "tap0", mac },
    { kind: "block", device: "other", file: "/db/block/alice:x" },
    { kind: "net", device: "management", tap: "tap1", mac: Uint8Array.of(2, 0, 0, 0, 0, 0xff) },
  ],
  image: "/db/image",
  arguments: ["--name=vm", "two words"],
};

test.for(["hvt", "spt"] as const)(
  "tenderArguments puts nets, addresses, blocks, sector sizes in this order for %s",
  (kind) => {
    expect(tenderArguments({ ...launch, kind, tender: `/db/solo5-${kind}` })).toEqual([
      "taskset",
      "-c",
      "0,2",
      `/db/solo5-${kind}`,
      "--mem=32",
      "--net:service=tap0",
      "--net:management=tap1",
      "--net-mac:service=00:80:41:d7:9a:05",
      "--net-mac:management=02:00:00:00:00:ff",
      "--block:storage=/db/block/alice:data",
      "--block:other=/db/block/alice:x",
      "--block-sector-size:storage=4096",
      "--",
      "/db/image",
      "--name=vm",
      "two words",
    ]);
  },
);

test("tenderArguments of a unikernel with nothing", () => {
  expect(tenderArguments({ ...launch, cpuids: [1], devices: [], arguments: [] })).toEqual([
    "taskset",
    "-c",
    "1",
    "/db/solo5-hvt",
    "--mem=32",
    "--",
    "/db/image",
  ]);
});

test("tenderArguments starts QEMU bare, in its sandbox, the devices in the manifest's order", () => {
  expect(tenderArguments({ ...launch, kind: "virtio", tender: "qemu-system-x86_64", accel: "tcg" })).toEqual([
    ...["taskset", "-c", "0,2", "qemu-system-x86_64"],
    ...["-nodefaults", "-no-user-config", "-monitor", "none", "-display", "none", "-serial", "stdio"],
    ...["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"],
    ...["-accel", "tcg", "-cpu", "Westmere"],
    ...["-machine", "acpi=off", "-m", "32", "-device", "isa-debug-exit"],
    ...["-drive", "id=dev0,file=/db/block/alice:data,if=none,format=raw", "-device", "virtio-blk,drive=dev0"],
    ...["-netdev", "tap,id=dev1,ifname=tap0,script=no,downscript=no"],
    ...["-device", "virtio-net,netdev=dev1,mac=00:80:41:d7:9a:05"],
    ...["-drive", "id=dev2,file=/db/block/alice:x,if=none,format=raw", "-device", "virtio-blk,drive=dev2"],
    ...["-netdev", "tap,id=dev3,ifname=tap1,script=no,downscript=no"],
    ...["-device", "virtio-net,netdev=dev3,mac=02:00:00:00:00:ff"],
    ...["-kernel", "/db/image", "-append", "--name=vm two words"],
  ]);
});

test("tenderArguments gives QEMU the host's CPU under KVM, no option of a file's name, and no empty command line", () => {
  const words = tenderArguments({
    ...launch,
    kind: "virtio",
    accel: "kvm",
    devices: [{ kind: "block", device: "a", file: "/db/a,readonly=off" }],
    arguments: [],
  });
  expect(words.join(" ")).toContain("-accel kvm -cpu host");
  expect(words).toContain("id=dev0,file=/db/a,,readonly=off,if=none,format=raw");
  expect(words).not.toContain("-append");
});

test("guestArguments puts the name first where it is to be told", () => {
  expect(guestArguments("vm", true, ["-v"])).toEqual(["--name=vm", "-v"]);
  expect(guestArguments("vm", true)).toEqual(["--name=vm"]);
  expect(guestArguments("vm", false, ["-v"])).toEqual(["-v"]);
  expect(guestArguments("vm", false)).toEqual([]);
});

test("printMac pads every byte", () => {
  expect(printMac(Uint8Array.of(0, 1, 0x10, 0xab, 0xff, 9))).toBe("00:01:10:ab:ff:09");
});
