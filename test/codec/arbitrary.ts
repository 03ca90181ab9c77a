import fc from "fast-check";
import { decodeText } from "../../src/codec/text.ts";
import type { Payload, Wire } from "../../src/codec/wire.ts";
import type { ChainRequest, Command, InfoForm, Level, Success } from "../../src/core/command.ts";
import { type Explanation, uncheckable } from "../../src/core/explanation.ts";
import type { Happening } from "../../src/core/happening.ts";
import { type Label, type Name, parseLabel } from "../../src/core/name.ts";
import { permissions } from "../../src/core/permission.ts";
import { type Policy, sortedSet, unlimited } from "../../src/core/policy.ts";
import type { ExitStatus } from "../../src/core/restart.ts";
import type { Interface, Statistics, Timeval } from "../../src/core/statistics.ts";
import type { Image, Settings, UnikernelConfig, UnikernelInfo } from "../../src/core/unikernel.ts";

const natural = fc.oneof(fc.nat(3), fc.nat(70_000), fc.maxSafeNat());
const integer = fc.oneof(fc.integer({ min: -300, max: 300 }), fc.maxSafeInteger());
const count = fc.oneof(natural, fc.constant(unlimited));
const bytes = fc.uint8Array({ maxLength: 200 });
const sha256 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const mac = fc.uint8Array({ minLength: 6, maxLength: 6 });

/** Few letters, so that texts collide; and any bytes, which need not be UTF-8. */
const text: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom("", "a", "b", "service", "Grüße ✓ 🐦"),
  fc.uint8Array({ maxLength: 12 }).map(decodeText),
);
const texts = fc.array(text, { maxLength: 4 });

/** Milliseconds, years 0 to 9999. */
export const time: fc.Arbitrary<number> = fc.oneof(
  fc.integer({ min: -62_167_219_200_000, max: 253_402_300_799_999 }),
  fc.integer({ min: -62_167_219_200, max: 253_402_300_799 }).map((seconds) => seconds * 1000),
);

function toLabel(spelled: string): Label {
  const parsed = parseLabel(spelled);
  if (!parsed.ok) throw new Error(spelled);
  return parsed.value;
}

const label = fc.constantFrom("alice", "bob", "my.vm", "x".repeat(63), ".", "9-").map(toLabel);

export const name: fc.Arbitrary<Name> = fc.record(
  { path: fc.array(label, { maxLength: 4 }), label },
  { requiredKeys: ["path"] },
);

const cpuids = fc.array(natural, { maxLength: 4 }).map((items) => sortedSet(items));

export const policy: fc.Arbitrary<Policy> = fc.record(
  { unikernels: count, cpuids, memory: natural, block: natural, bridges: texts.map((items) => sortedSet(items)) },
  { requiredKeys: ["unikernels", "cpuids", "memory", "bridges"] },
);

const settings: fc.Arbitrary<Settings> = fc.record(
  {
    failBehaviour: fc.oneof(
      fc.constant({ kind: "quit" as const }),
      fc.record({
        kind: fc.constant("restart" as const),
        codes: fc.array(integer, { maxLength: 4 }).map((items) => sortedSet(items)),
      }),
    ),
    startup: integer,
    addName: fc.boolean(),
    cpuids,
    memory: natural,
    blocks: fc.array(fc.record({ name: text, device: text, sectorSize: natural }, { requiredKeys: ["name"] }), {
      maxLength: 3,
    }),
    bridges: fc.array(fc.record({ netif: text, bridge: text, mac }, { requiredKeys: ["netif"] }), { maxLength: 3 }),
    arguments: texts,
    cpus: natural,
    linuxBootPartition: text,
  },
  { requiredKeys: ["failBehaviour", "addName", "cpuids", "memory", "blocks", "bridges", "cpus"] },
);

const typ = fc.constantFrom("solo5" as const, "bhyve" as const);

export const config: fc.Arbitrary<UnikernelConfig> = fc
  .tuple(settings, typ)
  .map(([rest, kind]) => ({ ...rest, typ: kind }));

