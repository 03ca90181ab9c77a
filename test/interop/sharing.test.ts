/**
 * Alice may run two unikernels and has delegated two each to Bob and Charlie:
 * the three never run more than two, whoever asks when, and how many at once.
 */
import { expect, type TestContext, test } from "vitest";
import type { Command } from "../../src/core/command.ts";
import { ask, delegates, type Holder, hold, makePki } from "../service/endpoint_lab.ts";
import { config, create, hear, type Lab, openLab } from "./lab.ts";

type Person = "alice" | "bob" | "charlie";
type Share = Lab & { readonly people: Readonly<Record<Person, readonly Holder[]>> };

const info: Command = { kind: "unikernel-info", form: "current" };
const full = "cannot exceed the policy of alice: 2 unikernels allowed, 2 used, 1 more asked for";
const orders: readonly (readonly [Person, Person, Person])[] = [
  ["alice", "bob", "charlie"],
  ["alice", "charlie", "bob"],
  ["bob", "alice", "charlie"],
  ["bob", "charlie", "alice"],
  ["charlie", "alice", "bob"],
  ["charlie", "bob", "alice"],
];

test("in each order of the three, two run and the third is refused", { timeout: 60_000 }, async (context) => {
  const lab = await openShare(context);
  const starts = (who: Person, label: string) => request(lab, who, label, create(lab.image));
  const ends = (who: Person, label: string) => request(lab, who, label, { kind: "unikernel-destroy" });
  for (const order of orders) {
    const [first, second, third] = order;
    expect(await starts(first, "one")).toBe("created unikernel");
    expect(await starts(second, "one")).toBe("created unikernel");
    for (const who of [third, first, second]) expect(await starts(who, "two")).toBe(full);
    expect(await ends(second, "one")).toBe("destroyed unikernel");
    expect(await starts(third, "two")).toBe("created unikernel");
    for (const who of order) expect(await starts(who, "three")).toBe(full);
    expect(await running(lab)).toBe(2);
    expect(await ends(first, "one")).toBe("destroyed unikernel");
    expect(await ends(third, "two")).toBe("destroyed unikernel");
  }
});

test("of fifty that ask at once, two get what they want", { timeout: 90_000 }, async (context) => {
  const lab = await openShare(context);
  const asked = Array.from({ length: 50 }, (_, index) => {
    const image = index % 2 === 0 ? lab.image : undefined;
    return request(lab, personOf(index), `u${index}`, create(image), image === undefined ? lab.image : undefined);
  });
  const { value: answers, most } = await watched(lab, Promise.all(asked));
  expect(answers.filter((answer) => answer === "created unikernel")).toHaveLength(2);
  expect(answers.filter((answer) => answer === full)).toHaveLength(48);
  expect(most).toBeLessThanOrEqual(2);
  expect(await running(lab)).toBe(2);
});

test("fifty that start, replace, restart and destroy at once never get a third", {
  timeout: 90_000,
}, async (context) => {
  const lab = await openShare(context);
  const commands: readonly Command[] = [
    create(lab.image),
    create(lab.image, true),
    { kind: "unikernel-restart", settings: { ...config, arguments: ["again"] } },
    { kind: "unikernel-destroy" },
    create(lab.image),
  ];
  const asked = Array.from({ length: 50 }, (_, index) => {
    const command = commands[(index * 7) % commands.length] ?? info;
    return request(lab, personOf(index), `u${index % 4}`, command);
  });
  const { value: answers, most } = await watched(lab, Promise.all(asked));
  for (const answer of answers) if (answer.startsWith("cannot exceed")) expect(answer).toBe(full);
  expect(answers).toContain("created unikernel");
  expect(most).toBeLessThanOrEqual(2);
  expect(await running(lab)).toBeLessThanOrEqual(2);
});

async function openShare(context: TestContext): Promise<Share> {
  const { root, server, alice, bob } = makePki();
  const charlie = hold({ name: "charlie", issuer: alice, command: delegates });
  const people = { alice: [alice], bob: [bob, alice], charlie: [charlie, alice] };
  return { ...(await openLab(context, root, server)), people };
}

function request(lab: Share, who: Person, name: string, command: Command, streamed?: Uint8Array): Promise<string> {
  return hear(lab, chainFor(lab, who, name, command), streamed);
}

function chainFor({ people }: Share, who: Person, name: string, command: Command): readonly Holder[] {
  const [issuer] = people[who];
  if (issuer === undefined) throw new Error(`${who} is nobody`);
  return [hold({ profile: "client", name, issuer, command }), ...people[who]];
}

function personOf(index: number): Person {
  return (["alice", "bob", "charlie"] as const)[index % 3] ?? "alice";
}

/** How many unikernels `info` shows to Alice, and tenders there are: the same. */
async function running(lab: Share): Promise<number> {
  const { payload } = await ask(lab.port, chainFor(lab, "alice", ".", info));
  if (payload.kind !== "success" || payload.success.kind !== "unikernels") throw new Error(payload.kind);
  await lab.place.untilGuests(payload.success.unikernels.length);
  return payload.success.unikernels.length;
}

/** Counts tenders until the work is done. */
async function watched<T>({ place }: Lab, work: Promise<T>): Promise<{ readonly value: T; readonly most: number }> {
  let most = 0;
  const timer = setInterval(() => {
    most = Math.max(most, place.guests());
  }, 10);
  const value = await work.finally(() => clearInterval(timer));
  return { value, most };
}
