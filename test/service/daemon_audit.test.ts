import { cpSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { AuditEntry, AuditItem, AuditQuery } from "../../src/core/audit.ts";
import type { Level } from "../../src/core/command.ts";
import { usualDaemonLimits } from "../../src/core/limits.ts";
import { printName, printPath } from "../../src/core/name.ts";
import { openStore } from "../../src/host/store.ts";
import { checkStore } from "../../src/service/verify_audit.ts";
import { AuditCheck } from "../../src/x509/audit_chain.ts";
import { expectOk, name, temporaryFolder } from "../host/folder.ts";
import { type Caller, told } from "./caller.ts";
import { create, level, openScripted, type Place, readGuest, scriptTest } from "./lab.ts";

/** Runs until it is told to end. */
const patient = 'trap "exit 0" TERM; while :; do sleep 0.05; done';

const all: AuditQuery = { proof: false };

/** What comes to the end of an answer about the log. */
async function items(caller: Caller): Promise<readonly AuditItem[]> {
  const found: AuditItem[] = [];
  for (;;) {
    const { payload } = await caller.next();
    if (payload.kind === "data" && payload.data.kind === "audit") found.push(payload.data.item);
    else {
      expect(payload).toEqual({ kind: "success", success: { kind: "empty" } });
      return found;
    }
  }
}

async function audit(place: Place, query: AuditQuery = all, target = ":"): Promise<readonly AuditItem[]> {
  const caller = await place.call("vmmd");
  caller.say(target, { kind: "command", command: { kind: "audit", query } });
  return items(caller);
}

async function auditOf(place: Place, levels: readonly Level[], query: AuditQuery = all): Promise<readonly AuditItem[]> {
  const caller = await place.call("chain");
  caller.ask(levels, "", { kind: "audit", query });
  return items(caller);
}

/** `alice:vm unikernel-create done`, and whose policies. */
function spell(found: readonly AuditItem[]): readonly string[] {
  return found.flatMap((item) => (item.kind === "entry" ? [spellEntry(item.entry)] : []));
}

function spellEntry({ name: about, command = "-", outcome, policies }: AuditEntry): string {
  const reason = outcome.kind === "refused" ? ` ${outcome.reason}` : "";
  const at = outcome.kind === "refused" && outcome.at !== undefined ? ` by ${printPath(outcome.at)}` : "";
  const which = policies.length === 0 ? "" : ` (${policies.map(printPath).join(" ")})`;
  return `${printName(about)} ${command} ${outcome.kind}${reason}${at}${which}`;
}

async function askChain(place: Place, levels: readonly Level[], label: string, command: Parameters<Caller["ask"]>[2]) {
  const caller = await place.call("chain");
  caller.ask(levels, label, command);
  return told(await caller.next());
}

test("the audit log has a local client with its uid and pid, a change by itself, a refusal with its reason", async () => {
  const place = openScripted(patient);
  await place.start();
  expect(await place.ask("alice:", { kind: "policy-add", policy: level("x").policy })).toBe("added policy");
  expect(await place.ask("alice:vm", { kind: "unikernel-destroy" })).toContain("refused");
  await place.infos();
  const found = await audit(place);
  expect(spell(found)).toEqual([
    ": start done",
    "alice: policy-add done (alice)",
    "alice:vm unikernel-destroy refused unikernel-not-found",
    ": unikernel-info done",
  ]);
  const second = found[1];
  const peer = { uid: process.getuid?.(), pid: process.pid };
  expect(second?.kind === "entry" ? second.entry.actor : undefined).toEqual({ kind: "local", peer });
});

scriptTest(
  "the audit log has a create as it begins and as it ends, each in its transaction",
  patient,
  async (place) => {
    await place.start();
    const alice = [level("alice", { unikernels: 1 })];
    const image = readGuest("hello.spt");
    const caller = await place.call("chain");
    caller.ask(alice, "vm", create(image));
    expect(told(await caller.next())).toBe("created unikernel");
    const copy = temporaryFolder();
    cpSync(join(place.dbdir, "store"), join(copy, "store"), { recursive: true });
    const killed = expectOk(await openStore(copy));
    expect(expectOk(checkStore(killed, undefined, undefined))).toMatchObject({ faults: [], entries: 4 });
    await killed.close();
    expect(await askChain(place, alice, "second", create(image))).toContain("refused");
    expect(await place.ask("alice:vm", { kind: "unikernel-destroy" })).toBe("destroyed unikernel");
    expect(spell(await audit(place, all, "alice:"))).toEqual([
      "alice:vm unikernel-create begun (alice)",
      "alice:vm unikernel-create begun",
      "alice:vm unikernel-create done",
      "alice:second unikernel-create refused limit by alice",
      "alice:vm unikernel-destroy done",
    ]);
  },
);

test("the audit log has what a block device is asked for before and after it is done", async () => {
  const place = openScripted(patient);
  await place.start();
  expect(await place.ask("disk", { kind: "block-add", size: 1, form: "current" })).toBe("added block device");
  expect(await place.ask("disk", { kind: "block-remove" })).toBe("removed block");
  expect(spell(await audit(place)).slice(1)).toEqual([
    ":disk block-add begun",
    ":disk block-add done",
    ":disk block-remove begun",
    ":disk block-remove done",
  ]);
});

test("the audit log names the path that is locked, and can still be read when somebody asked for one that no entry spells", async () => {
  const place = openScripted(patient);
  await place.start();
  const alice = [level("alice")];
  const deep = name("x:".repeat(64)).path;
  await askChain(place, alice, "", { kind: "lock", path: name("bob:").path });
  await askChain(place, alice, "", { kind: "unlock", path: deep });
  expect(spell(await audit(place)).slice(1)).toEqual([
    "alice:bob: lock done (alice)",
    "alice: unlock refused lock-too-deep",
  ]);
});

test("a delegate sees of the audit log what is at and below his path, and verifies the rest by its hashes", async () => {
  const place = openScripted(patient);
  await place.start();
  const [alice, bob] = [level("alice"), level("bob")];
  await askChain(place, [alice], "a", { kind: "unikernel-destroy" });
  await askChain(place, [alice, bob], "b", { kind: "status" });
  await askChain(place, [level("carol")], "c", { kind: "status" });
  expect(spell(await auditOf(place, [alice, bob]))).toEqual(["alice:bob:b status done (alice alice:bob)"]);
  expect(spell(await auditOf(place, [alice], { ...all, outcome: "refused" }))).toEqual([
    "alice:a unikernel-destroy refused unikernel-not-found",
  ]);
  const [first, ...segments] = await auditOf(place, [alice], { proof: true });
  if (first?.kind !== "checkpoint") throw new Error("no checkpoint");
  const check = new AuditCheck(first.checkpoint);
  for (const item of segments) if (item.kind === "segment") check.take(item.segment);
  const verdict = check.finish();
  expect(verdict).toMatchObject({ faults: [], entries: 4 });
  expect(verdict.veiled).toBe(verdict.checkpoint.number - 4);
});

test("the audit log is filtered by time, outcome and number", async () => {
  const place = openScripted(patient);
  await place.start();
  for (let at = 0; at < 5; at++) await place.ask(`gone${at}`, { kind: "unikernel-destroy" });
  await audit(place);
  const later = Date.now() + 1000;
  expect(await audit(place, { proof: false, since: later })).toEqual([]);
  expect(await audit(place, { proof: false, until: 1000 })).toEqual([]);
  expect(spell(await audit(place, { proof: false, until: later, outcome: "refused", limit: 2 }))).toEqual([
    ":gone3 unikernel-destroy refused unikernel-not-found",
    ":gone4 unikernel-destroy refused unikernel-not-found",
  ]);
});

test("what the endpoint refuses is in the audit log in its word, and nothing else is taken from it", async () => {
  const place = openScripted(patient);
  await place.start();
  const caller = await place.call("chain");
  const entry: AuditEntry = {
    time: 0,
    actor: { kind: "endpoint", address: "192.0.2.1" },
    name: name("alice:"),
    policies: [],
    outcome: { kind: "refused", reason: "path" },
  };
  const say = (one: AuditEntry): void =>
    caller.say(":", { kind: "data", data: { kind: "audit", item: { kind: "entry", number: 0, entry: one } } });
  say(entry);
  say({ ...entry, outcome: { kind: "done" } });
  expect(told(await caller.next())).toBe("refused: this socket takes requests of verified chains");
  const found = await audit(place);
  expect(spell(found).slice(1)).toEqual([": - refused path"]);
});

test("a delegate whose policy makes room for another's is told so, and the other one not of whom", async () => {
  const place = openScripted(patient);
  await place.start({ limits: { ...usualDaemonLimits, delegations: 8 } });
  const names = ["carl", "d2", "d3", "d4", "d5", "d6", "d7", "d8", "bob"];
  for (const one of names) {
    expect(await askChain(place, [level("alice"), level(one)], "", { kind: "locks" })).toBe("success");
  }
  expect(spell(await auditOf(place, [level("alice"), level("bob")]))).toEqual(["alice:bob: locks done (alice:bob)"]);
  expect(spell(await audit(place, all, "alice:carl:"))).toEqual([
    "alice:carl: locks done (alice alice:carl)",
    "alice:carl: evict done (alice:carl)",
  ]);
});

test("a log that the next daemon finds whole goes on, with the end of the one before in it", async () => {
  const place = openScripted(patient);
  const first = await place.start();
  await first.stop();
  await place.start();
  expect(spell(await audit(place))).toEqual([": start done", ": stop done", ": start done"]);
  expect(place.log).not.toContain("not as it was left");
});
