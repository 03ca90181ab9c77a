/**
 * Requests at random, each with what must come of it: done, refused, or,
 * depending on what only the daemon knows, either.
 *
 * @module
 */
import type { Client, SettingsOptions } from "../src/client/main.ts";
import { digest, tenderOf } from "./soak_look.ts";
import type { Demand, Device, Guest, Limit, Model, Possible } from "./soak_model.ts";
import type { Random } from "./soak_random.ts";
import { allowed, type Person, type World } from "./soak_world.ts";

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

export class Moves {
  readonly #person: Person;
  readonly #world: World;
  readonly #model: Model;
  readonly #random: Random;
  readonly #fault: (text: string) => void;
  #marks = 0;

  constructor(person: Person, world: World, model: Model, random: Random, fault: (text: string) => void) {
    this.#person = person;
    this.#world = world;
    this.#model = model;
    this.#random = random;
    this.#fault = fault;
  }

  /** What leaves nothing. */
  *ends(): Generator<Move> {
    for (const label of labels) yield this.#destroy(label);
    for (const label of deviceLabels) yield this.#removeDevice(label);
  }

  next(): Move {
    const label = this.#random.pick(labels);
    const device = this.#random.pick(deviceLabels);
    return this.#random.pick<() => Move>([
      ...repeat(5, () => this.#create(label, false)),
      ...repeat(2, () => this.#create(label, true)),
      ...repeat(3, () => this.#destroy(label)),
      ...repeat(2, () => this.#restart(label)),
      ...repeat(2, () => this.#crash(label)),
      ...repeat(3, () => this.#impossible(label)),
      ...repeat(2, () => this.#look(label)),
      ...repeat(3, () => this.#createDevice(device)),
      () => this.#removeDevice(device),
      ...repeat(2, () => this.#setDevice(device)),
      ...repeat(this.#person === "root" ? 2 : 0, () => this.#addPolicy()),
    ])();
  }

  #create(label: string, replace: boolean): Move {
    const guest = this.#guest();
    const before = this.#guestOf(label);
    const free = guest.block === undefined ? { maybe: false, surely: false } : this.#model.users(guest.block);
    const device = guest.block === undefined ? [] : (this.#model.devices.get(guest.block) ?? [undefined]);
    const own = before.some((state) => state?.block !== undefined && state.block === guest.block);
    const there = guest.block === undefined || !device.includes(undefined);
    const clear = isSettled(before) && (replace || before[0] === undefined) && there && !free.maybe;
    const taken = !replace && isSettled(before) && before[0] !== undefined;
    const blocked = (device.length > 0 && device.every((state) => state === undefined)) || (free.surely && !own);
    return {
      what: `${replace ? "force create" : "create"} ${this.#full(label)} (${describe(guest)})`,
      act: (client) =>
        client.create(label, { ...this.#settings(guest), image: this.#world.image(imageOf(guest)), replace }),
      must: taken || blocked ? "fail" : clear ? "succeed" : undefined,
      demand: this.#demandOf(label, guest),
      change: this.#change(this.#model.guests, this.#full(label), withEnd(guest)),
    };
  }

  #destroy(label: string): Move {
    const must = this.#mustBeThere(this.#guestOf(label));
    return {
      what: `destroy ${this.#full(label)}`,
      act: (client) => client.destroy(label),
      must,
      change: this.#change(this.#model.guests, this.#full(label), [undefined]),
    };
  }

  #restart(label: string): Move {
    const [name, before] = [this.#full(label), this.#guestOf(label)];
    const [state] = before;
    const must = this.#mustBeThere(before);
    const plain: Move = { what: `restart ${name}`, act: (client) => client.restart(label), must };
    if (state === undefined || before.length > 1 || state.block !== undefined || this.#random.below(2) === 0)
      return plain;
    const next = { ...state, memory: 16 + this.#random.below(50), mark: this.#mark() };
    return {
      what: `restart ${name} (${describe(next)})`,
      act: (client) => client.restart(label, this.#settings(next)),
      must,
      demand: this.#demandOf(label, next),
      change: this.#change(this.#model.guests, name, withEnd(next)),
    };
  }

  /** The guest's own end, from outside. No signal is followed by a start. */
  #crash(label: string): Move {
    const name = this.#full(label);
    return {
      what: `crash ${name}`,
      act: async () => {
        const before = this.#guestOf(label);
        const pid = tenderOf(this.#world, name);
        if (pid === undefined || !isSettled(before) || before[0] === undefined) return;
        this.#model.put(this.#model.guests, name, [{ ...before[0], ends: true }, undefined]);
        process.kill(pid, "SIGKILL");
      },
    };
  }

  /** What cannot be, for one reason or another. */
  #impossible(label: string): Move {
    const guest = { ...this.#guest(), net: false };
    const { block: _, ...plain } = guest;
    const settings = this.#settings(plain);
    const image = this.#world.image("hello");
    const bad = this.#random.pick([
      ["no image", { ...settings, image: new Uint8Array(this.#random.below(5000)) }],
      ["too much memory", { ...settings, image, memory: 1_000_000_000 }],
      [
        "no such bridge",
        { ...settings, image: this.#world.image("hello_net"), bridges: [{ netif: "service", bridge: "none" }] },
      ],
      [
        "no such block device",
        { ...settings, image: this.#world.image("hello_block"), blocks: [{ name: "storage", device: "none" }] },
      ],
      ["devices that the image has not", { ...settings, image, bridges: ["service"] }],
      ["an image that breaks off", { ...settings, image: breakOff(this.#random.below(100_000)) }],
    ] as const);
    return {
      what: `create ${this.#full(label)} with ${bad[0]}`,
      act: (client) => client.create(label, { ...bad[1], replace: this.#random.below(2) === 0 }),
      must: "fail",
    };
  }

  #look(label: string): Move {
    const [name, before] = [this.#full(label), this.#guestOf(label)];
    return {
      what: `info of ${name}`,
      act: async (client) => {
        const [there] = await client.info(label);
        const now = this.#guestOf(label);
        if (!isSettled(before) || before[0] !== now[0] || (there !== undefined) === (before[0] !== undefined)) return;
        this.#fault(`info says that ${name} is ${there === undefined ? "not there" : "there"}, and it must not be so`);
      },
    };
  }

  #createDevice(label: string): Move {
    const [name, before] = [this.#full(label), this.#deviceOf(label)];
    const size = 1 + this.#random.below(4);
    const none = { unikernels: 0, memory: 0, block: 0 };
    const must = before.length > 1 ? undefined : before[0] === undefined ? "succeed" : "fail";
    return {
      what: `create-block ${name} ${size}`,
      act: (client) => client.blocks.create(label, size),
      must,
      demand: { name, takes: { ...none, block: size }, has: none },
      change: this.#change(this.#model.devices, name, [{ size, digest: digest(Buffer.alloc(size * megabyte)) }]),
    };
  }

  #removeDevice(label: string): Move {
    const before = this.#deviceOf(label);
    const must = this.#mustWork(label, before);
    return {
      what: `destroy-block ${this.#full(label)}`,
      act: (client) => client.blocks.remove(label),
      must,
      change: this.#change(this.#model.devices, this.#full(label), [undefined]),
    };
  }

  #setDevice(label: string): Move {
    const before = this.#deviceOf(label);
    const content = Buffer.alloc(this.#random.below(3 * megabyte), `${this.#mark()} `);
    const broken = this.#random.below(4) === 0;
    const after = before.flatMap((state) =>
      state === undefined || state.size * megabyte < content.length
        ? []
        : [{ ...state, digest: digestOn(state, content) }],
    );
    return {
      what: `set-block ${this.#full(label)} to ${content.length} bytes${broken ? " that break off" : ""}`,
      act: (client) =>
        client.blocks.set(label, broken ? breakOff(content.length) : content, { compression: this.#random.below(2) }),
      must:
        broken || after.length === 0
          ? "fail"
          : after.length < before.length
            ? undefined
            : this.#mustWork(label, before),
      ...(broken ? {} : { change: this.#change(this.#model.devices, this.#full(label), after) }),
    };
  }

  #addPolicy(): Move {
    const path = this.#random.pick(["alice:bob", "alice:carol"] as const);
    const part = 1 + this.#random.below(4);
    const { unikernels, memory, block } = allowed[path];
    const limit: Limit = {
      unikernels: Math.ceil((unikernels * part) / 4),
      memory: Math.ceil((memory * part) / 4),
      block: Math.ceil((block * part) / 4),
    };
    return {
      what: `add-policy ${path} ${JSON.stringify(limit)}`,
      act: (client) => client.addPolicy(path, { ...limit, cpuids: [0], bridges: ["service"] }),
      must: "succeed",
      change: this.#change(this.#model.limits, path, [limit]),
    };
  }

  #mustWork(label: string, before: Possible<Device>): Move["must"] {
    const { maybe, surely } = this.#model.users(this.#full(label));
    if (surely || before.every((state) => state === undefined)) return "fail";
    return before.includes(undefined) || maybe ? undefined : "succeed";
  }

  /** @param after - what may be so when it was done */
  #change<T>(map: Map<string, Possible<T>>, name: string, after: Possible<T>): Required<Move>["change"] {
    let before: Possible<T> = [];
    return (answer) => {
      if (answer === "begun") before = map.get(name) ?? [undefined];
      const both = [...before, ...after];
      this.#model.put(map, name, answer === "done" && after.length > 0 ? after : answer === "refused" ? before : both);
    };
  }

  #mustBeThere(before: Possible<Guest>): Move["must"] {
    return isSettled(before) ? (before[0] === undefined ? "fail" : "succeed") : undefined;
  }

  #guest(): Guest {
    const kind = this.#random.below(6);
    const device = this.#full(this.#random.pick(deviceLabels));
    const ends = this.#random.below(4) === 0;
    return {
      memory: 16 + this.#random.below(50),
      mark: this.#mark(),
      net: kind === 0,
      ...(kind === 1 ? { block: device } : {}),
      ends,
      restarts: ends && this.#random.below(2) === 0,
    };
  }

  #settings({ memory, mark, net, block, ends, restarts }: Guest): SettingsOptions {
    const device = block?.slice(block.lastIndexOf(":") + 1);
    return {
      memory,
      arguments: [mark, ...(ends ? ["exit=7", `after=${this.#random.below(3)}`] : [])],
      bridges: net ? ["service"] : [],
      blocks: device === undefined ? [] : [{ name: "storage", device }],
      restart: restarts,
    };
  }

  #demandOf(label: string, { memory }: Guest): Demand {
    const before = this.#guestOf(label);
    const least = (of: (guest: Guest) => number): number =>
      Math.min(...before.map((state) => (state === undefined ? 0 : of(state))));
    const has = { unikernels: least(() => 1), memory: least((guest) => guest.memory), block: 0 };
    return { name: this.#full(label), takes: { unikernels: 1, memory, block: 0 }, has };
  }

  #guestOf(label: string): Possible<Guest> {
    return this.#model.guests.get(this.#full(label)) ?? [undefined];
  }

  #deviceOf(label: string): Possible<Device> {
    return this.#model.devices.get(this.#full(label)) ?? [undefined];
  }

  #full(label: string): string {
    return this.#person === "root" ? label : `${this.#person}:${label}`;
  }

  #mark(): string {
    this.#marks += 1;
    return `mark=${this.#person}-${this.#marks}`;
  }
}

/** Whether there is one state, that stays as it is until somebody asks for another. */
function isSettled(possible: Possible<Guest>): boolean {
  return possible.length === 1 && possible[0]?.ends !== true;
}

/** What becomes of a unikernel without anybody's doing. */
function withEnd(guest: Guest): Possible<Guest> {
  return guest.ends && !guest.restarts ? [guest, undefined] : [guest];
}

function digestOn({ size }: Device, content: Uint8Array): string {
  const whole = new Uint8Array(size * megabyte);
  whole.set(content);
  return digest(whole);
}

function imageOf({ block, net }: Guest): string {
  return net ? "hello_net" : block === undefined ? "hello" : "hello_block";
}

function describe({ memory, block, net, ends, restarts }: Guest): string {
  const words = [`${memory} MB`, ...(block === undefined ? [] : [block]), ...(net ? ["net"] : [])];
  return [...words, ...(ends ? ["ends"] : []), ...(restarts ? ["restarts"] : [])].join(", ");
}

async function* breakOff(length: number): AsyncGenerator<Uint8Array> {
  yield Buffer.alloc(length, "broken ");
  throw new BrokenOff();
}

function repeat<T>(times: number, one: T): readonly T[] {
  return new Array<T>(times).fill(one);
}

/** So few that they collide. */
const labels: readonly string[] = ["a", "b", "c", "d"];
const deviceLabels: readonly string[] = ["disk1", "disk2", "disk3"];

/** albatross's MB. */
const megabyte: number = 1024 * 1024;
