/**
 * What the audit log is told of the supervisor's requests, and when: of a
 * change before it is given to the store, of an end before it is answered.
 *
 * @module
 */
import { type Actor, type AuditOutcome, outcomeOf } from "../core/audit.ts";
import type { Command } from "../core/command.ts";
import { isWithin, type Name, type Path } from "../core/name.ts";
import { findUnikernel } from "../core/resources.ts";
import type { ClientId, Effect, Event, Reply, State, StoreChange } from "../core/state.ts";
import type { AuditLog, Told } from "./audit_log.ts";

/** A request, and whose it is. */
export interface Asked {
  readonly name: Name;
  readonly command: Command["kind"];
  /** Whether it changes what lasts, where it is carried out. */
  readonly changes: boolean;
  /** The first-level delegate; empty for local clients. */
  readonly delegate: string;
  /** Looked for only where it is written. */
  readonly actor: () => Actor;
}

export class Ledger {
  readonly #log: AuditLog;
  readonly #asked: (client: ClientId) => Asked | undefined;
  /** Those whose entry is written already. */
  readonly #told: WeakSet<Reply> = new WeakSet();

  /** @param asked - what a client asked for that waits for its reply */
  constructor(log: AuditLog, asked: (client: ClientId) => Asked | undefined) {
    this.#log = log;
    this.#asked = asked;
  }

  /**
   * Something is about to be stored: told is what will be answered for it, or else that it has begun.
   *
   * @param ahead - what comes behind it
   * @param client - whose request it is for
   */
  change(stored: readonly StoreChange[], ahead: readonly Effect[], client: ClientId | undefined): void {
    let policies = stored.flatMap((change) => (change.kind === "policy" ? [change.path] : []));
    let told = false;
    for (const effect of ahead) {
      if (effect.kind !== "reply" || this.#told.has(effect.reply)) continue;
      const asked = this.#asked(effect.client);
      if (asked === undefined) continue;
      this.#told.add(effect.reply);
      this.#tell(asked, outcomeOf(effect.reply), policies);
      policies = [];
      told ||= effect.client === client;
    }
    const asked = client === undefined || told ? undefined : this.#asked(client);
    if (asked !== undefined) this.#tell(asked, { kind: "begun" }, policies);
  }

  /** Policies that made room for others' are told of apart: each reader sees what is about his own. */
  #tell(asked: Asked, outcome: AuditOutcome, policies: readonly Path[]): void {
    const own = policies.filter((path) => isWithin(path, asked.name.path));
    this.#log.tell(toldOf(asked, outcome, own));
    for (const path of policies) {
      if (!own.includes(path)) this.#log.tell({ ...eviction, name: { path }, policies: [path] });
    }
  }

  /** A change that no transaction holds is about to be made. @returns whether anybody asked for it */
  begin(client: ClientId): boolean {
    const asked = this.#asked(client);
    if (asked !== undefined) this.#log.tell(toldOf(asked, { kind: "begun" }));
    return asked !== undefined;
  }

  /** A request is about to be answered. @returns whether that must be on the disk before */
  end(client: ClientId, reply: Reply): boolean {
    const asked = this.#asked(client);
    if (asked === undefined || this.#told.has(reply)) return false;
    const outcome = outcomeOf(reply);
    if (!(asked.changes && reply.ok)) {
      this.#log.note(asked.delegate, () => toldOf(asked, outcome));
      return false;
    }
    this.#log.tell(toldOf(asked, outcome));
    return true;
  }
}

const eviction = { actor: { kind: "daemon" }, command: "evict", outcome: { kind: "done" } } as const;

export function toldOf({ actor, name, command }: Asked, outcome: AuditOutcome, policies: readonly Path[] = []): Told {
  return { actor: actor(), name, command, policies, outcome };
}

/** Whose request an event goes on with. */
export function askerOf(state: State, event: Event): ClientId | undefined {
  switch (event.kind) {
    case "request":
    case "revoked":
      return event.client;
    case "prepared":
      return findUnikernel(state.resources, event.name)?.unikernel.change?.client;
    default:
      return undefined;
  }
}
