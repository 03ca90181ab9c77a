import { expect, test } from "vitest";
import { Turns } from "../../src/service/turns.ts";

test("take gives turns one after the other, first come first, and none where too many wait", async () => {
  const turns = new Turns(2);
  const order: string[] = [];
  const run = async (who: string, key = "alice"): Promise<(() => void) | undefined> => {
    const end = await turns.take(key);
    order.push(end === undefined ? `${who} refused` : who);
    return end;
  };
  const first = await run("first");
  const [second, third] = [run("second"), run("third")];
  await run("fourth");
  await run("another's", "bob");
  expect(order).toEqual(["first", "fourth refused", "another's"]);
  first?.();
  (await second)?.();
  (await third)?.();
  expect(order.slice(3)).toEqual(["second", "third"]);
  expect(await turns.take("alice")).toBeDefined();
});

test("whoever leaves the line has no turn, and his place is another's", async () => {
  const turns = new Turns(1);
  const end = await turns.take("alice");
  const [leaving, there] = [new AbortController(), new AbortController()];
  const left = turns.take("alice", leaving.signal);
  expect(await turns.take("alice")).toBeUndefined();
  leaving.abort();
  expect(await left).toBeUndefined();
  expect(await turns.take("bob")).toBeDefined();
  const next = turns.take("alice", there.signal);
  end?.();
  expect(await next).toBeDefined();
  there.abort();
  expect(await turns.take("alice", AbortSignal.abort())).toBeUndefined();
});
