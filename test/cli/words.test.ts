import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { printName } from "../../src/core/name.ts";
import { requested, say, temporaryFolder } from "./terminal.ts";

const folder = temporaryFolder();
for (const image of ["none.hvt", "net.hvt", "full.hvt", "not-an-elf"]) {
  copyFileSync(join(import.meta.dirname, "../vector/images", image), join(folder, image));
}

const settings = {
  failBehaviour: { kind: "quit" },
  addName: true,
  cpuids: [0],
  memory: 32,
  blocks: [],
  bridges: [],
  cpus: 1,
};
const dev = { unikernels: 2, cpuids: [0], memory: 512, bridges: [] };

test.for([
  ["info", ":", { kind: "unikernel-info", form: "current" }],
  ["info -n a:b", "a:b", { kind: "unikernel-info", form: "current" }],
  ["info --name A:", "a:", { kind: "unikernel-info", form: "current" }],
  ["destroy a:web", "a:web", { kind: "unikernel-destroy" }],
  ["restart web", ":web", { kind: "unikernel-restart" }],
  ["restart web --replace-arguments", ":web", { kind: "unikernel-restart", settings }],
  [
    "restart web --replace-arguments --arg=-x --arg --y=1 --mem 64 --cpu 3 --cpu 1 --cpu 3 --cpus 2 --startup 0",
    ":web",
    {
      kind: "unikernel-restart",
      settings: { ...settings, arguments: ["-x", "--y=1"], memory: 64, cpuids: [1, 3], cpus: 2, startup: 0 },
    },
  ],
  [
    "restart web --replace-arguments --restart --no-add-name --linux-boot hd0",
    ":web",
    {
      kind: "unikernel-restart",
      settings: {
        ...settings,
        failBehaviour: { kind: "restart", codes: [] },
        addName: false,
        linuxBootPartition: "hd0",
      },
    },
  ],
  [
    "restart web --replace-arguments --restart-on-fail --exit-code 7 --exit-code=2",
    ":web",
    { kind: "unikernel-restart", settings: { ...settings, failBehaviour: { kind: "restart", codes: [2, 7] } } },
  ],
  [
    "restart web --replace-arguments --block data --block storage:disk@512 --net service --net=a:br0@02:00:00:00:00:0F",
    ":web",
    {
      kind: "unikernel-restart",
      settings: {
        ...settings,
        blocks: [{ name: "data" }, { name: "storage", device: "disk", sectorSize: 512 }],
        bridges: [{ netif: "service" }, { netif: "a", bridge: "br0", mac: Uint8Array.of(2, 0, 0, 0, 0, 15) }],
      },
    },
  ],
  ["console a:web", "a:web", { kind: "console-subscribe", from: { kind: "count", count: 20 } }],
  ["console web --count 0", ":web", { kind: "console-subscribe", from: { kind: "count", count: 0 } }],
  [
    "console web --since 2023-03-12",
    ":web",
    { kind: "console-subscribe", from: { kind: "since", time: 1678579200000 } },
  ],
  [
    "console web --since=2023-03-12T23:42:15+01:00",
    ":web",
    { kind: "console-subscribe", from: { kind: "since", time: 1678660935000 } },
  ],
  ["policy", ":", { kind: "policy-info" }],
  ["policy -p a:b", "a:b:", { kind: "policy-info" }],
  ["policy --path a:b:", "a:b:", { kind: "policy-info" }],
  ["remove-policy -p a", "a:", { kind: "policy-remove" }],
  ["add-policy a 2", "a:", { kind: "policy-add", policy: dev }],
  ["replace-policy a 2", "a:", { kind: "policy-add", policy: dev }],
  [
    "add-policy a:b 1 --mem 17 --cpu 5 --cpu 2 --size 0 --network z --bridge b",
    "a:b:",
    { kind: "policy-add", policy: { unikernels: 1, cpuids: [2, 5], memory: 17, block: 0, bridges: ["b", "z"] } },
  ],
  ["add-policy a 2 --block 10", "a:", { kind: "policy-add", policy: { ...dev, block: 10 } }],
  ["block", ":", { kind: "block-info" }],
  ["block --name a:disk", "a:disk", { kind: "block-info" }],
  ["create-block a:disk 12", "a:disk", { kind: "block-add", size: 12, form: "current" }],
  ["destroy-block disk", ":disk", { kind: "block-remove" }],
  ["set-block a:disk none.hvt", "a:disk", { kind: "block-set", compressed: false }],
  ["set-block disk none.hvt --compression-level 1", ":disk", { kind: "block-set", compressed: true }],
  ["set-block disk none.hvt -d host", ":disk", { kind: "block-set", compressed: true }],
  ["set-block disk none.hvt -d host --compression-level 0", ":disk", { kind: "block-set", compressed: false }],
  ["dump-block a:disk", "a:disk", { kind: "block-dump", level: 0, form: "current" }],
  ["dump-block disk --csr", ":disk", { kind: "block-dump", level: 9, form: "current" }],
  ["get a:web", "a:web", { kind: "unikernel-get", level: 0 }],
  ["get web -d host", ":web", { kind: "unikernel-get", level: 9 }],
  ["get web --compression-level 3", ":web", { kind: "unikernel-get", level: 3 }],
  ["inactive-consoles", ":", { kind: "console-list-inactive" }],
  ["inactive-consoles -p a:b", "a:b:", { kind: "console-list-inactive" }],
  ["inactive-consoles --path a:b:", "a:b:", { kind: "console-list-inactive" }],
] as const)("run reads %j", async ([line, name, command]) => {
  const request = await requested(line.split(" "), folder);
  expect([printName(request.name), request.command]).toEqual([name, command]);
});

