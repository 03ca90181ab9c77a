import { expect, test } from "vitest";
import type { Success, UnikernelStatus } from "../../src/core/command.ts";
import { printName } from "../../src/core/name.ts";
import type { UnikernelInfo } from "../../src/core/unikernel.ts";
import { FakeHost } from "./fake_host.ts";
import { create, name, outcome, policy, wide } from "./fixture.ts";

/** A host with policies, unikernels and block devices at these paths. */
function filled(): FakeHost {
  const host = new FakeHost(wide);
  for (const at of ["alice/", "alice/bob/", "alice/charlie/", "alice/bob/deep/", "zoe/"]) {
    outcome(host, at, { kind: "policy-add", policy: policy({ unikernels: 9 }) });
  }
  for (const at of ["vm", "alice/bob", "alice/b", "alice/bob/vm", "alice/bob/deep/vm", "alice/charlie/vm", "zoe/vm"]) {
    outcome(host, at, { kind: "block-add", size: 1, form: "current" });
    outcome(host, at, create({ memory: 1 }));
  }
  return host;
}

function names(success: unknown): readonly string[] {
  const { kind, ...rest } = success as Success;
  return Object.values(rest)
    .filter(Array.isArray)
    .flat()
    .map((entry) => printName(entry.name));
}

test("policyInfo lists a path before those below it, siblings by descending label, relative to what was asked for", () => {
  const host = filled();
  expect(names(outcome(host, "alice/", { kind: "policy-info" }))).toEqual([":", "charlie:", "bob:", "bob:deep:"]);
  expect(names(outcome(host, "", { kind: "policy-info" }))).toEqual([
    ":",
    "zoe:",
    "alice:",
    "alice:charlie:",
    "alice:bob:",
    "alice:bob:deep:",
  ]);
  expect(names(outcome(host, "nobody/", { kind: "policy-info" }))).toEqual([]);
});

test("policyInfo ignores a label", () => {
  const host = filled();
  expect(outcome(host, "alice/bob", { kind: "policy-info" })).toEqual(outcome(host, "alice/", { kind: "policy-info" }));
});

const info = { kind: "unikernel-info", form: "current" } as const;

test("unikernelInfo lists a unikernel before the path of its spelling, and relative to what was asked for", () => {
  const host = filled();
  const below = ["charlie:vm", ":bob", "bob:vm", "bob:deep:vm", ":b"];
  expect(names(outcome(host, "alice/", info))).toEqual(below);
  expect(names(outcome(host, "", info))).toEqual([
    "zoe:vm",
    ":vm",
    ...["alice:charlie:vm", "alice:bob", "alice:bob:vm", "alice:bob:deep:vm", "alice:b"],
  ]);
});

test("blockInfo lists as unikernelInfo does", () => {
  const host = filled();
  expect(names(outcome(host, "alice/", { kind: "block-info" }))).toEqual(names(outcome(host, "alice/", info)));
});

test("unikernelInfo and blockInfo of one name tell it whole", () => {
  const host = filled();
  expect(names(outcome(host, "alice/bob/vm", info))).toEqual(["alice:bob:vm"]);
  expect(names(outcome(host, "alice/bob/vm", { kind: "block-info" }))).toEqual(["alice:bob:vm"]);
});

test("unikernelInfo and blockInfo of what is not there are empty", () => {
  const host = filled();
  expect(outcome(host, "alice/nobody", info)).toEqual({ kind: "unikernels", form: "current", unikernels: [] });
  expect(outcome(host, "alice/nobody", { kind: "block-info" })).toEqual({ kind: "block-devices", devices: [] });
});

test("unikernelInfo tells the settings, the digest, the start and the devices", () => {
  const host = new FakeHost(wide);
  outcome(host, "alice/data", { kind: "block-add", size: 3, form: "current" });
  const mac = Uint8Array.of(2, 0, 0, 0, 0, 7);
  const blocks = [{ name: "storage", device: "data" }];
  const bridges = [{ netif: "eth", bridge: "service", mac }];
  outcome(host, "alice/vm", create({ memory: 5, blocks, bridges, arguments: ["-v"], startup: 3 }));
  expect(outcome(host, "alice/vm", info)).toEqual({
    kind: "unikernels",
    form: "current",
    unikernels: [
      {
        name: name("alice/vm"),
        value: {
          typ: "solo5",
          startup: 3,
          failBehaviour: { kind: "quit" },
          cpuids: [0],
          memory: 5,
          cpus: 1,
          arguments: ["-v"],
          digest: Uint8Array.of(1, 0, 0),
          started: host.now,
          blocks: [{ unikernelDevice: "storage", hostDevice: "data", sectorSize: 512, size: 3 }],
          bridges: [{ unikernelDevice: "eth", hostDevice: "service", mac }],
        },
      },
    ],
  });
  expect(outcome(host, "alice/data", { kind: "block-info" })).toMatchObject({
    devices: [{ value: { size: 3, active: true } }],
  });
});

test("unikernelInfo tells nothing of a unikernel whose image is still being prepared", () => {
  const host = new FakeHost(wide);
  host.ask(name("alice/vm"), create());
  const client = host.ask(name("alice/vm"), info);
  expect(host.replies.get(client)).toMatchObject({ success: { unikernels: [] } });
});

test("unikernelInfo tells the last start of a unikernel that waits for its restart", () => {
  const host = new FakeHost(wide);
  outcome(host, "vm", create({ failBehaviour: { kind: "restart", codes: [] } }));
  const started = infoOf(host)?.started;
  expect(started).toBeGreaterThan(0);
  host.end(0, { kind: "exited", code: 7 });
  expect(infoOf(host)?.started).toBe(started);
});

test("reference bug 10: unikernelStatus tells the phase, the last end and how many there were in a row", () => {
  const host = new FakeHost(wide);
  outcome(host, "vm", create({ failBehaviour: { kind: "restart", codes: [] } }));
  expect(statusOf(host)).toEqual({ phase: "running", failures: 0 });
  host.end(0, { kind: "exited", code: 7 });
  expect(statusOf(host)).toEqual({ phase: "waiting", failures: 1, lastExit: { kind: "exited", code: 7 } });
});

function infoOf(host: FakeHost): UnikernelInfo | undefined {
  const reply = host.replies.get(host.ask(name("vm"), info));
  return reply?.ok && reply.success.kind === "unikernels" ? reply.success.unikernels[0]?.value : undefined;
}

function statusOf(host: FakeHost): Omit<UnikernelStatus, "info"> | undefined {
  const reply = host.replies.get(host.ask(name("vm"), { kind: "status" }));
  const status = reply?.ok && reply.success.kind === "statuses" ? reply.success.unikernels[0]?.value : undefined;
  if (status === undefined) return undefined;
  const { info: _, ...life } = status;
  return life;
}
