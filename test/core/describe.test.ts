import { expect, test } from "vitest";
import {
  describeExcess,
  describeHappening,
  describeNameError,
  describePath,
  describeRefusal,
  describeUnusable,
} from "../../src/core/describe.ts";
import type { NameError } from "../../src/core/name.ts";
import { type PolicyExcess, type Unusable, unlimited } from "../../src/core/policy.ts";
import type { Refusal } from "../../src/core/refusal.ts";
import { name, path } from "./fixture.ts";

/** One of each kind: does not compile while one is missing. */
type OneOfEach<T extends { readonly kind: string }> = { readonly [K in T["kind"]]: T & { readonly kind: K } };

const vm = name("alice/vm");
const mac = Uint8Array.of(0, 0x80, 0x41, 0, 0, 1);
const alice = path("alice");
const revoked = {
  kind: "certificate-revoked",
  whose: { kind: "delegate", path: alice },
  serial: "0a0b",
  time: 0,
  issuer: "root",
  number: 7n,
} as const;
const refusals: OneOfEach<Refusal> = {
  "not-permitted": { kind: "not-permitted", permission: "destroy", permitted: ["info", "console"], path: alice },
  "certificate-revoked": revoked,
  "revocations-stale": { kind: "revocations-stale", issuer: "root", number: 7n, nextUpdate: 0 },
  "revocations-older": { kind: "revocations-older", issuer: "root", number: 7n, known: 8n },
  "revocations-foreign": { kind: "revocations-foreign", issuer: "root" },
  "revocations-bad": { kind: "revocations-bad", problem: "it has no number" },
  "too-many-lists": { kind: "too-many-lists", path: alice, limit: 1111 },
  held: { kind: "held", path: path("alice/bob"), why: revoked },
  locked: { kind: "locked", path: path("alice/bob"), owner: alice },
  "locked-above": { kind: "locked-above", path: path("alice/bob"), owner: alice },
  "lock-not-below": { kind: "lock-not-below", path: alice },
  "lock-not-found": { kind: "lock-not-found", path: alice },
  "lock-too-deep": { kind: "lock-too-deep", depth: 2222, limit: 1111 },
  "too-many-locks": { kind: "too-many-locks", path: alice, limit: 1111 },
  limit: { kind: "limit", path: alice, resource: "memory", limit: 1111, used: 2222, asked: 3333 },
  "block-not-allowed": { kind: "block-not-allowed", path: alice, asked: 3333 },
  "cpuids-not-allowed": { kind: "cpuids-not-allowed", path: alice, allowed: [1111], asked: [3333] },
  "bridges-not-allowed": { kind: "bridges-not-allowed", path: alice, allowed: ["lan"], asked: ["wan"] },
  "policy-exceeds": {
    kind: "policy-exceeds",
    path: path("alice/bob"),
    above: alice,
    excess: { kind: "memory", limit: 1111, asked: 3333 },
  },
  "too-many-delegations": { kind: "too-many-delegations", path: alice, limit: 1000 },
  "policy-outdated": { kind: "policy-outdated", path: alice, seconds: 1111 },
  "policy-not-found": { kind: "policy-not-found", path: alice },
  "root-policy-stays": { kind: "root-policy-stays" },
  "unikernel-exists": { kind: "unikernel-exists", name: vm },
  "unikernel-not-found": { kind: "unikernel-not-found", name: vm },
  "unikernel-busy": { kind: "unikernel-busy", name: vm, doing: "create" },
  "overtaken-by-destroy": { kind: "overtaken-by-destroy", name: vm },
  "block-exists": { kind: "block-exists", name: vm },
  "block-not-found": { kind: "block-not-found", name: vm },
  "block-in-use": { kind: "block-in-use", name: name("alice/data"), by: vm },
  "block-busy": { kind: "block-busy", name: vm },
  "block-twice": { kind: "block-twice", device: "data" },
  "block-too-small": { kind: "block-too-small", size: 1111 },
  "block-content-broken": { kind: "block-content-broken", problem: "the stream ended early" },
  "block-size-zero": { kind: "block-size-zero" },
  "block-name-invalid": { kind: "block-name-invalid", device: "_" },
  "label-needed": { kind: "label-needed", path: alice },
  "typ-unsupported": { kind: "typ-unsupported", typ: "bhyve" },
  "cpuids-empty": { kind: "cpuids-empty" },
  "memory-zero": { kind: "memory-zero" },
  "arguments-too-long": { kind: "arguments-too-long", length: 9999, limit: 8191 },
  "argument-not-text": { kind: "argument-not-text", index: 2 },
  "settings-too-many": { kind: "settings-too-many", what: "codes", count: 3333, limit: 1111 },
  "boot-partition-too-long": { kind: "boot-partition-too-long", length: 3333, limit: 1111 },
  "mac-taken": { kind: "mac-taken", bridge: "service", mac, by: vm },
  "devices-differ": { kind: "devices-differ", type: "net", declared: ["a", "b"], given: ["c"] },
  "image-too-large": { kind: "image-too-large", limit: 1111 },
  "image-broken": { kind: "image-broken", problem: "the stream ended early" },
  "image-not-solo5": { kind: "image-not-solo5", problem: "no ELF header" },
  "image-damaged": { kind: "image-damaged" },
  "target-unsupported": { kind: "target-unsupported", target: "muen" },
  "tender-not-offered": { kind: "tender-not-offered", tender: "virtio", offered: ["hvt", "spt"] },
  "tender-missing": { kind: "tender-missing", tender: "hvt", abi: 2 },
  "tender-wrong-abi": { kind: "tender-wrong-abi", tender: "hvt", abi: 2 },
  "tender-unusable": { kind: "tender-unusable", tender: "hvt", problem: "it does not start" },
  "command-unsupported": { kind: "command-unsupported", command: "stats-add" },
  "shutting-down": { kind: "shutting-down" },
  "unikernel-unkillable": { kind: "unikernel-unkillable", name: vm },
  "health-too-long": { kind: "health-too-long", within: 500_000, limit: 240_000 },
  "pattern-bad": { kind: "pattern-bad", at: 3 },
  unhealthy: { kind: "unhealthy", within: 30_000 },
  "probe-bad": { kind: "probe-bad" },
  "probe-without-bridge": { kind: "probe-without-bridge" },
  "probe-unfit": { kind: "probe-unfit", fault: { kind: "probe-elsewhere", address: "127.0.0.1", bridges: ["br0"] } },
  "ended-at-once": { kind: "ended-at-once", status: { kind: "exited", code: 1 } },
  "start-failed": {
    kind: "start-failed",
    cause: { kind: "ended-at-once", status: { kind: "signalled", signal: 11 } },
    outcome: "old-runs",
  },
  "too-many-requests": { kind: "too-many-requests", limit: 1111 },
  "client-gone": { kind: "client-gone" },
  "made-room": { kind: "made-room", limit: 16_384 },
  "too-many-downloads": { kind: "too-many-downloads", limit: 8 },
  "host-failed": { kind: "host-failed", doing: "making a tap device", problem: "no such bridge" },
  "not-stored": { kind: "not-stored", problem: "store full" },
};

