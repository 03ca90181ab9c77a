/**
 * A host of the tests' own: it carries the supervisor's effects out on paper,
 * and answers each when it is told to, well or badly. It holds the laws that
 * any host would notice: one guest a name, images there while in use, one
 * reply a client.
 */
import { expect } from "vitest";
import { boot, type Found, type Stored } from "../../src/core/boot.ts";
import type { Command, Level } from "../../src/core/command.ts";
import type { Name } from "../../src/core/name.ts";
import type { Policy } from "../../src/core/policy.ts";
import type { ExitStatus } from "../../src/core/restart.ts";
import type { RevocationList, RevocationRules } from "../../src/core/revocation.ts";
import type {
  ClientId,
  Effect,
  Event,
  Incarnation,
  Reply,
  Request,
  State,
  Step,
  StoredUnikernel,
} from "../../src/core/state.ts";
import { step } from "../../src/core/supervisor.ts";
import { spell, spellName } from "./naive.ts";

type Of<K extends Effect["kind"]> = Extract<Effect, { readonly kind: K }>;
type BlockWork = Of<"create-block" | "remove-block" | "fill-block" | "read-block">;
type Pending = Of<"prepare"> | Of<"start"> | Of<"stop"> | Of<"timer"> | Of<"trial"> | BlockWork;

export interface Guest {
  readonly name: Name;
  readonly incarnation: Incarnation;
  readonly started: boolean;
}

/** How the host answers. */
export interface Manner {
  readonly fine: boolean;
  /** Which image the client sent. */
  readonly image: number;
  /** Last byte of the derived MAC addresses. */
  readonly mac: number;
  /** Whether the image declares the devices that are given. */
  readonly declares: boolean;
  readonly status: ExitStatus;
  /** Whether the kernel lets go of what is stopped; absent: it does. */
  readonly stuck?: boolean;
}

export const well: Manner = {
  fine: true,
  image: 1,
  mac: 1,
  declares: true,
  status: { kind: "exited", code: 0 },
};

type Watch = (before: State, event: Event, after: Step, host: FakeHost) => void;

const failed = { kind: "host-failed", doing: "the test", problem: "told to fail" } as const;

export class FakeHost {
  state: State;
  now = 0;
  pending: Pending[] = [];
  readonly policies = new Map<string, { readonly policy: Policy; readonly notBefore: number }>();
  /** How new those were that went. */
  readonly past = new Map<string, number>();
  readonly unikernels = new Map<string, { readonly name: Name; readonly record: StoredUnikernel }>();
  /** How often each image, by its first byte, is in use. */
  readonly uses = new Map<number, number>();
  readonly guests = new Map<number, Guest>();
  readonly asked = new Map<ClientId, { readonly name: Name; readonly command: Command }>();
  readonly replies = new Map<ClientId, Reply>();
  /** Unikernels that somebody was told of as created, and that neither ended for good nor were to be destroyed since. */
  readonly acknowledged = new Set<string>();
  /** What an earlier daemon left. */
  readonly left: Map<string, Found>;
  readonly #watch: Watch;

  constructor(
    root: Policy,
    watch: Watch = () => {},
    stored: Stored = { policies: [], unikernels: [], blocks: [] },
    found: readonly Found[] = [],
    rules?: RevocationRules,
  ) {
    this.#watch = watch;
    this.left = new Map(found.map((one) => [spellName(one.name), one]));
    for (const one of stored.unikernels) this.unikernels.set(spellName(one.name), one);
    const first = boot(root, stored, found, rules);
    this.state = first.state;
    for (const effect of [...first.before, ...first.effects]) this.#perform(effect);
  }

  /** Sends a request, and returns its client. */
  ask(name: Name, command: Command, levels: readonly Level[] = [], now: number = this.now): ClientId {
    const client = this.asked.size + 1;
    this.asked.set(client, { name, command });
    if (command.kind === "unikernel-destroy") this.acknowledged.delete(spellName(name));
    this.tell({ kind: "request", client, request: { name, command, levels }, now });
    return client;
  }

