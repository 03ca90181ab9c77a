/** What becomes of subscriptions whose certificates run out, and of one whose client leaves. */
import { expect, test, vi } from "vitest";
import type { Command } from "../../src/core/command.ts";
import { type Host, openHost, Talk, tell } from "../client/lab.ts";
import { until } from "./caller.ts";
import { hold } from "./endpoint_lab.ts";
import { create, destroy, readGuest } from "./lab.ts";

vi.setConfig({ testTimeout: 60_000 });

const hello = readGuest("hello.spt");
const log: Command = { kind: "log-subscribe" };
const following: Command = { kind: "console-subscribe", from: { kind: "count", count: 10 } };
const stats: Command = { kind: "stats-subscribe" };

/** Follows by a leaf that is good for two or three seconds more. */
function follow({ port, pki }: Host, command: Command): { readonly talk: Talk; readonly notAfter: number } {
  const notAfter = Math.floor(Date.now() / 1000) * 1000 + 3000;
  const leaf = hold({ profile: "client", name: "vm", issuer: pki.alice, command, notAfter });
  return { talk: new Talk(port, [leaf, pki.alice]), notAfter };
}

test("a subscription goes on when its certificates have run out, as tools with certificates of minutes need", async () => {
  const host = await openHost();
  const { talk, notAfter } = follow(host, log);
  await talk.heard(1);
  await until(() => Date.now() > notAfter + 1000, "its certificate has run out");
  const before = talk.wires.length;
  await host.place.ask("alice:vm", create(hello));
  await host.place.ask("alice:vm", destroy);
  await talk.heard(before + 1);
});

test("with --end-subscriptions each ends with its certificates, and says so", async () => {
  const host = await openHost(undefined, { endSubscriptions: true });
  await host.place.ask("alice:vm", create(hello));
  const talks = [log, following, stats].map((command) => follow(host, command));
  for (const { talk, notAfter } of talks) {
    await talk.closed;
    expect(Date.now()).toBeGreaterThanOrEqual(notAfter);
    expect(talk.wires.map(tell)[0]).toBe("0 alice:vm subscribed");
    expect(talk.wires.map(tell).at(-1)).toBe(
      "0 alice:vm refused: the subscription has ended, its certificates were good for no longer",
    );
  }
});
