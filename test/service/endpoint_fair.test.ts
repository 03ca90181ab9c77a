/** A tenant who asks as much as he can, and how much of it is done between two requests of his neighbour's. */
import type { Socket } from "node:net";
import { expect, test } from "vitest";
import { FrameReader } from "../../src/codec/frame.ts";
import type { Command } from "../../src/core/command.ts";
import { openHost, sessionChain, Talk } from "../client/lab.ts";
import { expectOk } from "../host/folder.ts";
import { until } from "./caller.ts";
import { type Asked, delegates, hold, openDescriptors, openLab, reply } from "./endpoint_lab.ts";

const info: Command = { kind: "unikernel-info", form: "current" };

test("of a hundred sessions that ask without a pause, some hundred requests come between two of a neighbour's", async () => {
  const { port, pki, place } = await openHost();
  const before = openDescriptors();
  const mallory = hold({ name: "mallory", issuer: pki.root, command: delegates });
  const chain = sessionChain([mallory]);
  const flood = Array.from({ length: 100 }, () => new Talk(port, chain));
  const alice = new Talk(port, sessionChain([pki.alice]));
  for (const talk of [alice, ...flood]) talk.say(0, ":", info);
  for (const talk of [alice, ...flood]) await talk.heard(1);
  const begun = place.log.length;
  for (const talk of flood) for (let index = 1; index <= 400; index++) talk.say(index, ":", info);
  for (let index = 1; index <= 20; index++) {
    alice.say(index, ":", info);
    await alice.heard(index + 1);
  }
  const decided = [...place.log.slice(begun).matchAll(/"target":"(alice|mallory):"/g)].map(([, whose]) => whose);
  const between = decided
    .join(" ")
    .split("alice")
    .map((others) => others.split("mallory").length - 1);
  expect(between.slice(0, 20)).toHaveLength(20);
  expect(Math.max(...between.slice(0, 20))).toBeLessThan(1000);
  for (const talk of [alice, ...flood]) talk.socket.destroy();
  await until(() => openDescriptors() <= before, `${before} descriptors`);
}, 60_000);

test("all sessions of a delegate have so many commands unanswered together, and take turns", async () => {
  const open: { readonly asked: Asked; readonly socket: Socket; answered: number }[] = [];
  const { port, pki } = await openLab({
    limits: { unansweredPerDelegate: 8 },
    answer: (asked, socket) => open.push({ asked, socket, answered: 0 }),
  });
  const mallory = sessionChain([hold({ name: "mallory", issuer: pki.root, command: delegates })]);
  const flood = [mallory, mallory, mallory].map((chain) => new Talk(port, chain));
  for (const talk of flood) for (let index = 1; index <= 10; index++) talk.say(index, ":", info);
  await until(() => total(open) === 8, "eight commands");
  new Talk(port, sessionChain([pki.alice])).say(1, ":", info);
  await until(() => total(open) === 9, "one of alice's");
  for (let round = 1; total(open) < 31; round++) {
    const [first, second] = open.map(({ asked }) => count(asked));
    for (const session of open) answer(session);
    await until(() => open.slice(0, 3).some(({ asked, answered }) => count(asked) > answered), `round ${round}`);
    expect([first, second]).not.toEqual([10, 0]);
  }
  expect(open.slice(0, 3).map(({ asked }) => count(asked))).toEqual([10, 10, 10]);
});

test("a session whose client does not read keeps no other one of its delegate's waiting, and is counted again when it reads", async () => {
  const open: { readonly asked: Asked; readonly socket: Socket; answered: number }[] = [];
  const { port, pki } = await openLab({
    limits: { unansweredPerDelegate: 8 },
    answer: (asked, socket) => open.push({ asked, socket, answered: 0 }),
  });
  const mallory = sessionChain([hold({ name: "mallory", issuer: pki.root, command: delegates })]);
  const deaf = new Talk(port, mallory);
  for (let index = 1; index <= 20; index++) deaf.say(index, ":", info);
  await until(() => total(open) === 8, "eight commands");
  deaf.socket.pause();
  for (const session of open) {
    session.socket.write(reply(session.asked, "a".repeat(32 * 1024 * 1024)));
    session.answered = 1;
  }
  const other = new Talk(port, mallory);
  for (let index = 1; index <= 20; index++) other.say(index, ":", info);
  await until(() => total(open) === 16, "eight of another session's");
  deaf.socket.resume();
  await deaf.heard(1);
  const unanswered: number[] = [];
  for (let round = 1; total(open) < 40; round++) {
    const before = total(open);
    for (const session of open) answer(session);
    await until(() => total(open) > before, `round ${round}`);
    unanswered.push(total(open) - before);
  }
  expect(Math.max(...unanswered)).toBeLessThanOrEqual(8);
  for (const session of open) answer(session);
  await Promise.all([deaf.heard(20), other.heard(20)]);
});

/** Commands that a session has passed on. */
function count(asked: Asked): number {
  return expectOk(new FrameReader(10_000).push(asked.behind())).length;
}

function total(open: readonly { readonly asked: Asked }[]): number {
  return open.reduce((sum, { asked }) => sum + count(asked), 0);
}

function answer(session: { readonly asked: Asked; readonly socket: Socket; answered: number }): void {
  for (; session.answered < count(session.asked); session.answered++)
    session.socket.write(reply(session.asked, "done"));
}
