/**
 * Where one asker's requests come from: who he is, what he knows, and what his
 * choices are made by.
 *
 * @module
 */
import type { Client } from "../src/client/main.ts";
import type { Demand, Model, Possible } from "./soak_model.ts";
import type { Random } from "./soak_random.ts";
import type { Person, World } from "./soak_world.ts";

/** One request. */
export interface Move {
  readonly what: string;
  readonly act: (client: Client) => Promise<void>;
  /** Besides what the limits say; absent: that depends. */
  readonly must?: "succeed" | "fail" | undefined;
  readonly demand?: Demand;
  /** Makes known what is so once it has begun, and then by its answer. */
  readonly change?: (answer: "begun" | "done" | "refused" | "unknown") => void;
}

/** What an upload that breaks off ends with. */
export class BrokenOff extends Error {}

export class Scene {
  readonly person: Person;
  readonly world: World;
  readonly model: Model;
  readonly random: Random;
  /** Tells of what must not be. */
  readonly fault: (text: string) => void;
  #marks = 0;

  constructor(person: Person, world: World, model: Model, random: Random, fault: (text: string) => void) {
    this.person = person;
    this.world = world;
    this.model = model;
    this.random = random;
    this.fault = fault;
  }

  /** The name in full. */
  full(label: string): string {
    return this.person === "root" ? label : `${this.person}:${label}`;
  }

  /** A word that nothing else has. */
  mark(): string {
    this.#marks += 1;
    return `mark=${this.person}-${this.#marks}`;
  }
  /** @param after - what may be so when it was done */
  change<T>(map: Map<string, Possible<T>>, name: string, after: Possible<T>): Required<Move>["change"] {
    let before: Possible<T> = [];
    return (answer) => {
      if (answer === "begun") before = map.get(name) ?? [undefined];
      const both = [...before, ...after];
      this.model.put(map, name, answer === "done" && after.length > 0 ? after : answer === "refused" ? before : both);
    };
  }
}

export async function* breakOff(length: number): AsyncGenerator<Uint8Array> {
  yield Buffer.alloc(length, "broken ");
  throw new BrokenOff();
}

/** albatross's MB. */
export const megabyte: number = 1024 * 1024;