const excesses: OneOfEach<PolicyExcess> = {
  unikernels: { kind: "unikernels", limit: 1, asked: unlimited },
  memory: { kind: "memory", limit: 1111, asked: 3333 },
  block: { kind: "block", limit: 1111, asked: 3333 },
  "block-not-allowed": { kind: "block-not-allowed", asked: 3333 },
  cpuids: { kind: "cpuids", allowed: [], asked: [1] },
  bridges: { kind: "bridges", allowed: ["lan"], asked: ["wan"] },
};

const unusables: OneOfEach<Unusable> = {
  "no-unikernels": { kind: "no-unikernels" },
  "no-cpuids": { kind: "no-cpuids" },
  "too-little-memory": { kind: "too-little-memory", memory: 16 },
  "negative-block": { kind: "negative-block", block: -1 },
};

const nameErrors: OneOfEach<NameError> = {
  "label-empty": { kind: "label-empty" },
  "label-too-long": { kind: "label-too-long", length: 64 },
  "label-bad-character": { kind: "label-bad-character", label: "a_b", at: 1 },
  "name-empty": { kind: "name-empty" },
  "path-too-deep": { kind: "path-too-deep", depth: 65 },
};

const sentences: readonly (readonly [string, string])[] = [
  ...Object.values(refusals).map((one) => [one.kind, describeRefusal(one)] as const),
  ...Object.values(excesses).map((one) => [one.kind, describeExcess(one)] as const),
  ...Object.values(unusables).map((one) => [one.kind, describeUnusable(one)] as const),
  ...Object.values(nameErrors).map((one) => [one.kind, describeNameError(one)] as const),
];