  /** Sends a revocation list, as the host's own people or as a chain. */
  push(list: RevocationList, chain: Pick<Request, "levels" | "certificates"> = { levels: [] }): ClientId {
    const client = this.asked.size + 1;
    const command = { kind: "push-crl", crl: new Uint8Array(), authority: new Uint8Array() } as const;
    const request = { name: { path: chain.levels.map(({ label }) => label) }, command, ...chain };
    this.asked.set(client, request);
    this.tell({ kind: "revoked", client, request, list, crl: command.crl, now: this.now });
    return client;
  }

  tell(event: Event): void {
    const before = this.state;
    const after = step(before, event);
    this.state = after.state;
    for (const effect of after.effects) this.#perform(effect);
    this.#watch(before, event, after, this);
  }

  /** Answers one of the effects that wait, if any does. */
  answer(pick: number, how: Manner = well): void {
    const at = this.pending.length === 0 ? -1 : pick % this.pending.length;
    const effect = this.pending[at];
    if (effect === undefined) return;
    this.pending.splice(at, 1);
    this.#answer(effect, how);
  }

  /** Has one of the guests end by itself, if one runs. */
  end(pick: number, status: ExitStatus): void {
    const running = [...this.guests].filter(([, guest]) => guest.started);
    const [run] = running[pick % Math.max(1, running.length)] ?? [];
    if (run !== undefined) this.#exit(run, status);
  }

  /** Answers all that waits, and what comes of it, until nothing does. `endless` are the timers of what cannot start. */
  settle(how: Manner = well): void {
    for (let left = 5000; this.pending.length > 0; left--) {
      expect(left, "the host is never left in peace").toBeGreaterThan(0);
      this.answer(0, { ...how, mac: 100 + (left % 100) });
    }
  }

  replyTo(client: ClientId): Reply | undefined {
    return this.replies.get(client);
  }

