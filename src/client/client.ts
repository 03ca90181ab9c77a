/**
 * A daemon for programs: its unikernels, policies, consoles and block devices.
 *
 * Names are as seen by whose authority is used: on the daemon's machine they
 * begin at the root, over TLS at the path of the certificates. What comes back
 * has full names. Every method throws FulmarError and nothing else of ours.
 *
 * @module
 */
import { inflate } from "../codec/zlib.ts";
import type { AuditOutcome } from "../core/audit.ts";
import type { Command, ConsoleStart } from "../core/command.ts";
import { describeRefusal } from "../core/describe.ts";
import { readHealth } from "../core/health.ts";
import type { Image } from "../core/unikernel.ts";
import { Blocks } from "./blocks.ts";
import { type Content, gather, openContent } from "./content.ts";
import { commandOf, type Explainable, type ExplainedCommand, explainedOf } from "./explained.ts";
import { problem } from "./problem.ts";
import { expectText, expectWord, Question } from "./question.ts";
import { fail, type Server } from "./server.ts";
import { Trust } from "./trust.ts";
import {
  type AuditRecord,
  auditRecordOf,
  type ConsoleLine,
  type LogEntry,
  type Measurement,
  type PathPolicy,
  type PolicyOptions,
  pathPolicyOf,
  policyOf,
  printFull,
  readName,
  readPath,
  type SettingsOptions,
  settingsOf,
  type Unikernel,
  unikernelOf,
} from "./values.ts";

export interface CreateOptions extends SettingsOptions {
  /** A Solo5 image. */
  readonly image: Content;
  /** Whether one that has the name goes; without it that is a refusal. */
  readonly replace?: boolean;
  /** zlib's level for the way; 0, no compression. */
  readonly compression?: number;
  /** Milliseconds that it must run before it counts as created; else what it replaces comes back. */
  readonly healthyAfter?: number;
  /** What it must show within them (half a minute): `console:PATTERN`, `tcp:[ADDRESS:]PORT`, `http://[ADDRESS]:PORT/PATH`. */
  readonly health?: string;
}

export interface Following {
  /** Ends it. */
  readonly signal?: AbortSignal;
}

/** Where a console begins: with so many last lines (20), or at a time. */
export interface ConsoleOptions extends Following {
  readonly count?: number;
  readonly since?: Date;
}

/** Which entries of the audit log: of a time, with an outcome alone, the newest so many. */
export interface AuditOptions extends Following {
  readonly since?: Date;
  /** Before it. */
  readonly until?: Date;
  readonly outcome?: AuditOutcome["kind"];
  readonly limit?: number;
}

export class Client {
  readonly blocks: Blocks;
  readonly trust: Trust;
  readonly #server: Server;
  readonly #question: Question;