test.for(sentences)("describe makes one line of words without a full stop of %s", ([, sentence]) => {
  expect(sentence).toMatch(/^\S[^\n]*[^\s.!,;:]$/);
  expect(sentence).not.toMatch(/undefined|object Object|NaN|Infinity| {2}|[a-z]\. /);
});

test("describeRefusal says something else of every kind", () => {
  expect(new Set(Object.values(refusals).map(describeRefusal)).size).toBe(Object.keys(refusals).length);
});

/** Every number and name inside a refusal. */
function facts(value: unknown): readonly string[] {
  if (typeof value === "number") return [String(value)];
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    if (key === "path" || key === "above") return [(inner as readonly string[]).join(":")];
    return key === "name" || key === "by" ? [`:${String(Reflect.get(Object(inner), "label"))}`] : facts(inner);
  });
}

test.for(Object.values(refusals).filter(({ kind }) => kind !== "argument-not-text"))(
  "describeRefusal names every number, path and name of $kind",
  (refusal) => {
    for (const fact of facts(refusal)) expect(describeRefusal(refusal)).toContain(fact);
  },
);

test.for([
  [
    { kind: "limit", path: alice, resource: "unikernels", limit: 2, used: 2, asked: 1 },
    "cannot exceed the policy of alice: 2 unikernels allowed, 2 used, 1 more asked for",
  ],
  [
    { kind: "limit", path: [], resource: "unikernels", limit: 1, used: 1, asked: 1 },
    "cannot exceed the policy of the host: 1 unikernel allowed, 1 used, 1 more asked for",
  ],
  [
    { kind: "limit", path: path("alice/bob"), resource: "block", limit: 9, used: 8, asked: 2 },
    "cannot exceed the policy of alice:bob: 9 MB of block storage allowed, 8 used, 2 more asked for",
  ],
  [
    { kind: "devices-differ", type: "net", declared: [], given: ["a", "b"] },
    "the image's manifest declares no net device, given are net a, b",
  ],
  [
    { kind: "devices-differ", type: "block", declared: ["a"], given: [] },
    "the image's manifest declares block a, given is no block device",
  ],
  [
    { ...revoked, time: Date.UTC(2024, 1, 29, 23, 5, 9) },
    "the certificate of alice (serial number 0a0b) was revoked at 2024-02-29T23:05:09Z, says revocation list 7 of root",
  ],
  [
    { kind: "revocations-stale", issuer: "root", number: 7n, nextUpdate: Date.UTC(2100, 2, 1) },
    "revocation list 7 of root was good until 2100-03-01T00:00:00Z: nobody whose certificate root signed is let in before there is a newer one",
  ],
  [{ kind: "locked", path: path("alice/bob"), owner: [] }, "alice:bob is locked by the host"],
  [{ kind: "argument-not-text", index: 2 }, "argument 3 holds a byte that no command line can carry"],
] satisfies (readonly [Refusal, string])[])("describeRefusal puts %o as: %s", ([refusal, sentence]) => {
  expect(describeRefusal(refusal)).toBe(sentence);
});

test("describeExcess says any number where no limit bounds", () => {
  expect(describeExcess(excesses.unikernels)).toBe("any number of unikernels asked for, 1 unikernel allowed");
});

test("describePath calls the root path the host", () => {
  expect([path("alice/bob"), []].map(describePath)).toEqual(["alice:bob", "the host"]);
});

test("describeHappening tells what happened, of an end the status and when it is started again", () => {
  const ended = { kind: "ended", failures: 3 } as const;
  expect(describeHappening({ ...ended, status: { kind: "exited", code: 7 }, delay: 4000 })).toBe(
    "ended with status 7, started again in 4 s (end 3 in a row)",
  );
  expect(describeHappening({ ...ended, status: { kind: "signalled", signal: 11 } })).toBe("ended by signal 11");
  expect(describeHappening({ ...ended, status: { kind: "unknown" } })).toBe("ended with an unknown status");
  expect(describeHappening({ kind: "restarted" })).toBe("restarted");
});
