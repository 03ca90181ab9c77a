/**
 * The supervisor at work on this machine: hands events to `step`, carries out
 * the effects in their order, and brings back what came of them.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Name, printName } from "../core/name.ts";
import type { Refusal } from "../core/refusal.ts";
import { unreachable } from "../core/result.ts";
import type { ClientId, Effect, Event, Reply, State, StoreChange } from "../core/state.ts";
import { step } from "../core/supervisor.ts";
import { askerOf, type Ledger } from "./audit_ledger.ts";
import { type BlockEffect, workOnBlock } from "./block_work.ts";
import { answerImage, type ImageClients } from "./image_work.ts";
import type { Ended, Launcher } from "./launcher.ts";
import type { Log } from "./log.ts";
import type { Upload } from "./preparer.ts";
import { refuseHost } from "./refuse.ts";
import type { Change, Store } from "./store.ts";
import { joinCommits, storeChange, withoutDisk } from "./store_change.ts";
import { findHopeless, type Trials } from "./trials.ts";

/** What the runner needs around it. */
export interface Surroundings extends ImageClients {
  readonly dbdir: string;
  /** Bytes that one byte of what fills a block device may become. */
  readonly ratio: number;
  readonly store: Store;
  readonly launcher: Launcher;
  readonly log: Log;
  readonly trials: Trials;
  readonly ledger: Ledger;
  /** Answers a client, if it is still there. */
  readonly reply: (client: ClientId, reply: Reply) => void;
  /** The image or the content that comes with a client's command. */
  readonly upload: (client: ClientId) => Upload;
  /** Hands a client what it asked for, as fast as it reads. */
  readonly download: (effect: Of<"read-block">, content: AsyncIterable<Uint8Array>) => Promise<void>;
  readonly tell: (effect: Of<"tell">) => void;
  /** There is no such unikernel any more. */
  readonly gone: (name: Name) => void;
  /** Ends what is not let in any more. */
  readonly recheck: () => void;
}

type Of<K extends Effect["kind"]> = Extract<Effect, { kind: K }>;

export class Runner {
  readonly #around: Surroundings;
  readonly #timers: Set<NodeJS.Timeout> = new Set();
  readonly #busy: Set<Promise<void>> = new Set();
  /** What is to be stored, the latest of each kind: what the store could not take goes with the next commit. */
  readonly #unsaved: Map<string, Change> = new Map();
  #state: State;
  #closed = false;

  constructor(around: Surroundings, state: State) {
    this.#around = around;
    this.#state = state;
  }

  get state(): State {
    return this.#state;
  }

