import { createPrivateKey } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import type { Command } from "../../src/core/command.ts";
import { encodeKey } from "../../src/x509/keys.ts";
import { encodeCertificates } from "../../src/x509/pem.ts";
import {
  ask,
  converse,
  delegates,
  dial,
  generateKey,
  type Holder,
  hold,
  type Lab,
  makePki,
  openLab,
  policy,
} from "./endpoint_lab.ts";

const info: Command = { kind: "unikernel-info", form: "current" };

/** The chain is answered with a Failure of exactly that text, and the daemon hears nothing of it. */
async function expectRefusal({ port, asked, log }: Lab, chain: readonly Holder[], text: string): Promise<void> {
  const answer = await ask(port, chain);
  expect(answer.payload).toEqual({ kind: "failure", text });
  expect(answer.header).toMatchObject({ version: 5, sequence: 0n });
  expect(asked).toEqual([]);
  expect(log()).toContain('"msg":"refused"');
}

function leafOf(issuer: Holder, name?: string, command: Command = info): Holder {
  return hold({ profile: "client", ...(name === undefined ? {} : { name }), issuer, command });
}

test("reference bug 5: a leaf with a bad label, without a command, or with a policy is answered with the reason", async () => {
  const lab = await openLab();
  const { alice } = lab.pki;
  const bad = leafOf(alice, "a b");
  await expectRefusal(
    lab,
    [bad, alice],
    "the common name of certificate 1 (a b) is no label: the label a b has a character that is not one of a-z, 0-9, - and . (nor may it begin with -)",
  );
  await expectRefusal(
    lab,
    [hold({ profile: "client", name: "x", issuer: alice }), alice],
    "the first certificate carries no command",
  );
  for (const command of [delegates, { kind: "policy-remove" }] as const) {
    await expectRefusal(
      lab,
      [leafOf(alice, "x", command), alice],
      `the command ${command.kind} cannot be given by certificate`,
    );
  }
});

test("whom the endpoint refuses it says that nothing more comes, as whom it serves", async () => {
  const { port, pki } = await openLab();
  const leaf = leafOf(pki.alice, "x", { kind: "policy-remove" });
  for (const chain of [[], [leaf], [leaf, pki.alice], [leafOf(pki.alice, "x"), pki.alice]]) {
    const tap = await tapTo(port);
    expect(await converse(dial(tap.port, chain))).toHaveLength(1);
    expect(lastRecord(Buffer.concat(tap.heard))).toEqual(closeNotify);
  }
});

/** A port that leads to the endpoint's, and the bytes that come from there. */
async function tapTo(port: number): Promise<{ readonly port: number; readonly heard: readonly Buffer[] }> {
  const heard: Buffer[] = [];
  const server = createServer((client) => {
    const endpoint = connect(port, "127.0.0.1");
    endpoint.on("data", (piece: Buffer) => heard.push(piece));
    endpoint.pipe(client).pipe(endpoint);
  }).listen(0, "127.0.0.1");
  onTestFinished(() => {
    server.close();
  });
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, heard };
}

/** Its header: type, version, length. */
function lastRecord(stream: Buffer): Buffer {
  let last = 0;
  for (let at = 0; at < stream.length; at += 5 + stream.readUInt16BE(at + 3)) last = at;
  return stream.subarray(last, last + 5);
}

/** An encrypted record of 19 bytes: an alert's two, their type, and the tag. All that the endpoint says is longer. */
const closeNotify = Buffer.from("1703030013", "hex");

test("reference bug 5: the answer bears as much of the name as the chain tells", async () => {
  const { port, pki } = await openLab();
  const answer = await ask(port, [leafOf(pki.bob, "x", { kind: "policy-remove" }), pki.bob, pki.alice]);
  expect(answer.header.name).toEqual({ path: ["alice", "bob"], label: "x" });
  const other = await ask(port, [leafOf(pki.bob, "x"), pki.alice]);
  expect(other.header.name).toEqual({ path: [] });
});

test("reference bug 18: a create's command that is no DER is refused", async () => {
  const lab = await openLab();
  const leaf = hold({ profile: "client", name: "x", issuer: lab.pki.alice, extension: Buffer.from("300302", "hex") });
  await expectRefusal(
    lab,
    [leaf, lab.pki.alice],
    "the command of certificate 1 (x) cannot be read: truncated at byte 0",
  );
});

test("reference bug 23: a serverAuth certificate is no client", async () => {
  const lab = await openLab();
  const leaf = hold({ profile: "server", name: "x", issuer: lab.pki.alice, command: info });
  await expectRefusal(lab, [leaf, lab.pki.alice], "certificate 1 (x) is not for a client");
});