  runningNames(): readonly string[] {
    return [...this.guests.values()].map(({ name }) => spellName(name));
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case "reply":
        this.#reply(effect);
        return;
      case "commit":
        this.#commit(effect);
        return;
      case "release-image":
        this.#release(effect.digest[0] ?? 0);
        return;
      case "start": {
        const { name, run, incarnation } = effect;
        expect(this.runningNames(), "two guests of one name").not.toContain(spellName(name));
        this.left.delete(spellName(name));
        this.guests.set(run, { name, incarnation, started: false });
        this.pending.push(effect);
        return;
      }
      case "adopt": {
        const { name, run } = effect;
        const { incarnation, end } = this.left.get(spellName(name)) ?? {};
        if (incarnation === undefined || end !== undefined) throw new Error("adopted what does not run");
        this.left.delete(spellName(name));
        this.guests.set(run, { name, incarnation, started: true });
        return;
      }
      case "discard":
        this.left.delete(spellName(effect.name));
        return;
      case "stop":
        expect(this.guests.get(effect.run)?.started, "stopped before it was started").toBe(true);
        this.pending.push(effect);
        return;
      case "tell": {
        const { happening } = effect;
        const over = happening.kind === "ended" && happening.delay === undefined;
        if (over) this.acknowledged.delete(spellName(effect.name));
        return;
      }
      case "hold-image":
        this.#hold(effect.digest[0] ?? 0);
        return;
      case "send-image":
        expect(this.uses.get(effect.digest[0] ?? 0), "an image that is gone").toBeGreaterThan(0);
        this.#reply({ kind: "reply", client: effect.client, reply: { ok: true, success: { kind: "empty" } } });
        return;
      case "prepare":
      case "timer":
      case "trial":
        this.pending.push(effect);
        return;
      case "recheck":
        return;
      default: {
        const at = spellName(effect.name);
        const same = this.pending.filter((other) => isBlockWork(other) && spellName(other.name) === at);
        expect(same, "two works at once on one block device").toEqual([]);
        this.pending.push(effect);
      }
    }
  }

  #reply({ client, reply }: Of<"reply">): void {
    expect(this.replies.has(client), "two replies to one client").toBe(false);
    this.replies.set(client, reply);
    const asked = this.asked.get(client);
    if (!reply.ok || asked === undefined) return;
    const at = spellName(asked.name);
    if (asked.command.kind === "unikernel-destroy") {
      expect(this.unikernels.has(at), "destroyed, and still in the store").toBe(false);
    }
    if (asked.command.kind === "unikernel-create" || asked.command.kind === "unikernel-restart") {
      if (!this.#isToGo(at)) this.acknowledged.add(at);
    }
  }

  /** Whether somebody waits for its destruction. */
  #isToGo(at: string): boolean {
    return [...this.asked].some(
      ([client, { name, command }]) =>
        command.kind === "unikernel-destroy" && spellName(name) === at && !this.replies.has(client),
    );
  }

  #commit({ changes }: Of<"commit">): void {
    for (const change of changes) {
      if (change.kind === "policy") {
        const { path, grant } = change;
        if (grant === undefined) this.policies.delete(spell(path));
        else this.policies.set(spell(path), { policy: grant.policy, notBefore: grant.notBefore });
      } else if (change.kind === "past") this.past.set(spell(change.memory.path), change.memory.time ?? Number.NaN);
      else if (change.kind !== "unikernel") continue;
      else if (change.record === undefined) this.unikernels.delete(spellName(change.name));
      else this.unikernels.set(spellName(change.name), { name: change.name, record: change.record });
    }
  }

  #release(image: number): void {
    const uses = this.uses.get(image) ?? 0;
    expect(uses, "an image released more often than it was prepared").toBeGreaterThan(0);
    this.uses.set(image, uses - 1);
  }

  #answer(effect: Pending, how: Manner): void {
    const { name } = effect;
    this.now += 1;
    switch (effect.kind) {
      case "prepare":
        this.#prepare(effect, how);
        return;
      case "start": {
        const { run, incarnation } = effect;
        if (!how.fine) {
          this.guests.delete(run);
          this.tell({ kind: "start-failed", name, run, refusal: failed });
        } else {
          this.guests.set(run, { name, incarnation, started: true });
          this.tell({ kind: "started", name, run, now: this.now });
        }
        return;
      }
      case "stop":
        if (how.stuck === true) this.tell({ kind: "stop-failed", name, run: effect.run });
        else this.#exit(effect.run, how.status);
        return;
      case "trial":
        if (how.fine || effect.health?.pattern === undefined) this.tell({ kind: "due", name, run: effect.run });
        else this.tell({ kind: "unhealthy", name, run: effect.run });
        return;
      case "timer":
        this.tell({ kind: "due", name, run: effect.run });
        return;
      default: {
        const { client } = effect;
        this.tell({ kind: "block-done", name, client, ...(how.fine ? {} : { refusal: failed }) });
      }
    }
  }

  #hold(image: number): void {
    this.uses.set(image, (this.uses.get(image) ?? 0) + 1);
  }

  #prepare({ name, job, config, image }: Of<"prepare">, how: Manner): void {
    const first = image.kind === "stored" ? (image.digest[0] ?? 0) : how.image;
    const kept = [...this.unikernels.values()].some(({ record }) => record.digest[0] === first);
    const gone = image.kind === "stored" && !kept && (this.uses.get(first) ?? 0) === 0;
    if (!how.fine || gone) {
      this.tell({ kind: "prepare-failed", name, job, refusal: failed });
      return;
    }
    this.#hold(first);
    const devices = [
      ...config.blocks.map((block) => ({ name: block.name, type: "block" }) as const),
      ...config.bridges.map((bridge) => ({ name: bridge.netif, type: "net" }) as const),
      ...(how.declares ? [] : [{ name: "unasked", type: "net" } as const]),
    ];
    this.tell({
      kind: "prepared",
      name,
      job,
      prepared: {
        digest: Uint8Array.of(first, 0, 0),
        manifest: { target: "hvt", abi: 2, devices },
        tender: { kind: "hvt", path: "solo5-hvt" },
        macs: config.bridges.map(({ mac }) => mac ?? Uint8Array.of(0, 0x80, 0x41, 0, 0, how.mac)),
      },
    });
  }

  #exit(run: number, status: ExitStatus): void {
    const guest = this.guests.get(run);
    if (guest === undefined) return;
    this.guests.delete(run);
    this.pending = this.pending.filter((effect) => effect.kind !== "stop" || effect.run !== run);
    this.tell({ kind: "exited", name: guest.name, run, status, now: this.now });
  }
}

function isBlockWork(effect: Pending): effect is BlockWork {
  return effect.kind.endsWith("-block");
}