  /** Applies one event; resolves when everything that it set in motion is done. */
  dispatch(event: Event): Promise<void> {
    const client = askerOf(this.#state, event);
    const { state, effects } = step(this.#state, event);
    this.#state = state;
    return this.perform(effects, client);
  }

  /** Carries out the effects of a client's request, or of none, in turn; what comes of one is dealt with before the next. */
  async perform(effects: readonly Effect[], client?: ClientId): Promise<void> {
    const performing = this.#begin(effects, client);
    if (performing === undefined) return;
    this.#busy.add(performing);
    try {
      await performing;
    } finally {
      this.#busy.delete(performing);
    }
  }

  /** Most requests only look, and are answered at once: then there is nothing to wait for. */
  #begin(effects: readonly Effect[], client: ClientId | undefined): Promise<void> | undefined {
    const [only] = effects;
    return effects.length === 1 && only?.kind === "reply"
      ? this.#reply(only.client, only.reply)
      : this.#perform(joinCommits(effects), client);
  }

  /** Has the store write what waits for it. */
  async flush(): Promise<void> {
    await this.#commit([]);
  }

  async #perform(effects: readonly Effect[], client: ClientId | undefined): Promise<void> {
    let failed: Refusal | undefined;
    // At once, in the order of the decisions: what is decided later, and stored while we are at it, is not undone.
    for (const effect of effects) if (effect.kind === "commit") this.#remember(effect.changes);
    for (const [index, effect] of effects.entries()) {
      if (effect.kind === "commit") {
        this.#around.ledger.change(effect.changes, effects.slice(index + 1), client);
        failed = (await this.#commit(effect.changes)) ?? failed;
        continue;
      }
      const event = await this.#carryOut(failed === undefined ? effect : withoutDisk(effect, failed), failed);
      if (event !== undefined) await this.dispatch(event);
    }
  }

  /**
   * Takes nothing on any more; guests go on without us, or end, to start again with the next daemon.
   *
   * @param patience - milliseconds for what was begun besides the ends of guests, and for its answers
   * @returns whether that is done: whoever still waits does so for what will not be
   */
  async stop(guests: "leave" | "stop", patience: number): Promise<boolean> {
    await this.dispatch({ kind: "shutdown" });
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#around.trials.close();
    await (guests === "leave" ? this.#around.launcher.leave() : this.#around.launcher.close());
    return Promise.race([this.#rest().then(() => true), sleep(patience, false, { ref: false })]);
  }

  /** Once stopped: what was begun is finished or refused before the store closes. */
  async close(): Promise<void> {
    await this.#rest();
    await this.flush();
    await this.#around.store.close();
  }

  async #rest(): Promise<void> {
    while (this.#busy.size > 0) await Promise.allSettled(this.#busy);
  }

  /** @param failed - why the commit before it failed: then nothing is started, and no image goes */
  async #carryOut(effect: Exclude<Effect, { kind: "commit" }>, failed?: Refusal): Promise<Event | undefined> {
    const { launcher, preparer, tell } = this.#around;
    switch (effect.kind) {
      case "reply":
        await this.#reply(effect.client, effect.reply);
        return undefined;
      case "prepare":
        return this.#prepare(effect);
      case "start":
        if (failed === undefined) return this.#start(effect);
        return { kind: "start-failed", name: effect.name, run: effect.run, refusal: failed };
      case "adopt":
        await launcher.adopt(effect.run, effect.name, this.#ended(effect));
        return undefined;
      case "discard":
        launcher.discard(effect.name);
        return undefined;
      case "stop":
        this.#stop(effect);
        return undefined;
      case "timer":
        this.#wait(effect, effect.delay);
        return undefined;
      case "trial":
        void this.#around.trials.look(effect, (event) => void this.#later(event));
        return undefined;
      case "hold-image":
        preparer.hold(effect.digest);
        return undefined;
      case "release-image":
        // What the disk still says that there is may be started again; an image too many goes with the next daemon.
        if (failed === undefined) await preparer.release(effect.digest);
        return undefined;
      case "send-image":
        await this.#reply(effect.client, await answerImage(this.#around, effect));
        return undefined;
      case "create-block":
      case "remove-block":
      case "fill-block":
      case "read-block":
        return this.#block(effect);
      case "recheck":
        this.#around.recheck();
        return undefined;
      case "tell":
        tell(effect);
        return undefined;
      default:
        return unreachable(effect);
    }
  }

  /** A change's end is on the disk before it is told; where the disk is full, it waits there for the next one. */
  #reply(client: ClientId, reply: Reply): Promise<void> | undefined {
    const { ledger } = this.#around;
    if (ledger.end(client, reply)) return this.flush().then(() => this.#around.reply(client, reply));
    this.#around.reply(client, reply);
    return undefined;
  }

  async #prepare({ name, job, config, image, health }: Of<"prepare">): Promise<Event> {
    const { preparer } = this.#around;
    const source = image.kind === "client" ? this.#around.upload(image.client) : image.digest;
    const prepared = (await findHopeless(health, config)) ?? (await preparer.prepare(name, config, source));
    if (prepared.ok) return { kind: "prepared", name, job, prepared: prepared.value };
    this.#log("prepare", name, prepared.error);
    return { kind: "prepare-failed", name, job, refusal: prepared.error };
  }

  /** The guest may end before anybody heard that it had started: its end waits for that. */
  async #start(effect: Of<"start">): Promise<Event | undefined> {
    const { name, run, incarnation } = effect;
    let tell: () => void = () => undefined;
    const told = new Promise<void>((resolve) => {
      tell = resolve;
    });
    const ended = this.#ended(effect);
    const started = await this.#around.launcher.start(run, name, incarnation, (status) =>
      told.then(() => ended(status)),
    );
    if (!started.ok) {
      this.#log("start", name, started.error);
      return { kind: "start-failed", name, run, refusal: started.error };
    }
    const done = this.dispatch({ kind: "started", name, run, now: started.value });
    tell();
    await done;
    return undefined;
  }

  #stop({ name, run }: Of<"stop">): void {
    void this.#around.launcher.stop(run).then((ended) => {
      if (!ended) void this.#later({ kind: "stop-failed", name, run });
    });
  }

  #ended({ name, run }: Of<"start" | "adopt">): Ended {
    return (status) => {
      this.#around.trials.end(run);
      return this.#later({ kind: "exited", name, run, status, now: Date.now() });
    };
  }

  #wait({ name, run }: Of<"timer">, delay: number): void {
    if (this.#closed) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      void this.#later({ kind: "due", name, run });
    }, delay);
    this.#timers.add(timer);
  }

  async #block(effect: BlockEffect): Promise<Event> {
    const { name, client } = effect;
    const refusal = (await this.#beginBlock(effect)) ?? (await workOnBlock(this.#around, effect));
    if (refusal === undefined) return { kind: "block-done", name, client };
    this.#log(effect.kind, name, refusal);
    return { kind: "block-done", name, client, refusal };
  }

  /** The file system is not the store: that a device is about to change is written down before. A removal never waits for room. */
  async #beginBlock({ kind, client }: BlockEffect): Promise<Refusal | undefined> {
    if (kind === "read-block" || !this.#around.ledger.begin(client)) return undefined;
    const refusal = await this.#commit([]);
    return kind === "remove-block" ? undefined : refusal;
  }

  /** An event that nobody waits for. */
  #later(event: Event): Promise<void> {
    return this.dispatch(event).catch((error: unknown) =>
      this.#around.log.fatal({ err: error, event: event.kind }, "bug"),
    );
  }

  #remember(changes: readonly StoreChange[]): void {
    for (const change of changes.map(storeChange)) this.#unsaved.set(`${change.table} ${change.key}`, change);
  }

  /** @param changes - remembered already. @returns why they are not on the disk */
  async #commit(changes: readonly StoreChange[]): Promise<Refusal | undefined> {
    for (const change of changes) {
      if (change.kind === "unikernel" && change.record === undefined) this.#around.gone(change.name);
    }
    const batch = [...this.#unsaved];
    const committed = await this.#around.store.commit(batch.map(([, change]) => change));
    if (!committed.ok) {
      this.#around.log.error({ error: committed.error }, "cannot store a change");
      return refuseHost("storing the change", committed.error);
    }
    for (const [key, change] of batch) if (this.#unsaved.get(key) === change) this.#unsaved.delete(key);
    return undefined;
  }

  #log(doing: string, name: Name, refusal: Refusal): void {
    this.#around.log.warn({ doing, target: printName(name), refusal: refusal.kind }, "refused");
  }
}
