/** Revoked certificates, through the real endpoint and the real daemon: who is refused, what ends, what stays so. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import type { Command } from "../../src/core/command.ts";
import { issueCrl } from "../../src/x509/issue_crl.ts";
import { encodePem } from "../../src/x509/pem.ts";
import { type Host, openHost, sessionChain, Talk, tell } from "../client/lab.ts";
import { name } from "../host/folder.ts";
import { told, until } from "./caller.ts";
import { ask, chunks, delegates, type Holder, hold } from "./endpoint_lab.ts";
import { create, level, openScripted, readGuest } from "./lab.ts";

vi.setConfig({ testTimeout: 60_000 });

const info: Command = { kind: "unikernel-info", form: "current" };
const long = "while :; do sleep 1; done";
const stop = { stale: "refuse", grace: 0, stop: true } as const;
const day = 86_400_000;

function listOf(issuer: Holder, number: number, revoked: readonly Holder[], good: number = day): Uint8Array {
  const now = Math.floor(Date.now() / 1000) * 1000;
  const entries = revoked.map(({ certificate }) => ({ serial: certificate.serial, time: now }));
  const common = { issuer: issuer.certificate, issuerKey: issuer.key, number };
  return issueCrl({ ...common, thisUpdate: now - day, nextUpdate: now + good, revoked: entries });
}

/** What a command in a leaf of the first issuer is answered. */
async function say(
  port: number,
  issuers: readonly [Holder, ...Holder[]],
  command: Command,
  name = ".",
): Promise<string> {
  const leaf = hold({ profile: "client", name, issuer: issuers[0], command });
  return told(await ask(port, [leaf, ...issuers]));
}

function push(port: number, issuers: readonly [Holder, ...Holder[]], crl: Uint8Array): Promise<string> {
  return say(port, issuers, { kind: "push-crl", crl, authority: issuers[0].certificate.raw });
}

const revoked =
  /^refused: the certificate of alice:bob \(serial number [0-9a-f]+\) was revoked at \S+Z, says revocation list 1 of alice$/;

async function createBobs({ port, pki }: Host): Promise<void> {
  const command = create(new Uint8Array(0));
  const leaf = hold({ profile: "client", name: "vm", issuer: pki.bob, command });
  const created = await ask(port, [leaf, pki.bob, pki.alice], chunks(readGuest("hello.spt")));
  expect(told(created)).toBe("created unikernel");
}

test("a list that alice pushes ends bob's session and subscriptions at once, and nothing of his is taken again", async () => {
  const host = await openHost(openScripted(long));
  const { port, pki, place, restart } = host;
  await createBobs(host);
  const bobs = new Talk(port, sessionChain([pki.bob, pki.alice]));
  const idle = new Talk(port, sessionChain([pki.bob, pki.alice]));
  const alices = new Talk(port, sessionChain([pki.alice]));
  bobs.say(1, ":", info);
  alices.say(1, ":", info);
  const watching = (["console-subscribe", "stats-subscribe", "log-subscribe"] as const).map((kind) => {
    const command: Command = kind === "console-subscribe" ? { kind, from: { kind: "count", count: 1 } } : { kind };
    return new Talk(port, [hold({ profile: "client", name: "vm", issuer: pki.bob, command }), pki.bob, pki.alice]);
  });
  await Promise.all([bobs, alices, ...watching].map((one) => one.heard(1)));
  expect(await push(port, [pki.alice], listOf(pki.alice, 1, [pki.bob]))).toBe("took revocation list 1 of alice");
  for (const one of [bobs, idle, ...watching]) {
    await one.closed;
    expect(
      one.wires
        .map(tell)
        .at(-1)
        ?.replace(/^0 \S+ /, ""),
    ).toMatch(revoked);
  }
  for (const command of [info, { kind: "session" }, { kind: "unikernel-destroy" }] as const) {
    expect(await say(port, [pki.bob, pki.alice], command)).toMatch(revoked);
  }
  alices.say(2, ":", info);
  expect((await alices.heard(2)).map(tell)).toEqual(["1 alice: unikernels", "2 alice: unikernels"]);
  expect(place.tenders()).toHaveLength(1);
  await restart();
  expect(await say(port, [pki.bob, pki.alice], info)).toMatch(revoked);
  expect(await push(port, [pki.alice], listOf(pki.alice, 1, []))).toBe(
    "refused: revocation list 1 of alice is not newer than number 1, which is in force",
  );
  expect(await push(port, [pki.alice], listOf(pki.alice, 2, []))).toBe("took revocation list 2 of alice");
  expect(await say(port, [pki.bob, pki.alice], info)).toBe("success");
});

