/**
 * Somebody who asks for things at random, one after the other, and compares
 * what comes of each with what must.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, FulmarError } from "../src/client/main.ts";
import type { Model } from "./soak_model.ts";
import { Moves } from "./soak_moves.ts";
import type { Random } from "./soak_random.ts";
import { BrokenOff, type Move, Scene } from "./soak_scene.ts";
import { clock, type Person, type World } from "./soak_world.ts";

interface Answer {
  readonly kind: "done" | "refused" | "unknown";
  readonly text: string;
}

export class Lane {
  readonly #person: Person;
  readonly #world: World;
  readonly #model: Model;
  readonly #random: Random;
  readonly #moves: Moves;
  readonly #fault: (text: string) => void;
  #client: Client | undefined;
  /** Answers so far. */
  readonly answers: Record<Answer["kind"], number> = { done: 0, refused: 0, unknown: 0 };

  constructor(person: Person, world: World, model: Model, random: Random, fault: (text: string) => void) {
    this.#person = person;
    this.#world = world;
    this.#model = model;
    this.#random = random;
    this.#moves = new Moves(new Scene(person, world, model, random, fault));
    this.#fault = fault;
  }

  /** Moves until it is told to stop. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#move(this.#moves.next());
      await sleep(this.#random.below(pause));
    }
  }

  /** Destroys all that is its own. */
  async clear(): Promise<void> {
    for (const move of this.#moves.ends()) await this.#move(move);
  }

  async close(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.close();
  }

  async #move(move: Move): Promise<void> {
    const flight = this.#model.begin(move.demand);
    move.change?.("begun");
    const { kind, text } = await this.#insist(move);
    this.#model.end(flight);
    move.change?.(kind);
    this.answers[kind] += 1;
    const mustFail = move.must === "fail" || flight.exceeds;
    if (kind === "done" && mustFail) this.#fault(`${move.what} was done, and must be refused`);
    if (kind === "refused" && move.must === "succeed" && flight.fits && !notThere.test(text))
      this.#fault(`${move.what} was refused (${text}), and must be done`);
  }

  /** What was lost on its way here may still be under way there: then it is asked again. */
  async #insist(move: Move): Promise<Answer> {
    for (let tries = 1; ; tries++) {
      const begin = clock();
      const answer = await this.#answer(move);
      this.#world.note(`${clock()}, begun ${begin}: ${move.what} : ${answer.kind} ${answer.text}`);
      if (answer.kind !== "refused" || !busy.test(answer.text) || tries === busyTries) return answer;
      await sleep(busyInterval);
    }
  }

  async #answer({ act, what }: Move): Promise<Answer> {
    const late = new AbortController();
    const patience = sleep(answerLimit, "late" as const, { signal: late.signal }).catch(() => "late" as const);
    try {
      if ((await Promise.race([this.#connect().then(act), patience])) !== "late") return { kind: "done", text: "" };
      this.#fault(`${what} has no answer within ${answerLimit / 1000} s`);
      return { kind: "unknown", text: "" };
    } catch (error) {
      if (error instanceof BrokenOff) return { kind: "refused", text: "" };
      if (!(error instanceof FulmarError)) throw error;
      if (error.kind === "connect") return { kind: "refused", text: away };
      if (error.kind === "refused" && !lost.test(error.message)) return { kind: "refused", text: error.message };
      await this.close().catch(() => undefined);
      await sleep(pause);
      return { kind: "unknown", text: error.message };
    } finally {
      late.abort();
    }
  }

  async #connect(): Promise<Client> {
    this.#client ??= await this.#world.connect(this.#person);
    return this.#client;
  }
}

/** Answers that tell of a daemon that was not there: nothing was done. */
const away = "no connection";
const notThere = /cannot be reached|is shutting down|no connection/;

/** Refusals by an endpoint that does not know what its daemon has done. */
const lost =
  /daemon of this host ended|connection to the daemon broke|ended the connection without|did not answer within/;

/** Refusals because of what is being done just then. */
const busy = /is just being made|is in the middle of/;
const busyTries = 100;
const busyInterval = 200;

/** Milliseconds between two requests, at most. */
const pause = 60;

/** Milliseconds: twice what a guest has to end, and what a busy machine needs. */
const answerLimit = 40_000;
