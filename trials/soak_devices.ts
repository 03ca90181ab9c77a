/**
 * Requests about block devices, at random.
 *
 * @module
 */
import { digest } from "./soak_look.ts";
import type { Device, Possible } from "./soak_model.ts";
import { breakOff, type Move, megabyte, type Scene } from "./soak_scene.ts";

export class DeviceMoves {
  readonly #scene: Scene;

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  next(): Move {
    const label = this.#scene.random.pick(deviceLabels);
    const choice = this.#scene.random.below(6);
    if (choice < 3) return this.#create(label);
    return choice === 3 ? this.#remove(label) : this.#set(label);
  }

  /** What leaves nothing. */
  *ends(): Generator<Move> {
    for (const label of deviceLabels) yield this.#remove(label);
  }

  #create(label: string): Move {
    const [name, before] = [this.#scene.full(label), this.#deviceOf(label)];
    const size = 1 + this.#scene.random.below(4);
    const none = { unikernels: 0, memory: 0, block: 0 };
    const must = before.length > 1 ? undefined : before[0] === undefined ? "succeed" : "fail";
    return {
      what: `create-block ${name} ${size}`,
      act: (client) => client.blocks.create(label, size),
      must,
      demand: { name, takes: { ...none, block: size }, has: none },
      change: this.#scene.change(this.#scene.model.devices, name, [
        { size, digest: digest(Buffer.alloc(size * megabyte)) },
      ]),
    };
  }

  #remove(label: string): Move {
    const before = this.#deviceOf(label);
    const must = this.#mustWork(label, before);
    return {
      what: `destroy-block ${this.#scene.full(label)}`,
      act: (client) => client.blocks.remove(label),
      must,
      change: this.#scene.change(this.#scene.model.devices, this.#scene.full(label), [undefined]),
    };
  }

  #set(label: string): Move {
    const before = this.#deviceOf(label);
    const content = Buffer.alloc(this.#scene.random.below(3 * megabyte), `${this.#scene.mark()} `);
    const broken = this.#scene.random.below(4) === 0;
    const after = before.flatMap((state) =>
      state === undefined || state.size * megabyte < content.length
        ? []
        : [{ ...state, digest: digestOn(state, content) }],
    );
    return {
      what: `set-block ${this.#scene.full(label)} to ${content.length} bytes${broken ? " that break off" : ""}`,
      act: (client) =>
        client.blocks.set(label, broken ? breakOff(content.length) : content, {
          compression: this.#scene.random.below(2),
        }),
      must:
        broken || after.length === 0
          ? "fail"
          : after.length < before.length
            ? undefined
            : this.#mustWork(label, before),
      ...(broken ? {} : { change: this.#scene.change(this.#scene.model.devices, this.#scene.full(label), after) }),
    };
  }

  #mustWork(label: string, before: Possible<Device>): Move["must"] {
    const { maybe, surely } = this.#scene.model.users(this.#scene.full(label));
    if (surely || before.every((state) => state === undefined)) return "fail";
    return before.includes(undefined) || maybe ? undefined : "succeed";
  }

  #deviceOf(label: string): Possible<Device> {
    return this.#scene.model.devices.get(this.#scene.full(label)) ?? [undefined];
  }
}

function digestOn({ size }: Device, content: Uint8Array): string {
  const whole = new Uint8Array(size * megabyte);
  whole.set(content);
  return digest(whole);
}

/** So few that they collide. */
export const deviceLabels: readonly string[] = ["disk1", "disk2", "disk3"];