test("an upload that is under way ends when its chain is revoked, and leaves nothing", async () => {
  const { port, pki, place } = await openHost(openScripted(long));
  const leaf = hold({ profile: "client", name: "vm", issuer: pki.bob, command: create(new Uint8Array(0)) });
  const talk = new Talk(port, [leaf, pki.bob, pki.alice]);
  talk.socket.on("secureConnect", () => talk.socket.write(chunks(readGuest("hello.spt")).subarray(0, 5_000)));
  await until(() => place.log.includes("chain") || place.images().length > 0, "the upload has begun");
  expect(await push(port, [pki.alice], listOf(pki.alice, 1, [pki.bob]))).toBe("took revocation list 1 of alice");
  await talk.closed;
  expect(
    talk.wires
      .map(tell)
      .at(-1)
      ?.replace(/^0 \S+ /, ""),
  ).toMatch(revoked);
  await until(() => place.images().length === 0, `nothing is left of the upload: ${place.images()}`);
  expect(await place.infos()).toEqual([]);
});

test("nobody pushes a list that is not of the authority that signed him, whatever he says", async () => {
  const { port, pki } = await openHost(openScripted(long));
  const foreign = /^refused: revocation list of root: it must be by the authority that signed/;
  const roots: Command = { kind: "push-crl", crl: listOf(pki.root, 1, [pki.bob]), authority: pki.root.certificate.raw };
  expect(await say(port, [pki.alice], roots)).toMatch(foreign);
  const forged: Command = { ...roots, authority: pki.alice.certificate.raw };
  expect(await say(port, [pki.alice], forged)).toBe(
    "refused: the revocation list is not taken: it is of another authority",
  );
  const double = hold({ name: "alice", issuer: pki.bob, command: delegates });
  const bobs: Command = { kind: "push-crl", crl: listOf(double, 1, []), authority: pki.alice.certificate.raw };
  expect(await say(port, [pki.alice], bobs)).toBe(
    "refused: the revocation list is not taken: its signature is not by the authority",
  );
  expect(await push(port, [pki.alice], Buffer.from("garbage"))).toMatch(/^refused: the revocation list is not taken: /);
});

test("where the host says so, what is below a revoked delegation stops, stays so over a restart, and comes back", async () => {
  const host = await openHost(openScripted(long), { daemon: { revocation: stop } });
  const { port, pki, place, restart } = host;
  await createBobs(host);
  expect(await push(port, [pki.alice], listOf(pki.alice, 1, [pki.bob]))).toBe("took revocation list 1 of alice");
  await until(() => place.tenders().length === 0, "bob's unikernel has ended");
  await restart();
  expect(await place.ask("alice:bob:vm", { kind: "unikernel-restart" })).toMatch(
    /^refused: nothing starts at alice:bob and below: the certificate of alice:bob/,
  );
  expect(place.tenders()).toEqual([]);
  const again = hold({ name: "bob", issuer: pki.alice, command: delegates, notBefore: Date.now() - 1000 });
  expect(await say(port, [again, pki.alice], info)).toBe("success");
  await until(() => place.tenders().length === 1, "bob's unikernel runs again");
});

test("a stale list refuses everybody below its authority until it is renewed", async () => {
  const { port, pki } = await openHost(openScripted(long));
  expect(await push(port, [pki.alice], listOf(pki.alice, 1, [], 2000))).toBe("took revocation list 1 of alice");
  const stale = /^refused: revocation list 1 of alice was good until \S+Z: nobody whose certificate alice signed/;
  await until(async () => stale.test(await say(port, [pki.bob, pki.alice], info)), "the list is stale");
  expect(await say(port, [pki.alice], info)).toMatch(stale);
  expect(await push(port, [pki.alice], listOf(pki.alice, 2, []))).toBe("took revocation list 2 of alice");
  expect(await say(port, [pki.bob, pki.alice], info)).toBe("success");
});