test("no certificate, another authority's, an expired one and one too early are refused", async () => {
  const lab = await openLab();
  const { alice, root } = lab.pki;
  await expectRefusal(lab, [], "no certificate was sent besides the authority's own");
  const stranger = hold({ name: "root" });
  await expectRefusal(
    lab,
    [leafOf(stranger, "x")],
    "the signature of certificate 1 (x) is not by the one after it: that one has another key, or one of the two was changed",
  );
  const past = Date.UTC(2026, 0);
  const expired = hold({ profile: "client", name: "x", issuer: alice, command: info, notBefore: past, notAfter: past });
  const late = await ask(lab.port, [expired, alice]);
  expect(late.payload).toMatchObject({
    text: expect.stringMatching(/^certificate 1 \(x\) was valid until 2026-01-01T00:00:00.000Z, now is /),
  });
  const future = hold({ profile: "client", name: "x", issuer: root, command: info, notBefore: Date.now() + 60_000 });
  const early = await ask(lab.port, [future]);
  expect(early.payload).toMatchObject({ text: expect.stringMatching(/^certificate 1 \(x\) is not valid before /) });
  expect(lab.asked).toEqual([]);
});

test("reference bug N1: a forged, expired intermediate before the real one is refused", async () => {
  const lab = await openLab();
  const { alice, root } = lab.pki;
  const richer = { kind: "policy-add", policy: { ...policy, unikernels: 1000 } } as const;
  const forger = { certificate: root.certificate, key: generateKey() };
  const past = Date.UTC(2026, 0);
  const forged = hold({
    name: "alice",
    issuer: forger,
    command: richer,
    key: alice.key,
    notBefore: past,
    notAfter: past,
  });
  const answer = await ask(lab.port, [leafOf(alice, "x"), forged, alice]);
  expect(answer.payload).toMatchObject({
    kind: "failure",
    text: expect.stringContaining("certificate 2 (alice) was valid until"),
  });
  const fresh = hold({ name: "alice", issuer: forger, command: richer, key: alice.key });
  const signed = await ask(lab.port, [leafOf(alice, "x"), fresh]);
  expect(signed.payload).toEqual({
    kind: "failure",
    text: "the signature of certificate 2 (alice) is not by the one after it: that one has another key, or one of the two was changed",
  });
  expect(lab.asked).toEqual([]);
});

test("reference bug N2: a session is never resumed, and a second connection's own chain counts", async () => {
  const { port, pki, asked } = await openLab();
  const chain = [leafOf(pki.alice, "first"), pki.alice];
  const first = dial(port, chain);
  const sessions: Buffer[] = [];
  first.on("session", (session: Buffer) => sessions.push(session));
  await converse(first);
  for (const session of [...sessions, ...sessions]) {
    const again = dial(port, [leafOf(pki.bob, "second"), pki.bob, pki.alice], { session });
    again.once("secureConnect", () => expect(again.isSessionReused()).toBe(false));
    await converse(again);
    expect(asked.at(-1)?.wire.header.name).toEqual({ path: ["alice", "bob"], label: "second" });
  }
});

test("reference bug N3: every certificate of the longest path is seen", async () => {
  const { port, pki, asked } = await openLab();
  const chain = [pki.alice];
  for (let depth = 1; depth < 8; depth++) {
    const [issuer] = chain;
    if (issuer !== undefined) chain.unshift(hold({ name: `level${depth}`, issuer, command: delegates }));
  }
  const [last = pki.alice] = chain;
  await ask(port, [leafOf(last, "x"), ...chain, pki.root]);
  expect(asked[0]?.request.levels).toHaveLength(8);
  const deeper = hold({ name: "deeper", issuer: last, command: delegates });
  const answer = await ask(port, [leafOf(deeper, "x"), deeper, ...chain]);
  expect(answer.payload).toEqual({ kind: "failure", text: "the chain has 10 certificates, at most 9 are allowed" });
  const many = await ask(port, [...chain, ...chain, ...chain, ...chain]);
  expect(many.payload).toEqual({ kind: "failure", text: "more than 16 certificates were sent" });
});

test("reference bug N4: certificates over 100 KiB are refused where there is no place for large ones, and the log says so once", async () => {
  const { port, pki, log, asked } = await openLab({ limits: { large: 0 } });
  const command = { kind: "block-set", compressed: false, data: new Uint8Array(110_000) } as const;
  const chain = [leafOf(pki.alice, "x", command), pki.alice];
  for (let n = 0; n < 2; n++) await expect(converse(dial(port, chain))).rejects.toThrow(/alert/i);
  expect(log().match(/over 102400 bytes/g)).toHaveLength(1);
  await ask(port, [leafOf(pki.alice, "x", { ...command, data: new Uint8Array(95_000) }), pki.alice]);
  expect(asked).toHaveLength(1);
});

test("reference bug N5: certificates that do not belong to the path are refused", async () => {
  const lab = await openLab();
  const { alice, bob, server } = lab.pki;
  const text = (which: string): string =>
    `certificate ${which} is not issued by the one after it: the chain must be complete, in order, and nothing else`;
  await expectRefusal(lab, [leafOf(bob, "x"), alice, bob], text("1 (x)"));
  await expectRefusal(lab, [leafOf(alice, "x"), server, alice], text("1 (x)"));
  await expectRefusal(lab, [leafOf(bob, "x"), bob], text("2 (bob)"));
});