test("run reads a create with its image as it lies on disk", async () => {
  const { command } = await requested(["create", "a:web", "none.hvt", "-f", "--compression-level", "9"], folder);
  expect(command).toMatchObject({ kind: "unikernel-create", replace: true, config: { ...settings, typ: "solo5" } });
  expect(command).toMatchObject({ image: { compressed: false } });
});

test.for([
  ["-d example.org", { host: "example.org", port: 1025 }],
  ["-d example.org:7", { host: "example.org", port: 7 }],
  ["--destination=127.0.0.1:1026", { host: "127.0.0.1", port: 1026 }],
  ["-d [::1]:1026", { host: "::1", port: 1026 }],
  ["-d ::1", { host: "::1", port: 1025 }],
] as const)("run reads %j", async ([line, destination]) => {
  const { options } = await requested(["info", ...line.split(" ")], folder);
  expect(options.destination).toEqual(destination);
});

test("run has albatross's defaults for the files of -d, and fulmar's own folder", async () => {
  const { options } = await requested(["info"], folder);
  expect(options).toMatchObject({
    ca: "ca.pem",
    caKey: "ca.key",
    serverCa: "cacert.pem",
    keyType: "ed25519",
    tmpdir: "/run/fulmar",
  });
});

test.for([
  ["destroy a:", "It names a path"],
  ["destroy", "missing required argument"],
  ["destroy a_b", "has a character that is not one of"],
  ["destroy -x", "unknown option"],
  ["crate", "Did you mean create?"],
  ["create web", "missing required argument 'image'"],
  ["create web nowhere", "nowhere: there is no such file"],
  ["create web not-an-elf", "not-an-elf: it is no ELF file"],
  ["create web net.hvt", 'the image wants one --net for each of "service0"'],
  ["create web none.hvt --net service", "the image takes no --net"],
  ["create web none.hvt --mem 0", "It must be at least 1"],
  ["create web none.hvt --mem -1", "It must be a number, 0 or more"],
  ["create web none.hvt --compression-level 10", "a digit, 0 to 9"],
  ["create web none.hvt --net a:b@02:00", "six pairs of hex digits"],
  ["create web none.hvt --block @512", "NAME[:DEVICE][@SECTOR-SIZE]"],
  ["create web none.hvt --typ bhyve", "Allowed choices are solo5"],
  ["restart web --mem 64", "--mem changes nothing without --replace-arguments"],
  ["restart web --no-add-name", "changes nothing without --replace-arguments"],
  ["console web --count 3 --since 2026-01-01", "cannot be used with"],
  ["console web --since yesterday", "RFC 3339"],
  ["console web --since 2026-13-01", "RFC 3339"],
  ["create-block disk 0", "It must be at least 1"],
  ["create-block disk 1 --data nowhere", "nowhere: there is no such file"],
  ["set-block disk nowhere", "nowhere: there is no such file"],
  ["set-block disk .", ".: is a directory"],
  ["set-block a: none.hvt", "It names a path"],
  ["dump-block disk --compression-level -1", "a digit, 0 to 9"],
  ["inactive-consoles -p a:web_1", "has a character that is not one of"],
  ["add-policy a 0", "a policy for no unikernels allows nothing"],
  ["add-policy a 1 --mem 16", "it takes more than 16 MB"],
  ["info -d host:0", "HOST[:PORT]"],
  ["info -d a -d b --csr", "cannot be used with"],
  ["info --socket x --csr", "cannot be used with"],
  ["info --key-type dsa", "Allowed choices are ed25519"],
  ["get a:", "It names a path"],
] as const)("run refuses %j", async ([line, text]) => {
  const { status, stderr } = await say(line.split(" "), folder);
  expect(status).toBe(124);
  expect(stderr).toContain(text);
  expect(stderr).toContain("hint: ");
});

test("run shows its help for no words, and its version", async () => {
  const nothing = await say([], folder);
  expect(nothing).toMatchObject({ status: 0, stderr: "" });
  expect(nothing.stdout).toContain("Usage: fulmar");
  expect(await say(["--help"], folder)).toMatchObject({ status: 0, stderr: "" });
  expect(await say(["create", "--help"], folder)).toMatchObject({ status: 0, stderr: "" });
});