test("the endpoint takes the lists of a folder, follows it, and loses none by a bad file or a missing one", async () => {
  const place = openScripted(long);
  const crl = join(place.folder, "crls");
  mkdirSync(crl);
  const put = (file: string, text: string): void => writeFileSync(join(crl, file), text);
  put("bad.pem", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n");
  const { port, pki, log, restart } = await openHost(place, { crl });
  expect(log()).toContain("cannot read a revocation list");
  expect(await say(port, [pki.alice], info)).toBe("success");
  const bobs = new Talk(port, sessionChain([pki.bob, pki.alice]));
  bobs.say(1, ":", info);
  await bobs.heard(1);
  put("alice.pem", encodePem("X509 CRL", listOf(pki.alice, 1, [pki.bob])));
  await bobs.closed;
  expect(bobs.wires.map(tell)[1]).toMatch(/^0 \S+ refused: the certificate of alice:bob/);
  put("root.pem", encodePem("X509 CRL", listOf(pki.root, 5, [pki.alice])));
  const alices =
    /^refused: the certificate of alice \(serial number \S+\) was revoked at \S+Z, says revocation list 5 of root/;
  await until(async () => alices.test(await say(port, [pki.alice], info)), "the root's list is read");
  const older: Command = { kind: "push-crl", crl: listOf(pki.root, 1, []), authority: pki.root.certificate.raw };
  const known = /not newer than number 5/;
  await until(() => log().includes('"file":"root.pem","msg":"the daemon has'), "the daemon has it");
  expect(await place.ask(":", older)).toMatch(known);
  put("root.pem", encodePem("X509 CRL", listOf(pki.root, 4, [])));
  rmSync(join(crl, "alice.pem"));
  await until(() => log().includes("a revocation list is not taken"), "the older list is not taken");
  expect(await say(port, [pki.alice], info)).toMatch(alices);
  await restart();
  expect(await say(port, [pki.alice], info)).toMatch(alices);
});

test("alice locks bob out at once, and lets him in again; his guests go on", async () => {
  const host = await openHost(openScripted(long));
  const { port, pki, place, restart } = host;
  await createBobs(host);
  const bobs = new Talk(port, sessionChain([pki.bob, pki.alice]));
  bobs.say(1, ":", info);
  await bobs.heard(1);
  const { path: bob } = name("bob:");
  expect(await say(port, [pki.alice], { kind: "lock", path: bob })).toBe("locked alice:bob");
  await bobs.closed;
  expect(bobs.wires.map(tell)[1]).toBe("0 alice:bob: refused: alice:bob is locked by alice");
  await restart();
  expect(await say(port, [pki.bob, pki.alice], info)).toBe("refused: alice:bob is locked by alice");
  expect(await place.ask("alice:bob:more", create(readGuest("hello.spt")))).toBe(
    "refused: alice:bob is locked by alice",
  );
  expect(place.tenders()).toHaveLength(1);
  expect(await say(port, [pki.alice], { kind: "unlock", path: bob })).toBe("unlocked alice:bob");
  expect(await say(port, [pki.bob, pki.alice], info)).toBe("success");
});

test("a delegate's list is small, and once there is one no chain passes whose certificates are not named", async () => {
  const { port, pki, place } = await openHost(openScripted(long));
  const many = Array.from({ length: 3000 }, (_, index) => ({
    serial: Uint8Array.of(1, index >> 8, index & 255),
    time: 0,
  }));
  const common = { issuer: pki.alice.certificate, issuerKey: pki.alice.key, number: 1, thisUpdate: 0 };
  const large = issueCrl({ ...common, nextUpdate: Date.now() + day, revoked: many });
  expect(await push(port, [pki.alice], large)).toMatch(
    /^refused: .* a delegate's has at most 65536 bytes, this one \d+$/,
  );
  const nameless = async (): Promise<string> => {
    const caller = await place.call("chain");
    caller.ask([level("alice")], "", info);
    return told(await caller.next());
  };
  expect(await nameless()).toBe("success");
  expect(await push(port, [pki.alice], listOf(pki.alice, 1, []))).toBe("took revocation list 1 of alice");
  expect(await nameless()).toMatch(
    /^refused: looking for revoked certificates: the endpoint does not say which they are/,
  );
});
