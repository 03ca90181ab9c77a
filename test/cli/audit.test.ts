import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { printEntry, printEntryJson } from "../../src/cli/print_audit.ts";
import { encodeFrame } from "../../src/codec/frame.ts";
import { encodeWire, type Payload } from "../../src/codec/wire.ts";
import type { AuditEntry, AuditItem } from "../../src/core/audit.ts";
import { name } from "../host/folder.ts";
import { level, openScripted } from "../service/lab.ts";
import { type Said, say, temporaryFolder } from "./terminal.ts";

const entry: AuditEntry = {
  time: Date.UTC(2026, 10, 29, 6, 40, 31),
  actor: { kind: "chain", levels: [new Uint8Array(32).fill(0xa1)], leaf: new Uint8Array(32).fill(0x1f) },
  name: name("alice:web"),
  command: "unikernel-create",
  policies: [],
  outcome: { kind: "refused", reason: "limit", at: name("alice:").path },
};

test("printEntry is one line with who, what, and what became of it; text from afar is escaped", () => {
  expect(printEntry(12, entry)).toBe(
    `2026-11-29T06:40:31-00:00 12 alice:web unikernel-create refused (limit, by alice) by ${"1f".repeat(32)} below ${"a1".repeat(32)}\n`,
  );
  expect(printEntry(1, { ...entry, actor: { kind: "endpoint", address: "\x1b[2J" }, outcome: { kind: "done" } })).toBe(
    "2026-11-29T06:40:31-00:00 1 alice:web unikernel-create done by the endpoint, from \\x1b[2J\n",
  );
});

test("printEntryJson is one object a line", () => {
  const line = printEntryJson(12, { ...entry, policies: [name("alice:").path] });
  expect(JSON.parse(line)).toEqual({
    number: 12,
    time: "2026-11-29T06:40:31.000Z",
    name: "alice:web",
    command: "unikernel-create",
    outcome: { kind: "refused", reason: "limit", at: "alice" },
    actor: { kind: "chain", levels: ["a1".repeat(32)], leaf: "1f".repeat(32) },
    policies: ["alice"],
  });
});

/** Runs `fulmar audit` against a server that answers with these. */
async function against(payloads: readonly Payload[], words: readonly string[] = []): Promise<Said> {
  const folder = temporaryFolder();
  const socket = join(folder, "s");
  const header = { version: 5, sequence: 0n, name: name(":") } as const;
  const frames = Buffer.concat(payloads.map((payload) => encodeFrame(encodeWire({ header, payload }))));
  const server = createServer((connection) => connection.on("error", () => undefined).end(frames));
  server.listen(socket);
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
  });
  return say(["audit", "--socket", socket, ...words], folder);
}

const item = (one: AuditItem): Payload => ({ kind: "data", data: { kind: "audit", item: one } });
const end: Payload = { kind: "success", success: { kind: "empty" } };

test("audit whose answer is cut off says so, after what came", async () => {
  const said = await against([item({ kind: "entry", number: 12, entry })]);
  expect(said.status).toBe(121);
  expect(said.stdout).toContain(" 12 alice:web ");
  expect(await against([item({ kind: "entry", number: 12, entry }), end])).toMatchObject({ status: 0 });
});

test("audit --verify of a server that proves nothing fails", async () => {
  expect(await against([end], ["--verify"])).toMatchObject({ status: 121 });
  const checkpoint = {
    ...{ number: 1, head: new Uint8Array(32), first: 1, before: new Uint8Array(32), bytes: 0, time: 0 },
    ...{ key: new Uint8Array(44), signature: new Uint8Array(64) },
  };
  const said = await against([item({ kind: "checkpoint", checkpoint }), end], ["--verify"]);
  expect(said.status).toBe(117);
  expect(said.stdout).toContain("the audit log does NOT hold");
  expect(said.stdout).toContain("fault: entry 1 is missing");
});

test("audit --verify takes no filters, and --seen a number with a hash", async () => {
  for (const words of [
    ["--verify", "--limit", "3"],
    ["--verify", "--json"],
    ["--verify", "--seen", "3:ab"],
  ]) {
    expect((await say(["audit", ...words], temporaryFolder())).status).toBe(124);
  }
});

test("audit shows and verifies a daemon's log, with its key and a head that was seen", async () => {
  const place = openScripted("exit 0");
  await place.start();
  await place.ask("alice:", { kind: "policy-add", policy: level("x").policy });
  const at = ["--tmpdir", place.tmpdir];
  const shown = await say(["audit", ...at, "-n", "alice:"], temporaryFolder());
  expect(shown.stdout).toMatch(/ \d+ alice: policy-add done by uid \d+, pid \d+, policies of alice\n$/);
  const key = ["--key", join(place.dbdir, "audit.pem")];
  const first = await say(["audit", ...at, "--verify", ...key], temporaryFolder());
  expect(first).toMatchObject({ status: 0, stdout: expect.stringContaining("the audit log holds: entries 1 to ") });
  const [, head = ""] = /^head (\S+),/m.exec(first.stdout) ?? [];
  await place.ask("alice:", { kind: "policy-remove" });
  expect(await say(["audit", ...at, "--verify", ...key, "--seen", head], temporaryFolder())).toMatchObject({
    status: 0,
  });
  const other = head.replace(/.$/, (digit) => (digit === "0" ? "1" : "0"));
  const differs = await say(["audit", ...at, "--verify", "--seen", other], temporaryFolder());
  expect(differs).toMatchObject({ status: 117, stderr: expect.stringContaining("is not the one that was seen") });
});
