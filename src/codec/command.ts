/**
 * Commands on the wire: those of the console, of statistics and of policies, and the way to the others.
 *
 * @module
 */
import type { Command, ConsoleStart, Tap } from "../core/command.ts";
import type { Health } from "../core/health.ts";
import { unreachable } from "../core/result.ts";
import { readQuery, writeQuery } from "./audit.ts";
import { blockCommands, writeBlockCommand } from "./block_command.ts";
import { readConfig, writeConfig } from "./config.ts";
import type { Reader } from "./der.ts";
import {
  boolean,
  type Der,
  explicit,
  integer,
  nul,
  optionalExplicit,
  sequence,
  sequenceOf,
  text,
} from "./der_writer.ts";
import { readCount, readNatural, writeCount } from "./number.ts";
import { readPolicy, writePolicy } from "./policy.ts";
import { readGeneralizedTime, writeGeneralizedTime } from "./time.ts";
import { lockCommands, readPush, writeLockCommand, writePush } from "./trust_command.ts";
import { unikernelCommands, writeUnikernelCommand } from "./unikernel_command.ts";

/** Reads a command of protocol version 5. */
export function readCommand(reader: Reader): Command {
  return reader.choice(families);
}

export function writeCommand(command: Command): Der {
  switch (command.kind) {
    case "console-add":
    case "console-subscribe":
    case "console-list-inactive":
      return explicit(0, writeConsoleCommand(command));
    case "stats-add":
    case "stats-remove":
    case "stats-subscribe":
    case "stats-initial":
      return explicit(1, writeStatsCommand(command));
    case "unikernel-create":
      return command.health === undefined
        ? explicit(3, writeUnikernelCommand(command))
        : explicit(24, writeHealthyCreate(command, command.health));
    case "unikernel-info":
    case "unikernel-restart":
    case "unikernel-destroy":
    case "unikernel-get":
      return explicit(3, writeUnikernelCommand(command));
    case "policy-info":
    case "policy-add":
    case "policy-remove":
      return explicit(4, writePolicyCommand(command));
    case "block-info":
    case "block-add":
    case "block-remove":
    case "block-set":
    case "block-dump":
      return explicit(5, writeBlockCommand(command));
    case "status":
      return explicit(23, nul);
    case "session":
      return explicit(17, writeSession(command));
    case "log-subscribe":
      return explicit(18, nul);
    case "push-crl":
      return explicit(20, writePush(command));
    case "explain":
      return explicit(19, writeCommand(command.command));
    case "lock":
    case "unlock":
    case "locks":
      return explicit(21, writeLockCommand(command));
    case "audit":
      return explicit(22, writeQuery(command.query));
    default:
      return unreachable(command);
  }
}

/** Ours: SEQUENCE { allowed [0] SEQUENCE OF UTF8String OPTIONAL, end [1] GeneralizedTime OPTIONAL }. */
function writeSession({ allowed, end }: Extract<Command, { kind: "session" }>): Der {
  return sequence(
    optionalExplicit(0, allowed, (kinds) => sequenceOf(kinds, text)),
    optionalExplicit(1, end, writeGeneralizedTime),
  );
}

function readSession(reader: Reader): Command {
  return reader.sequence((inside) => {
    const allowed = inside.optionalExplicit(0, (kinds) => kinds.sequenceOf((kind) => kind.utf8()));
    const end = inside.optionalExplicit(1, readGeneralizedTime);
    return { kind: "session", ...(allowed === undefined ? {} : { allowed }), ...(end === undefined ? {} : { end }) };
  });
}

/** Ours: SEQUENCE { replace BOOLEAN, within Int (ms), console [0], probe [1] UTF8String OPTIONAL, the create's configuration }. */
function writeHealthyCreate(
  { config, image, replace }: Extract<Command, { kind: "unikernel-create" }>,
  { within, pattern, probe }: Health,
): Der {
  const signs = [optionalExplicit(0, pattern, text), optionalExplicit(1, probe, text)];
  return sequence(boolean(replace), integer(within), ...signs, writeConfig(config, image));
}

