/**
 * The steps that are interrupted: each one command, or the start or the end of
 * a daemon, with what is there before.
 *
 * @module
 */
import type { Client, CreateOptions } from "../src/client/main.ts";
import { fillAuditLog } from "./audit_fill.ts";
import { alicesList, alicesPolicy, bobsClient } from "./delegates.ts";
import type { Place } from "./place.ts";

export interface Step {
  readonly name: string;
  /** What is there before any daemon. */
  readonly furnish?: (place: Place) => Promise<void>;
  /** Whether no daemon was ever there. */
  readonly fresh?: true;
  /** What is there before; done without any interruption. */
  readonly prepare: (client: Client, place: Place) => Promise<void>;
  /** What is done, and traced: a command to the daemon, or the start of a program. */
  readonly act: Command | Start;
  /** Further lines of what is kept. */
  readonly look?: (place: Place) => Promise<readonly string[]>;
  /** Words of the daemon. */
  readonly words?: readonly string[];
  /** Lines of what is kept that come with the request, and may be there before it is carried out. */
  readonly early?: RegExp;
  /** Whether the bystander is stopped, too. */
  readonly stopsAll?: true;
  /** Whether no guest runs once it is done, and until the next daemon is started. */
  readonly leavesNone?: true;
}

type Command = (client: Client, place: Place) => Promise<void>;

/** What is started where the daemon was killed, its guests run on or not. */
interface Start {
  readonly starts: "daemon" | "stop-guests";
  readonly guests: "run" | "gone";
}

/** A unikernel that nothing is done to, whatever becomes of the others: it must not notice. */
export const bystander = "alice:bystander";

export async function prepareAll(client: Client, place: Place): Promise<void> {
  await client.addPolicy("alice", alicesPolicy);
  await client.create(bystander, { image: place.image("hello"), memory: 16, arguments: ["bystander"] });
}

const nothing = async (): Promise<void> => undefined;
const hello = async (client: Client, place: Place): Promise<void> =>
  client.create("alice:vm", { image: place.image("hello_net"), memory: 24, bridges: ["service"], arguments: ["old"] });
const device = async (client: Client): Promise<void> => client.blocks.create("alice:storage", 1);
const content = (byte: number): Uint8Array => new Uint8Array(300_000).fill(byte);
const onBlock = async (client: Client, place: Place): Promise<void> => {
  await device(client);
  await client.create("alice:vm", { image: place.image("hello_block"), memory: 24, blocks: ["storage"] });
};
const replace =
  (word: string, more: Partial<CreateOptions> = {}) =>
  (client: Client, place: Place): Promise<void> =>
    client.create("alice:vm", {
      ...{ image: place.image("hello"), memory: 32, arguments: [word], replace: true },
      ...more,
    });
const setDevice =
  (byte: number) =>
  (client: Client): Promise<void> =>
    client.blocks.set("alice:storage", content(byte), { compression: 1 });

/** Whether the list that alice pushed holds. */
const lookAtRevocation = async (place: Place): Promise<readonly string[]> => {
  const bob = bobsClient(place.tmpdir);
  const told = await bob.info().then(
    () => "admitted",
    (error: unknown) => (error instanceof Error && /revoked/.test(error.message) ? "revoked" : String(error)),
  );
  await bob.close();
  return [`bob ${told}`];
};

export const steps: readonly Step[] = [
  {
    name: "policy-add",
    prepare: nothing,
    act: (client) => client.addPolicy("bob", alicesPolicy),
  },
  {
    name: "policy-change",
    prepare: nothing,
    act: (client) => client.addPolicy("alice", { ...alicesPolicy, unikernels: 5 }),
  },
  {
    name: "policy-remove",
    prepare: (client) => client.addPolicy("bob", alicesPolicy),
    act: (client) => client.removePolicy("bob"),
  },
  {
    name: "policy-add-and-audit-roll",
    furnish: fillAuditLog,
    words: ["--audit-size", "1"],
    prepare: nothing,
    act: (client) => client.addPolicy("bob", alicesPolicy),
  },
  { name: "lock", prepare: nothing, act: (client) => client.trust.lock("alice") },
  {
    name: "unlock",
    prepare: (client) => client.trust.lock("alice"),
    act: (client) => client.trust.unlock("alice"),
  },
  {
    name: "push-crl",
    prepare: async (client, place) => {
      await client.trust.pushCrl(...alicesList(1, false));
      // His policy comes with his first request.
      await lookAtRevocation(place);
    },
    act: (client) => client.trust.pushCrl(...alicesList(2, true)),
    look: lookAtRevocation,
  },
  { name: "create", prepare: nothing, act: hello },
  {
    name: "create-on-block",
    prepare: device,
    act: (client, place) =>
      client.create("alice:vm", { image: place.image("hello_block"), memory: 24, blocks: ["storage"] }),
  },
  {
    name: "create-through-a-chain",
    prepare: nothing,
    // What a certificate grants is granted whatever becomes of the command with it, unless that is refused.
    early: /^policy .*"path":"alice:bob"/,
    act: async (_, place) => {
      const bob = bobsClient(place.tmpdir);
      await bob.create("vm", { image: place.image("hello"), memory: 24 }).finally(() => bob.close());
    },
  },
  { name: "force-create", prepare: hello, act: replace("new") },
  { name: "force-create-that-cannot-start", prepare: hello, act: replace("bad") },
  {
    name: "update-that-is-not-healthy",
    prepare: hello,
    act: replace("new", { healthyAfter: 300, health: "console:never" }),
  },
  { name: "restart", prepare: hello, act: (client) => client.restart("alice:vm") },
  {
    name: "restart-with-arguments",
    prepare: hello,
    act: (client) => client.restart("alice:vm", { memory: 24, bridges: ["service"], arguments: ["new"] }),
  },
  { name: "destroy", prepare: hello, act: (client) => client.destroy("alice:vm") },
  { name: "destroy-on-block", prepare: onBlock, act: (client) => client.destroy("alice:vm") },
  { name: "block-create", prepare: nothing, act: device },
  {
    name: "block-set",
    prepare: async (client) => {
      await device(client);
      await setDevice(1)(client);
    },
    act: setDevice(2),
  },
  { name: "block-remove", prepare: device, act: (client) => client.blocks.remove("alice:storage") },
  { name: "first-start", fresh: true, prepare: nothing, act: { starts: "daemon", guests: "run" }, stopsAll: true },
  { name: "start-of-a-daemon", prepare: hello, act: { starts: "daemon", guests: "run" } },
  { name: "start-of-the-host", prepare: hello, act: { starts: "daemon", guests: "gone" }, stopsAll: true },
  {
    name: "stop-guests",
    prepare: hello,
    act: async (_, place) => {
      if (!(await place.stopGuests())) throw new Error("not done");
    },
    stopsAll: true,
    leavesNone: true,
  },
  {
    name: "stop-guests-without-daemon",
    prepare: hello,
    act: { starts: "stop-guests", guests: "run" },
    stopsAll: true,
    leavesNone: true,
  },
];
