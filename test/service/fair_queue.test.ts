import { expect, test } from "vitest";
import { FairQueue } from "../../src/service/fair_queue.ts";
import { until } from "./caller.ts";

const wide = { requests: 100, waiting: 100, rate: 1_000_000 };

/** Takes a turn, and tells by its number that it came. */
function asking(queue: FairQueue, key: string, order: string[], ends: (() => void)[] = []): void {
  void queue.take(key).then((end) => {
    order.push(end === undefined ? `${key} refused` : key);
    if (end !== undefined) ends.push(end);
  });
}

test("FairQueue lets nobody wait where there is room", async () => {
  const queue = new FairQueue(wide, () => 0);
  const order: string[] = [];
  for (let index = 0; index < 50; index++) asking(queue, "eve", order);
  await Promise.resolve();
  expect(order).toHaveLength(50);
});

test("FairQueue begins one of each delegate before a second one of any", async () => {
  const queue = new FairQueue({ ...wide, requests: 1 }, () => 0);
  const order: string[] = [];
  const ends: (() => void)[] = [];
  for (let index = 0; index < 6; index++) asking(queue, "eve", order, ends);
  asking(queue, "bob", order, ends);
  asking(queue, "carol", order, ends);
  await until(() => order.length === 3, "one of each");
  expect(order).toEqual(["eve", "bob", "carol"]);
  for (let done = 0; done < 8; done++) {
    await until(() => ends.length > done, "the next");
    ends[done]?.();
  }
  expect(order).toEqual(["eve", "bob", "carol", "eve", "eve", "eve", "eve", "eve"]);
});

test("FairQueue refuses one more than may wait, of that delegate alone", async () => {
  const queue = new FairQueue({ requests: 1, waiting: 2, rate: 100 }, () => 0);
  const order: string[] = [];
  for (const key of ["eve", "eve", "eve", "eve", "bob"]) asking(queue, key, order);
  await until(() => order.length === 3, "three answers");
  expect(order.toSorted((a, b) => a.localeCompare(b))).toEqual(["bob", "eve", "eve refused"]);
});

test("FairQueue begins no more in a second than the rate, and loses none", async () => {
  let now = 0;
  const queue = new FairQueue({ ...wide, rate: 10 }, () => now);
  const order: string[] = [];
  const ends: (() => void)[] = [];
  for (let index = 0; index < 25; index++) asking(queue, "eve", order, ends);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(order).toHaveLength(10);
  now = 1000;
  await until(() => order.length === 20, "ten more");
  now = 2000;
  await until(() => order.length === 25, "the rest");
});

test("FairQueue lets others in between requests that are done as soon as they begin", async () => {
  let now = 0;
  const queue = new FairQueue(wide, () => now);
  let done = 0;
  const ask = async (): Promise<void> => {
    for (let left = 25; left > 0; left--) {
      const end = await queue.take("eve");
      now += 1;
      done += 1;
      end?.();
    }
  };
  const eves = Promise.all([ask(), ask(), ask(), ask()]);
  await new Promise((resolve) => setImmediate(resolve));
  const before = done;
  expect(before).toBeLessThan(10);
  const end = await queue.take("bob");
  expect(done - before).toBeLessThan(10);
  end?.();
  await eves;
  expect(done).toBe(100);
});

test("FairQueue keeps nobody waiting for another one's rate", async () => {
  const queue = new FairQueue({ ...wide, rate: 1 }, () => 0);
  const order: string[] = [];
  for (const key of ["eve", "eve", "bob"]) {
    asking(queue, key, order);
    for (let turns = 0; turns < 10; turns++) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(order).toEqual(["eve", "bob"]);
});

test("FairQueue refuses nobody who waits for another one's turn alone", async () => {
  let now = 0;
  const queue = new FairQueue({ requests: 2, waiting: 0, rate: 100 }, () => now);
  const order: string[] = [];
  asking(queue, "eve", order);
  now += 5;
  for (const key of ["bob", "bob", "bob"]) asking(queue, key, order);
  await until(() => order.length === 4, "an answer each");
  expect(order.toSorted((a, b) => a.localeCompare(b))).toEqual(["bob", "bob", "bob refused", "eve"]);
});

test("FairQueue comes back to whom his rate holds back when the one before him ends", async () => {
  let now = 0;
  const queue = new FairQueue({ ...wide, requests: 1, rate: 1 }, () => now);
  const order: string[] = [];
  const ends: (() => void)[] = [];
  for (let index = 0; index < 2; index++) asking(queue, "eve", order, ends);
  for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve));
  ends[0]?.();
  await new Promise((resolve) => setImmediate(resolve));
  now = 1000;
  await until(() => order.length === 2, "the second one");
});