export const image: fc.Arbitrary<Image> = fc.record({ compressed: fc.boolean(), bytes });

const level = fc.nat(9);
const form = fc.constantFrom("old" as const, "current" as const);
const infoForm = fc.constantFrom<InfoForm>("old4", "old5", "current");

function kind<K extends string>(name: K): { readonly kind: fc.Arbitrary<K> } {
  return { kind: fc.constant(name) };
}

const plainCommand: fc.Arbitrary<Command> = fc.oneof(
  fc.constantFrom<Command>(
    { kind: "console-list-inactive" },
    { kind: "stats-remove" },
    { kind: "stats-subscribe" },
    { kind: "stats-initial" },
    { kind: "unikernel-destroy" },
    { kind: "unikernel-restart" },
    { kind: "policy-info" },
    { kind: "policy-remove" },
    { kind: "block-info" },
    { kind: "block-remove" },
  ),
  fc.record({ ...kind("console-add"), count }),
  fc.record({
    ...kind("console-subscribe"),
    from: fc.oneof(fc.record({ ...kind("since"), time }), fc.record({ ...kind("count"), count })),
  }),
  fc.record({
    ...kind("stats-add"),
    vmmdev: text,
    pid: natural,
    network: fc.array(fc.record({ bridge: text, tap: text }), { maxLength: 3 }),
  }),
  fc.record({ ...kind("unikernel-info"), form: infoForm }),
  fc.record({ ...kind("unikernel-create"), config, image, replace: fc.boolean() }),
  fc.record({
    ...kind("unikernel-create"),
    ...{ config, image, replace: fc.boolean() },
    health: fc.record({ within: natural, pattern: fc.string(), probe: fc.string() }, { requiredKeys: ["within"] }),
  }),
  fc.record({ ...kind("unikernel-restart"), settings }),
  fc.record({ ...kind("unikernel-get"), level }),
  fc.record({ ...kind("policy-add"), policy }),
  fc.record({ ...kind("block-add"), size: natural, form }),
  fc.record({ ...kind("block-add"), size: natural, data: image, form: fc.constant("old" as const) }),
  fc.record({ ...kind("block-set"), compressed: fc.boolean(), data: bytes }, { requiredKeys: ["kind", "compressed"] }),
  fc.record({ ...kind("block-dump"), level, form }),
  fc.record({ ...kind("log-subscribe") }),
  fc.record({ ...kind("status") }),
  fc.record({ ...kind("push-crl"), crl: bytes, authority: bytes }),
  fc.record({ ...kind("lock"), path: fc.array(label, { maxLength: 4 }) }),
  fc.record({ ...kind("unlock"), path: fc.array(label, { maxLength: 4 }) }),
  fc.record({ ...kind("locks") }),
  fc.record({ ...kind("session"), allowed: fc.array(fc.string()), end: time }, { requiredKeys: ["kind"] }),
);

export const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 4, arbitrary: plainCommand },
  { weight: 1, arbitrary: fc.record({ ...kind("explain"), command: plainCommand }) },
);

const info: fc.Arbitrary<UnikernelInfo> = fc
  .tuple(
    settings,
    typ,
    fc.record(
      {
        digest: bytes,
        blocks: fc.array(fc.record({ unikernelDevice: text, hostDevice: text, sectorSize: natural, size: natural }), {
          maxLength: 3,
        }),
        bridges: fc.array(fc.record({ unikernelDevice: text, hostDevice: text, mac }), { maxLength: 3 }),
        started: time,
      },
      { requiredKeys: ["digest", "blocks", "bridges"] },
    ),
  )
  .map(([{ addName: _, ...asked }, kindOf, told]) => ({ ...asked, typ: kindOf, ...told }));

/** What an older form keeps of an info. */
function inForm(told: UnikernelInfo, infoForm: InfoForm): UnikernelInfo {
  if (infoForm === "current") return told;
  const { startup, linuxBootPartition: _, ...kept } = told;
  const start = startup === undefined || infoForm === "old4" ? {} : { startup };
  return { ...kept, ...start, cpuids: [told.cpuids[0] ?? 0], cpus: 1 };
}

