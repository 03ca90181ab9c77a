/**
 * The steps that are interrupted: each one command, with what is there before.
 *
 * @module
 */
import type { Client } from "../src/client/main.ts";
import type { Place } from "./place.ts";

export interface Step {
  readonly name: string;
  /** What is there before; done without any interruption. */
  readonly prepare: (client: Client, place: Place) => Promise<void>;
  /** The one command; absent: what is tried is the start of a daemon that finds all that. */
  readonly act?: (client: Client, place: Place) => Promise<void>;
}

const policy = { unikernels: 3, memory: 256, cpuids: [0], block: 8, bridges: ["service"] };
const larger = { ...policy, unikernels: 5 };

/** A unikernel that nothing is done to, whatever becomes of the others: it must not notice. */
export const bystander = "alice:bystander";

export async function prepareAll(client: Client, place: Place): Promise<void> {
  await client.addPolicy("alice", policy);
  await client.create(bystander, { image: place.image("hello"), memory: 16, arguments: ["bystander"] });
}

const nothing = async (): Promise<void> => undefined;
const hello = async (client: Client, place: Place): Promise<void> =>
  client.create("alice:vm", { image: place.image("hello_net"), memory: 24, bridges: ["service"], arguments: ["old"] });
const device = async (client: Client): Promise<void> => client.blocks.create("alice:storage", 1);
const content = (byte: number): Uint8Array => new Uint8Array(300_000).fill(byte);

export const steps: readonly Step[] = [
  { name: "policy-add", prepare: nothing, act: (client) => client.addPolicy("bob", policy) },
  { name: "policy-change", prepare: nothing, act: (client) => client.addPolicy("alice", larger) },
  {
    name: "policy-remove",
    prepare: (client) => client.addPolicy("bob", policy),
    act: (client) => client.removePolicy("bob"),
  },
  { name: "create", prepare: nothing, act: hello },
  {
    name: "create-on-block",
    prepare: device,
    act: (client, place) =>
      client.create("alice:vm", { image: place.image("hello_block"), memory: 24, blocks: ["storage"] }),
  },
  {
    name: "force-create",
    prepare: hello,
    act: (client, place) =>
      client.create("alice:vm", { image: place.image("hello"), memory: 32, arguments: ["new"], replace: true }),
  },
  {
    name: "force-create-that-cannot-start",
    prepare: hello,
    act: (client, place) =>
      client.create("alice:vm", { image: place.image("hello"), memory: 32, arguments: ["bad"], replace: true }),
  },
  { name: "restart", prepare: hello, act: (client) => client.restart("alice:vm") },
  {
    name: "restart-with-arguments",
    prepare: hello,
    act: (client) => client.restart("alice:vm", { memory: 24, bridges: ["service"], arguments: ["new"] }),
  },
  { name: "destroy", prepare: hello, act: (client) => client.destroy("alice:vm") },
  { name: "block-create", prepare: nothing, act: device },
  {
    name: "block-set",
    prepare: async (client) => {
      await device(client);
      await client.blocks.set("alice:storage", content(1));
    },
    act: (client) => client.blocks.set("alice:storage", content(2), { compression: 1 }),
  },
  { name: "start-of-a-daemon", prepare: hello },
  { name: "block-remove", prepare: device, act: (client) => client.blocks.remove("alice:storage") },
];