  constructor(server: Server) {
    this.#server = server;
    this.#question = new Question(server);
    this.blocks = new Blocks(this.#question);
    this.trust = new Trust(this.#question);
  }

  /** One unikernel (none, where there is no such), or all at and below a path; without a name all. */
  async info(name: string = ":"): Promise<Unikernel[]> {
    const { header, success } = await this.#question.ask(readName(name), { kind: "unikernel-info", form: "current" });
    if (success.kind !== "unikernels") return expectWord(success.kind);
    return success.unikernels.map((unikernel) => unikernelOf(header.name, unikernel));
  }

  /** Resolves when it runs. */
  async create(name: string, options: CreateOptions): Promise<void> {
    const { compression = 0, replace = false } = options;
    const health = readHealth(options);
    if (!health.ok) return fail(problem("usage", describeRefusal(health.error)));
    const outgoing = await openContent(options.image, compression);
    try {
      const content = await gather(outgoing.pieces(), this.#server.whole);
      const whole = content instanceof Uint8Array;
      const image: Image = { compressed: compression > 0, bytes: whole ? content : new Uint8Array(0) };
      const config = { ...settingsOf(options), typ: "solo5" } as const;
      const command: Command = { kind: "unikernel-create", config, image, replace, ...health.value };
      const target = readName(name);
      expectText(await (whole ? this.#question.ask(target, command) : this.#question.send(target, command, content)));
    } finally {
      await outgoing.close();
    }
  }

  /** @param settings - absent: those that it has */
  async restart(name: string, settings?: SettingsOptions): Promise<void> {
    const some = settings === undefined ? {} : { settings: settingsOf(settings) };
    expectText(await this.#question.ask(readName(name), { kind: "unikernel-restart", ...some }));
  }

  /** What would become of a command, level by level; nothing is done. */
  async explain(name: string, what: Explainable): Promise<ExplainedCommand> {
    const command = { kind: "explain", command: commandOf(what) } as const;
    const { success } = await this.#question.ask(readName(name), command);
    return success.kind === "explanation" ? explainedOf(success.explanation) : expectWord(success.kind);
  }

  async destroy(name: string): Promise<void> {
    expectText(await this.#question.ask(readName(name), { kind: "unikernel-destroy" }));
  }

  /** The image. @param compression - zlib's level for the way; 0: none */
  async get(name: string, { compression = 0 }: { readonly compression?: number } = {}): Promise<Uint8Array> {
    const command = { kind: "unikernel-get", level: compression } as const;
    const { success } = await this.#question.send(readName(name), command);
    if (success.kind !== "unikernel-image") return expectWord(success.kind);
    const { compressed, bytes } = success.image;
    if (!compressed) return bytes;
    const inflated = inflate(bytes, largestImage);
    return inflated.ok ? inflated.value : fail(problem("communication", "the image is no whole zlib stream"));
  }

  /** What a unikernel printed, and what it prints. */
  async *console(name: string, options: ConsoleOptions = {}): AsyncGenerator<ConsoleLine, void, undefined> {
    const { count = 20, since, signal } = options;
    const from: ConsoleStart =
      since === undefined ? { kind: "count", count } : { kind: "since", time: since.getTime() };
    for await (const { data } of this.#question.subscribe(
      readName(name),
      { kind: "console-subscribe", from },
      signal,
    )) {
      if (data.kind === "console") yield { time: new Date(data.time), line: data.line };
    }
  }

  /** What unikernels use, again and again; each has a turn. */
  async *stats(name: string = ":", { signal }: Following = {}): AsyncGenerator<Measurement, void, undefined> {
    for await (const message of this.#question.subscribe(readName(name), { kind: "stats-subscribe" }, signal)) {
      const { data } = message;
      if (data.kind === "statistics") yield { name: printFull(message.name), statistics: data.statistics };
    }
  }

  /** What happens to unikernels, from now on. */
  async *log(name: string = ":", { signal }: Following = {}): AsyncGenerator<LogEntry, void, undefined> {
    for await (const message of this.#question.subscribe(readName(name), { kind: "log-subscribe" }, signal)) {
      const { data } = message;
      if (data.kind !== "happening") continue;
      yield { name: printFull(message.name), time: new Date(data.time), happening: data.happening };
    }
  }

  /** Who asked for what, and what became of it, the oldest first; of one name, or at and below a path; without a name all. */
  async *audit(name: string = ":", options: AuditOptions = {}): AsyncGenerator<AuditRecord, void, undefined> {
    const { since, until, outcome, limit, signal } = options;
    const query = {
      ...(since === undefined ? {} : { since: since.getTime() }),
      ...(until === undefined ? {} : { until: until.getTime() }),
      ...(outcome === undefined ? {} : { outcome }),
      ...(limit === undefined ? {} : { limit }),
      proof: false,
    };
    for await (const { data } of this.#question.subscribe(readName(name), { kind: "audit", query }, signal)) {
      if (data.kind === "audit" && data.item.kind === "entry") yield auditRecordOf(data.item.number, data.item.entry);
    }
  }

  /** At and below the path; without one all. */
  async policies(path: string = ""): Promise<PathPolicy[]> {
    const { header, success } = await this.#question.ask({ path: readPath(path) }, { kind: "policy-info" });
    if (success.kind !== "policies") return expectWord(success.kind);
    return success.policies.map((policy) => pathPolicyOf(header.name.path, policy));
  }

  /** On the daemon's machine only: elsewhere, policies come with certificates. */
  async addPolicy(path: string, policy: PolicyOptions): Promise<void> {
    const command = { kind: "policy-add", policy: policyOf(policy) } as const;
    expectText(await this.#question.ask({ path: readPath(path) }, command));
  }

  /** On the daemon's machine only. */
  async removePolicy(path: string): Promise<void> {
    expectText(await this.#question.ask({ path: readPath(path) }, { kind: "policy-remove" }));
  }

  /** Unikernels that are gone and whose consoles are kept. */
  async inactiveConsoles(path: string = ""): Promise<string[]> {
    const { header, success } = await this.#question.ask({ path: readPath(path) }, { kind: "console-list-inactive" });
    if (success.kind !== "consoles") return expectWord(success.kind);
    return success.names.map((name) => printFull({ ...name, path: [...header.name.path, ...name.path] }));
  }

  /** Ends everything that is under way; a program that does not close its client does not end. */
  async close(): Promise<void> {
    this.#server.close();
  }
}

/** Bytes. */
const largestImage: number = 1024 * 1024 * 1024;
