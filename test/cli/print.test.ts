import { expect, test } from "vitest";
import { printConsoleLine, printPolicy, printSuccess } from "../../src/cli/print.ts";
import type { Success } from "../../src/core/command.ts";
import { type Name, parseName } from "../../src/core/name.ts";
import { unlimited } from "../../src/core/policy.ts";

function name(text: string): Name {
  const parsed = parseName(text);
  if (!parsed.ok) throw new Error(parsed.error.kind);
  return parsed.value;
}

const web: Success = {
  kind: "unikernels",
  form: "current",
  unikernels: [
    {
      name: name("bob:web"),
      value: {
        typ: "solo5",
        failBehaviour: { kind: "restart", codes: [2, 3] },
        cpuids: [0, 1],
        memory: 32,
        digest: Uint8Array.of(0xab, 0x01),
        blocks: [{ unikernelDevice: "storage", hostDevice: "disk", sectorSize: 512, size: 2 }],
        bridges: [{ unikernelDevice: "service", hostDevice: "br\x1b0", mac: Uint8Array.of(0, 128, 65, 1, 2, 255) }],
        arguments: ["--password=secret", "\x1b[2J"],
        started: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
        cpus: 1,
      },
    },
  ],
};

test("reference bug 22: printSuccess shows guest arguments only where they are asked for", () => {
  expect(printSuccess(name("alice:"), web, false)).not.toContain("secret");
  expect(printSuccess(name("alice:"), web, true)).toContain(" argv --password=secret \\x1b[2J\n");
});

test("reference bug 29: printSuccess gives whole names", () => {
  expect(printSuccess(name("alice:"), web, false)).toBe(
    "host [unikernel: alice:]: [unikernel: alice:bob:web]: typ solo5 started 2026-01-02T03:04:05-00:00 " +
      "fail behaviour restart 2, 3 startup at not specified CPUids 0, 1 32 MB memory " +
      "block devices storage -> disk (sector-size: 512 bytes, size 2 MB) " +
      "bridge service -> br\\x1b0 (mac 00:80:41:01:02:ff) digest ab01 #cpus 1 linux_boot_partition not specified\n",
  );
});

test("printSuccess takes the names of an answer about one name as they are", () => {
  expect(printSuccess(name("bob:web"), web, false)).toContain(": [unikernel: bob:web]: ");
});

test.for([
  [{ kind: "empty" }, "host [unikernel: a:]: success\n"],
  [{ kind: "string", text: "created\x07" }, "host [unikernel: a:]: success: created\\x07\n"],
  [{ kind: "unikernels", form: "current", unikernels: [] }, "host [unikernel: a:]: no unikernels\n"],
  [{ kind: "policies", policies: [] }, "host [unikernel: a:]: no policies\n"],
  [{ kind: "block-devices", devices: [] }, "host [unikernel: a:]: no block devices\n"],
  [
    {
      kind: "block-devices",
      devices: [
        { name: name("y"), value: { size: 2, active: true } },
        { name: name("b:x"), value: { size: 1, active: false } },
      ],
    },
    "host [unikernel: a:]: block [unikernel: a:y] size 2 MB active true\nblock [unikernel: a:b:x] size 1 MB active false\n",
  ],
] as const satisfies readonly (readonly [Success, string])[])("printSuccess prints %j", ([success, text]) => {
  expect(printSuccess(name("a:"), success, false)).toBe(text);
});

test("printPolicy writes no limit as albatross does", () => {
  const policy = { unikernels: unlimited, cpuids: [0, 1], memory: 64, block: 0, bridges: ["a", "b"] };
  expect(printPolicy(policy)).toBe(
    "policy: 4611686018427387903 unikernels 0,1 CPUids 64 MB memory 0 MB block, bridges: a, b",
  );
  expect(printPolicy({ unikernels: 1, cpuids: [0], memory: 64, bridges: [] })).toBe(
    "policy: 1 unikernels 0 CPUids 64 MB memory no block",
  );
});

test("reference bug 20: printConsoleLine escapes what a guest prints", () => {
  expect(printConsoleLine(0, "\x1b[31mred")).toBe("console 1970-01-01T00:00:00-00:00: \\x1b[31mred\n");
});
