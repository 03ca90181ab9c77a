/**
 * Requests at random, each with what must come of it: done, refused, or,
 * depending on what only the daemon knows, either.
 *
 * @module
 */
import type { SettingsOptions } from "../src/client/main.ts";
import { DeviceMoves, deviceLabels } from "./soak_devices.ts";
import { tenderOf } from "./soak_look.ts";
import { type Demand, type Guest, type Limit, type Possible, withEnd } from "./soak_model.ts";
import { breakOff, type Move, type Scene } from "./soak_scene.ts";
import { allowed } from "./soak_world.ts";

export class Moves {
  readonly #scene: Scene;
  readonly #devices: DeviceMoves;

  constructor(scene: Scene) {
    this.#scene = scene;
    this.#devices = new DeviceMoves(scene);
  }

  /** What leaves nothing. */
  *ends(): Generator<Move> {
    for (const label of labels) yield this.#destroy(label);
    yield* this.#devices.ends();
  }

  next(): Move {
    const label = this.#scene.random.pick(labels);
    return this.#scene.random.pick<() => Move>([
      ...repeat(5, () => this.#create(label, false)),
      ...repeat(2, () => this.#create(label, true)),
      ...repeat(3, () => this.#destroy(label)),
      ...repeat(2, () => this.#restart(label)),
      ...repeat(2, () => this.#crash(label)),
      ...repeat(3, () => this.#impossible(label)),
      ...repeat(2, () => this.#look(label)),
      ...repeat(6, () => this.#devices.next()),
      ...repeat(this.#scene.person === "root" ? 2 : 0, () => this.#addPolicy()),
    ])();
  }

  #create(label: string, replace: boolean): Move {
    const guest = this.#guest();
    const before = this.#guestOf(label);
    const free = guest.block === undefined ? { maybe: false, surely: false } : this.#scene.model.users(guest.block);
    const device = guest.block === undefined ? [] : (this.#scene.model.devices.get(guest.block) ?? [undefined]);
    const own = before.some((state) => state?.block !== undefined && state.block === guest.block);
    const there = guest.block === undefined || !device.includes(undefined);
    const clear = isSettled(before) && (replace || before[0] === undefined) && there && !free.maybe;
    const taken = !replace && isSettled(before) && before[0] !== undefined;
    const blocked = (device.length > 0 && device.every((state) => state === undefined)) || (free.surely && !own);
    return {
      what: `${replace ? "force create" : "create"} ${this.#scene.full(label)} (${describe(guest)})`,
      act: (client) =>
        client.create(label, { ...this.#settings(guest), image: this.#scene.world.image(imageOf(guest)), replace }),
      must: taken || blocked ? "fail" : clear ? "succeed" : undefined,
      demand: this.#demandOf(label, guest, replace),
      change: this.#scene.change(this.#scene.model.guests, this.#scene.full(label), withEnd(guest)),
    };
  }

  #destroy(label: string): Move {
    const must = this.#mustBeThere(this.#guestOf(label));
    return {
      what: `destroy ${this.#scene.full(label)}`,
      act: (client) => client.destroy(label),
      must,
      change: this.#scene.change(this.#scene.model.guests, this.#scene.full(label), [undefined]),
    };
  }

  #restart(label: string): Move {
    const [name, before] = [this.#scene.full(label), this.#guestOf(label)];
    const [state] = before;
    const must = this.#mustBeThere(before);
    const plain: Move = { what: `restart ${name}`, act: (client) => client.restart(label), must };
    if (state === undefined || before.length > 1 || state.block !== undefined || this.#scene.random.below(2) === 0)
      return plain;
    const next = { ...state, memory: 16 + this.#scene.random.below(50), mark: this.#scene.mark() };
    return {
      what: `restart ${name} (${describe(next)})`,
      act: (client) => client.restart(label, this.#settings(next)),
      must,
      demand: this.#demandOf(label, next, true),
      change: this.#scene.change(this.#scene.model.guests, name, withEnd(next)),
    };
  }

  /** The guest's own end, from outside. No signal is followed by a start. */
  #crash(label: string): Move {
    const name = this.#scene.full(label);
    return {
      what: `crash ${name}`,
      act: async () => {
        const before = this.#guestOf(label);
        const pid = tenderOf(this.#scene.world, name);
        if (pid === undefined || !isSettled(before) || before[0] === undefined) return;
        this.#scene.model.put(this.#scene.model.guests, name, [{ ...before[0], ends: true }, undefined]);
        process.kill(pid, "SIGKILL");
      },
    };
  }

  /** What cannot be, for one reason or another. */
  #impossible(label: string): Move {
    const guest = { ...this.#guest(), net: false };
    const { block: _, ...plain } = guest;
    const settings = this.#settings(plain);
    const image = this.#scene.world.image("hello");
    const bad = this.#scene.random.pick([
      ["no image", { ...settings, image: new Uint8Array(this.#scene.random.below(5000)) }],
      ["too much memory", { ...settings, image, memory: 1_000_000_000 }],
      [
        "no such bridge",
        { ...settings, image: this.#scene.world.image("hello_net"), bridges: [{ netif: "service", bridge: "none" }] },
      ],
      [
        "no such block device",
        { ...settings, image: this.#scene.world.image("hello_block"), blocks: [{ name: "storage", device: "none" }] },
      ],
      ["devices that the image has not", { ...settings, image, bridges: ["service"] }],
      ["an image that breaks off", { ...settings, image: breakOff(this.#scene.random.below(100_000)) }],
    ] as const);
    return {
      what: `create ${this.#scene.full(label)} with ${bad[0]}`,
      act: (client) => client.create(label, { ...bad[1], replace: this.#scene.random.below(2) === 0 }),
      must: "fail",
      // Until it is refused, it may have taken its room.
      change: this.#scene.change(this.#scene.model.guests, this.#scene.full(label), [plain]),
    };
  }

  #look(label: string): Move {
    const [name, before] = [this.#scene.full(label), this.#guestOf(label)];
    return {
      what: `info of ${name}`,
      act: async (client) => {
        const [there] = await client.info(label);
        const now = this.#guestOf(label);
        if (!isSettled(before) || before[0] !== now[0] || (there !== undefined) === (before[0] !== undefined)) return;
        this.#scene.fault(`unikernel ${name} is ${there ? "there" : "not there"}, and must not be so`);
      },
    };
  }

  #addPolicy(): Move {
    const path = this.#scene.random.pick(["alice:bob", "alice:carol"] as const);
    const part = 1 + this.#scene.random.below(4);
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
      change: this.#scene.change(this.#scene.model.limits, path, [limit]),
    };
  }

  #mustBeThere(before: Possible<Guest>): Move["must"] {
    return isSettled(before) ? (before[0] === undefined ? "fail" : "succeed") : undefined;
  }

  #guest(): Guest {
    const kind = this.#scene.random.below(6);
    const device = this.#scene.full(this.#scene.random.pick(deviceLabels));
    const ends = this.#scene.random.below(4) === 0;
    return {
      memory: 16 + this.#scene.random.below(50),
      mark: this.#scene.mark(),
      net: kind === 0,
      ...(kind === 1 ? { block: device } : {}),
      ends,
      restarts: ends && this.#scene.random.below(2) === 0,
    };
  }

  #settings({ memory, mark, net, block, ends, restarts }: Guest): SettingsOptions {
    const device = block?.slice(block.lastIndexOf(":") + 1);
    return {
      memory,
      arguments: [mark, ...(ends ? ["exit=7", `after=${this.#scene.random.below(3)}`] : [])],
      bridges: net ? ["service"] : [],
      blocks: device === undefined ? [] : [{ name: "storage", device }],
      restart: restarts,
    };
  }

  /** @param replace - whether it may take the place of what is there: that is free then */
  #demandOf(label: string, { memory }: Guest, replace: boolean): Demand {
    const before = replace ? this.#guestOf(label) : [];
    const most = (of: (guest: Guest) => number): number =>
      Math.max(0, ...before.map((state) => (state === undefined ? 0 : of(state))));
    const has = { unikernels: most(() => 1), memory: most((guest) => guest.memory), block: 0 };
    return { name: this.#scene.full(label), takes: { unikernels: 1, memory, block: 0 }, has };
  }

  #guestOf(label: string): Possible<Guest> {
    return this.#scene.model.guests.get(this.#scene.full(label)) ?? [undefined];
  }
}

/** Whether there is one state, that stays as it is until somebody asks for another. */
function isSettled(possible: Possible<Guest>): boolean {
  return possible.length === 1 && possible[0]?.ends !== true;
}

function imageOf({ block, net }: Guest): string {
  return net ? "hello_net" : block === undefined ? "hello" : "hello_block";
}

function describe({ memory, block, net, ends, restarts }: Guest): string {
  const words = [`${memory} MB`, ...(block === undefined ? [] : [block]), ...(net ? ["net"] : [])];
  return [...words, ...(ends ? ["ends"] : []), ...(restarts ? ["restarts"] : [])].join(", ");
}

function repeat<T>(times: number, one: T): readonly T[] {
  return new Array<T>(times).fill(one);
}

/** So few that they collide. */
const labels: readonly string[] = ["a", "b", "c", "d"];