function named<T>(value: fc.Arbitrary<T>): fc.Arbitrary<{ readonly name: Name; readonly value: T }[]> {
  return fc.array(fc.record({ name, value }), { maxLength: 3 });
}

const exitStatus: fc.Arbitrary<ExitStatus> = fc.oneof(
  fc.record({ ...kind("exited"), code: fc.nat(255) }),
  fc.record({ ...kind("signalled"), signal: fc.nat(64) }),
  fc.record(kind("out-of-memory")),
  fc.record({ ...kind("unknown") }),
);

const permitted = fc.shuffledSubarray([...permissions]);

const path = fc.array(label, { maxLength: 4 });
const usage = fc.record({ unikernels: natural, memory: natural, block: natural });

const explanation: fc.Arbitrary<Explanation> = fc.record(
  {
    command: text,
    levels: fc.array(
      fc.record(
        {
          path,
          certificate: fc.record({ notBefore: time, notAfter: time, fingerprint: sha256 }),
          policy,
          given: policy,
          usage: fc.record({ used: usage, after: usage }),
          permissions: permitted,
          lockedBy: path,
        },
        { requiredKeys: ["path"] },
      ),
      { maxLength: 3 },
    ),
    permissions: permitted,
    refused: fc.record({ kind: text, text, path }, { requiredKeys: ["kind", "text"] }),
    unchecked: fc.subarray([...uncheckable]),
  },
  { requiredKeys: ["command", "levels", "unchecked"] },
);

const success: fc.Arbitrary<Success> = fc.oneof(
  fc.record({ ...kind("explanation"), explanation }),
  fc.record({ ...kind("empty") }),
  fc.record({ ...kind("string"), text }),
  fc.record({ ...kind("policies"), policies: named(policy) }),
  fc.record({
    ...kind("block-devices"),
    devices: named(fc.record({ size: natural, active: fc.boolean() })),
  }),
  fc.record({ ...kind("unikernel-image"), image }),
  fc.record({ ...kind("old-block-device-image"), image }),
  fc.record({ ...kind("block-device-image"), compressed: fc.boolean() }),
  infoForm.chain((chosen) =>
    fc.record({
      ...kind("unikernels"),
      form: fc.constant(chosen),
      unikernels: named(info.map((told) => inForm(told, chosen))),
    }),
  ),
  fc.record({ ...kind("consoles"), names: fc.array(name, { maxLength: 3 }) }),
  fc.record({
    ...kind("locks"),
    locks: named(fc.record({ owner: fc.array(label, { maxLength: 4 }), since: time })),
  }),
  fc.record({
    ...kind("statuses"),
    unikernels: named(
      fc.record(
        {
          info,
          phase: fc.constantFrom(...(["starting", "running", "stopping", "waiting", "held"] as const)),
          failures: natural,
          lastExit: exitStatus,
        },
        { requiredKeys: ["info", "phase", "failures"] },
      ),
    ),
  }),
);

const int64 = fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n });
const int32 = fc.nat(0xffffffff);
const timeval: fc.Arbitrary<Timeval> = fc.record({ seconds: int64, microseconds: natural });

const interfaceCounters: fc.Arbitrary<Interface> = fc.record({
  bridge: text,
  flags: int32,
  sendLength: int32,
  maxSendLength: int32,
  sendDrops: int32,
  mtu: int32,
  baudrate: int64,
  inputPackets: int64,
  inputErrors: int64,
  outputPackets: int64,
  outputErrors: int64,
  collisions: int64,
  inputBytes: int64,
  outputBytes: int64,
  inputMcast: int64,
  outputMcast: int64,
  inputDropped: int64,
  outputDropped: int64,
});