function readHealthyCreate(reader: Reader): Command {
  return reader.sequence((inside) => {
    const replace = inside.boolean();
    const within = readNatural(inside);
    const pattern = inside.optionalExplicit(0, (console) => console.utf8());
    const probe = inside.optionalExplicit(1, (asked) => asked.utf8());
    const health = { within, ...(pattern === undefined ? {} : { pattern }), ...(probe === undefined ? {} : { probe }) };
    return { kind: "unikernel-create", ...readConfig(inside, 5), replace, health };
  });
}

function writeConsoleCommand(command: Extract<Command, { kind: `console-${string}` }>): Der {
  switch (command.kind) {
    case "console-add":
      return explicit(0, writeCount(command.count));
    case "console-subscribe":
      return explicit(2, writeConsoleStart(command.from));
    case "console-list-inactive":
      return explicit(3, nul);
    default:
      return unreachable(command);
  }
}

function writeConsoleStart(from: ConsoleStart): Der {
  return from.kind === "since" ? explicit(0, writeGeneralizedTime(from.time)) : explicit(1, writeCount(from.count));
}

function writeStatsCommand(command: Extract<Command, { kind: `stats-${string}` }>): Der {
  switch (command.kind) {
    case "stats-add":
      return explicit(0, sequence(text(command.vmmdev), integer(command.pid), sequenceOf(command.network, writeTap)));
    case "stats-remove":
      return explicit(1, nul);
    case "stats-subscribe":
      return explicit(2, nul);
    case "stats-initial":
      return explicit(3, nul);
    default:
      return unreachable(command);
  }
}

function writePolicyCommand(command: Extract<Command, { kind: `policy-${string}` }>): Der {
  switch (command.kind) {
    case "policy-info":
      return explicit(0, nul);
    case "policy-add":
      return explicit(1, writePolicy(command.policy));
    case "policy-remove":
      return explicit(2, nul);
    default:
      return unreachable(command);
  }
}

function readTap(reader: Reader): Tap {
  return reader.sequence((inside) => ({ bridge: inside.text(), tap: inside.text() }));
}

function writeTap({ bridge, tap }: Tap): Der {
  return sequence(text(bridge), text(tap));
}

type Alternatives<T> = Readonly<Record<number, (reader: Reader) => T>>;

const consoleStarts: Alternatives<ConsoleStart> = {
  0: (reader) => ({ kind: "since", time: readGeneralizedTime(reader) }),
  1: (reader) => ({ kind: "count", count: readCount(reader) }),
};

const consoleCommands: Alternatives<Command> = {
  0: (reader) => ({ kind: "console-add", count: readCount(reader) }),
  2: (reader) => ({ kind: "console-subscribe", from: reader.choice(consoleStarts) }),
  3: (reader) => reader.null({ kind: "console-list-inactive" }),
};

const statsCommands: Alternatives<Command> = {
  0: (reader) =>
    reader.sequence((inside) => ({
      kind: "stats-add",
      vmmdev: inside.text(),
      pid: readNatural(inside),
      network: inside.sequenceOf(readTap),
    })),
  1: (reader) => reader.null({ kind: "stats-remove" }),
  2: (reader) => reader.null({ kind: "stats-subscribe" }),
  3: (reader) => reader.null({ kind: "stats-initial" }),
};

const policyCommands: Alternatives<Command> = {
  0: (reader) => reader.null({ kind: "policy-info" }),
  1: (reader) => ({ kind: "policy-add", policy: readPolicy(reader) }),
  2: (reader) => reader.null({ kind: "policy-remove" }),
};

/** Tag 2 was a log, which albatross dropped. */
const plain: Alternatives<Command> = {
  0: (reader) => reader.choice(consoleCommands),
  1: (reader) => reader.choice(statsCommands),
  3: (reader) => reader.choice(unikernelCommands),
  4: (reader) => reader.choice(policyCommands),
  5: (reader) => reader.choice(blockCommands),
  17: readSession,
  18: (reader) => reader.null({ kind: "log-subscribe" }),
  20: readPush,
  21: (reader) => reader.choice(lockCommands),
  22: (reader) => ({ kind: "audit", query: readQuery(reader) }),
  23: (reader) => reader.null({ kind: "status" }),
  24: readHealthyCreate,
};

/** An explained command is none that explains: what is read does not nest without end. */
const families: Alternatives<Command> = {
  ...plain,
  19: (reader) => ({ kind: "explain", command: reader.choice(plain) }),
};