test("reference bug N6: an authority's certificate is no leaf", async () => {
  const lab = await openLab();
  await expectRefusal(lab, [lab.pki.alice], "the first certificate is an authority's, a command needs one of its own");
  const leaf = leafOf(lab.pki.root, "x");
  await expectRefusal(
    lab,
    [hold({ profile: "client", name: "y", issuer: leaf, command: info }), leaf],
    "certificate 2 (x) is not an authority's, and cannot sign others",
  );
});

test("a client without the key of its certificate gets nowhere", async () => {
  const { port, pki, asked } = await openLab();
  const { certificate } = leafOf(pki.alice, "x");
  const key = createPrivateKey(encodeKey(generateKey()));
  // OpenSSL's own client does not even start with such a pair.
  expect(() => dial(port, [{ certificate, key }, pki.alice])).toThrow(/key values mismatch/);
  expect(encodeCertificates([certificate.raw])).toContain("BEGIN CERTIFICATE");
  expect(asked).toEqual([]);
});

test("a daemon that is not there, or ends without a word, is a failure that says so", async () => {
  const away = await openLab({ answer: false });
  const nobody = await ask(away.port, [leafOf(away.pki.alice, "x"), away.pki.alice]);
  expect(nobody.header.name).toEqual({ path: ["alice"], label: "x" });
  expect(nobody.payload).toEqual({
    kind: "failure",
    text: "the daemon of this host cannot be reached (ENOENT), nothing was done",
  });
  const silent = await openLab({ answer: (_, socket) => socket.end() });
  const nothing = await ask(silent.port, [leafOf(silent.pki.alice, "x"), silent.pki.alice]);
  expect(nothing.payload).toEqual({ kind: "failure", text: "the daemon ended the connection without an answer" });
});

test("a daemon that is too slow, an upload that stands still and a flood are ended with the reason", async () => {
  const lab = await openLab({ answer: () => undefined, limits: { reply: 100, stalled: 200 } });
  const { alice } = lab.pki;
  const slow = await ask(lab.port, [leafOf(alice, "x"), alice]);
  expect(slow.payload).toEqual({ kind: "failure", text: "the daemon did not answer within 0.1 seconds" });
  const chain = [leafOf(alice, "x", { kind: "block-set", compressed: true }), alice];
  const still = await ask(lab.port, chain, Buffer.from("0000"));
  expect(still.payload).toEqual({ kind: "failure", text: "nothing moved for 0.2 seconds" });
  const patient = await openLab({ pki: lab.pki, answer: () => undefined });
  const flood = await ask(patient.port, [leafOf(alice, "x"), alice], new Uint8Array(100_000));
  expect(flood.payload).toEqual({ kind: "failure", text: "more than 65536 bytes were sent where none are expected" });
});

test("neither arguments nor images nor keys reach the log", async () => {
  const { port, pki, log } = await openLab();
  const command: Command = {
    kind: "unikernel-restart",
    settings: {
      failBehaviour: { kind: "quit" },
      addName: true,
      cpuids: [0],
      memory: 32,
      blocks: [],
      bridges: [],
      arguments: ["--password=hush"],
      cpus: 1,
    },
  };
  await ask(port, [leafOf(pki.alice, "x", command), pki.alice]);
  expect(log()).toContain('"command":"unikernel-restart"');
  expect(log()).not.toContain("hush");
  expect(log()).not.toContain("PRIVATE");
});

test("a refusal names the certificate that it is about, however its name is written", async () => {
  const { port, pki } = await openLab();
  const text = async (chain: readonly Holder[]): Promise<unknown> => (await ask(port, chain)).payload;
  const old = hold({ name: "bob", issuer: pki.alice, command: delegates, notAfter: Date.now() - 60_000 });
  const failure = (start: string): unknown => ({ kind: "failure", text: expect.stringContaining(start) });
  expect(await text([leafOf(old, "x"), old, pki.alice])).toEqual(failure("certificate 2 (bob) was valid until "));
  const odd = hold({ name: `\u001b[31m${"x".repeat(200)}`, issuer: pki.alice, notAfter: Date.now() - 60_000 });
  expect(await text([leafOf(odd, "x"), odd, pki.alice])).toEqual(
    failure(`certificate 2 (\ufffd[31m${"x".repeat(58)}) was valid until `),
  );
  const command = { kind: "policy-info" } as const;
  const wrong = hold({ name: "bob", issuer: pki.alice, command });
  expect(await text([leafOf(wrong, "x"), wrong, pki.alice])).toEqual(
    failure("certificate 2 (bob) delegates, and must carry a policy"),
  );
});

test("an endpoint says at its start that clients will not accept its certificate", async () => {
  const pki = makePki();
  const said = async (server: Holder): Promise<string> => (await openLab({ pki: { ...pki, server } })).log();
  expect(await said(pki.alice)).toContain(
    "clients will not accept this server: certificate 1 (alice) is a delegate's, which cannot vouch for a server",
  );
  const old = hold({ profile: "server", name: "old", issuer: pki.root, notAfter: Date.now() - 60_000 });
  expect(await said(old)).toContain("clients will not accept this server: certificate 1 (old) was valid until ");
  expect(await said(pki.server)).not.toContain("will not accept");
  // Of another authority than the clients'.
  expect(await said(makePki().server)).not.toContain("will not accept");
});