const statistics: fc.Arbitrary<Statistics> = fc.record(
  {
    rusage: fc.record({
      utime: timeval,
      stime: timeval,
      maxrss: int64,
      ixrss: int64,
      idrss: int64,
      isrss: int64,
      minflt: int64,
      majflt: int64,
      nswap: int64,
      inblock: int64,
      outblock: int64,
      msgsnd: int64,
      msgrcv: int64,
      nsignals: int64,
      nvcsw: int64,
      nivcsw: int64,
    }),
    interfaces: fc.array(interfaceCounters, { maxLength: 2 }),
    vmm: fc.array(fc.record({ key: text, value: int64 }), { maxLength: 2 }),
    memory: fc.record({
      vsize: int64,
      rss: int64,
      tsize: int64,
      dsize: int64,
      ssize: int64,
      runtime: int64,
      cow: natural,
      start: timeval,
    }),
  },
  { requiredKeys: ["rusage", "interfaces"] },
);

const certificateId = fc.record({
  issuer: sha256.map((digest) => Buffer.from(digest).toString("hex")),
  serial: fc.uint8Array({ minLength: 1, maxLength: 20 }).map((serial) => Buffer.from(serial).toString("hex")),
});

const chainLevel: fc.Arbitrary<Level> = fc.record(
  {
    label,
    policy,
    notBefore: time,
    notAfter: time,
    fingerprint: sha256,
    permissions: permitted,
    certificate: certificateId,
  },
  { requiredKeys: ["label", "policy", "notBefore", "notAfter", "fingerprint"] },
);

const request: fc.Arbitrary<ChainRequest> = fc.record(
  {
    levels: fc.array(chainLevel, { maxLength: 3 }),
    leaf: sha256,
    label,
    expires: time,
    command,
    imageFollows: fc.boolean(),
    permissions: permitted,
    certificates: fc.array(certificateId, { maxLength: 3 }),
  },
  { requiredKeys: ["levels", "leaf", "expires", "command", "imageFollows"] },
);

const happening: fc.Arbitrary<Happening> = fc.oneof(
  fc.record({ kind: fc.constantFrom("created" as const, "restarted" as const, "destroyed" as const, "held" as const) }),
  fc.record(
    { ...kind("ended"), status: exitStatus, failures: natural, delay: natural },
    { requiredKeys: ["kind", "status", "failures"] },
  ),
);

const payload: fc.Arbitrary<Payload> = fc.oneof(
  fc.record({ ...kind("command"), command }),
  fc.record({ ...kind("request"), request }),
  fc.record({ ...kind("success"), success }),
  fc.record({ ...kind("failure"), text }),
  fc.record({
    ...kind("data"),
    data: fc.oneof(
      fc.record({ ...kind("statistics"), statistics }),
      fc.record({ ...kind("console"), time, line: text }),
      fc.record({ ...kind("block-bytes"), bytes }),
      fc.record({ ...kind("block-end") }),
      fc.record({ ...kind("happening"), time, happening }),
    ),
  }),
);

export const wire: fc.Arbitrary<Wire> = fc.record({
  header: fc.record({ version: fc.constant(5 as const), sequence: int64, name }),
  payload,
});

interface Change {
  readonly kind: "set" | "insert" | "remove";
  readonly at: number;
  readonly byte: number;
}

const change: fc.Arbitrary<Change> = fc.record({
  kind: fc.constantFrom("set" as const, "insert" as const, "remove" as const),
  at: fc.nat(),
  byte: fc.oneof(fc.constantFrom(0x00, 0x80, 0xff, 0x30, 0x84), fc.nat(255)),
});

/** Bytes that `valid` gives, and what a few changes make of them. */
export function mutated(valid: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  return fc.tuple(valid, fc.array(change, { minLength: 1, maxLength: 4 })).map(([from, changes]) => {
    const changed = [...from];
    for (const { kind: what, at, byte } of changes) {
      changed.splice(at % (changed.length + 1), what === "insert" ? 0 : 1, ...(what === "remove" ? [] : [byte]));
    }
    return Uint8Array.from(changed);
  });
}
