import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { connect, FulmarError } from "../../src/client/main.ts";
import { issueCrl } from "../../src/x509/issue_crl.ts";
import { encodeKey } from "../../src/x509/keys.ts";
import { encodeCertificates, encodePem } from "../../src/x509/pem.ts";
import { answer, serve } from "../cli/endpoint.ts";
import { temporaryFolder } from "../host/folder.ts";
import { until } from "../service/caller.ts";
import { type Holder, makePki } from "../service/endpoint_lab.ts";
import { openScripted, readGuest } from "../service/lab.ts";
import { type Host, openHost } from "./lab.ts";

type Connected = Awaited<ReturnType<typeof connect>>;

/** A client with the authority of the holders, nearest first. */
async function enter(host: Pick<Host, "port" | "pki">, issuers: readonly [Holder, ...Holder[]]): Promise<Connected> {
  const client = await connect({
    destination: `127.0.0.1:${host.port}`,
    ca: encodeCertificates(issuers.map(({ certificate }) => certificate.raw)),
    caKey: encodeKey(issuers[0].key),
    serverCa: encodeCertificates([host.pki.root.certificate.raw]),
  });
  onTestFinished(() => client.close());
  return client;
}

const kindOf = async (doing: Promise<unknown>): Promise<string> => {
  const error: unknown = await doing.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return error instanceof FulmarError ? `${error.kind}: ${error.message}` : String(error);
};

test("a client over TLS creates, tells, replaces, restarts, gets and destroys", async () => {
  const host = await openHost();
  const client = await enter(host, [host.pki.bob, host.pki.alice]);
  const image = readGuest("hello.spt");
  const file = join(temporaryFolder(), "hello.spt");
  writeFileSync(file, image);
  await client.create("web", { image: file, arguments: ["one"], memory: 48 });
  await client.create("web", { image, replace: true, compression: 6 });
  await client.restart("web", { arguments: ["two"], restart: [3] });
  const infos = await client.info();
  expect(infos.map(({ name, arguments: words, failBehaviour }) => [name, words, failBehaviour])).toEqual([
    ["alice:bob:web", ["two"], { kind: "restart", codes: [3] }],
  ]);
  expect(infos[0]?.started).toBeInstanceOf(Date);
  expect((await client.info("web")).map(({ name }) => name)).toEqual(["alice:bob:web"]);
  expect(Buffer.compare(await client.get("web", { compression: 3 }), image)).toBe(0);
  await client.destroy("web");
  expect(await client.info("web")).toEqual([]);
  expect(await client.inactiveConsoles()).toEqual(["alice:bob:web"]);
});

test("a client creates what must show its health, and is told that it did not", async () => {
  const host = await openHost();
  const client = await enter(host, [host.pki.bob, host.pki.alice]);
  const image = readGuest("hello.spt");
  await client.create("web", { image, arguments: ["one"], healthyAfter: 50 });
  expect(await kindOf(client.create("web", { image, replace: true, health: "console:^up", healthyAfter: 300 }))).toBe(
    "refused: alice:bob:web: it could not start, and the old one runs again: it was not healthy within 300 ms",
  );
  expect((await client.info("web"))[0]?.arguments).toEqual(["one"]);
  expect(await kindOf(client.create("web", { image, health: "up" }))).toMatch(/^usage: health is written console:/);
});

test("a client is explained what would become of its commands, in its session", async () => {
  const host = await openHost();
  const client = await enter(host, [host.pki.bob, host.pki.alice]);
  await client.create("web", { image: readGuest("hello.spt"), memory: 200 });
  const explained = await client.explain("more", { command: "create", settings: { memory: 64 } });
  expect(explained).toMatchObject({
    wouldBe: "refused",
    reason: "cannot exceed the policy of alice: 256 MB of memory allowed, 200 used, 64 more asked for",
    at: "alice",
    fits: [
      { resource: "unikernels", left: 1, path: "alice" },
      { resource: "memory", left: 56, path: "alice" },
      { resource: "block", left: 64, path: "alice" },
    ],
  });
  expect(explained.levels.map(({ path, after }) => [path, after?.memory])).toEqual([
    ["alice", 264],
    ["alice:bob", 264],
  ]);
  expect(explained.levels[0]?.notAfter?.getTime()).toBe(host.pki.alice.certificate.notAfter);
  expect((await client.explain("more", { command: "createBlock", size: 64 })).wouldBe).toBe("done");
  expect((await client.info()).map(({ name }) => name)).toEqual(["alice:bob:web"]);
  expect(await client.blocks.list()).toEqual([]);
});

test("a client's commands share one handshake, and their replies do not mix", async () => {
  const host = await openHost();
  const client = await enter(host, [host.pki.alice]);
  const names = Array.from({ length: 500 }, (_, index) => `vm${index}`);
  const refusals = await Promise.all(names.map((name) => kindOf(client.destroy(name))));
  expect(refusals).toEqual(names.map((name) => `refused: alice:${name}: unikernel alice:${name} not found`));
  await client.close();
  await until(() => host.log().includes("session ended"), "the session's end");
  expect(host.log()).toContain('"commands":501');
  expect(host.log()).not.toContain('"msg":"request"');
});

test("a client streams what is too large for a session's frame", async () => {
  const host = await openHost();
  const client = await enter(host, [host.pki.alice]);
  const image = Buffer.concat([readGuest("hello.spt"), randomBytes(3_000_000)]);
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < image.length; at += 100_000) yield image.subarray(at, at + 100_000);
  }
  await client.create("large", { image: pieces() });
  expect(Buffer.compare(await client.get("large"), image)).toBe(0);
  await client.create("large", { image, replace: true, compression: 1 });
  expect(Buffer.compare(await client.get("large"), image)).toBe(0);
});

test("a client fills, reads and removes block devices", async () => {
  const host = await openHost();
  const client = await enter(host, [host.pki.alice]);
  await client.blocks.create("data", 4);
  const content = randomBytes(3_000_000);
  await client.blocks.set("data", content, { compression: 1 });
  expect(await client.blocks.list()).toEqual([{ name: "alice:data", size: 4, active: false }]);
  for (const compression of [0, 6]) {
    const pieces: Uint8Array[] = [];
    for await (const piece of client.blocks.dump("data", { compression })) pieces.push(piece);
    expect(Buffer.compare(Buffer.concat(pieces).subarray(0, content.length), content)).toBe(0);
  }
  await client.blocks.remove("data");
  expect(await kindOf(client.blocks.set("data", content))).toContain("refused: alice:data: block device");
});

test("a client's errors say what kind they are", async () => {
  const host = await openHost();
  const client = await enter(host, [host.pki.alice]);
  expect(await kindOf(client.info("no name!"))).toContain("usage: 'no name!' is no name");
  expect(await kindOf(client.create("vm", { image: "/nowhere/hello.spt" }))).toBe(
    "usage: /nowhere/hello.spt: there is no such file",
  );
  expect(await kindOf(client.addPolicy("x", { unikernels: 1, memory: 32, cpuids: [0] }))).toContain(
    "cannot be given by certificate",
  );
  const stranger = makePki();
  expect(
    await kindOf(enter({ port: host.port, pki: { ...host.pki, root: stranger.root } }, [host.pki.alice])),
  ).toContain("server: ");
  await host.close();
  expect(await kindOf(enter(host, [host.pki.alice]))).toContain("connect: ");
  expect(await kindOf(client.info())).toMatch(/^(communication|connect): /);
  await client.close();
  expect(await kindOf(client.info())).toBe("communication: the client was closed");
});

test("a client of a stranger is told by the first command", async () => {
  const host = await openHost();
  const client = await enter(host, [makePki().alice]);
  expect(await kindOf(client.info())).toContain("refused: ");
});

test("a client goes to the sockets of this machine", async () => {
  const place = openScripted("echo here; exec sleep 1000");
  await place.start();
  const client = await connect({ tmpdir: place.tmpdir });
  onTestFinished(() => client.close());
  await client.addPolicy("alice:", { unikernels: 3, memory: 128, cpuids: [0], block: 8 });
  expect((await client.policies("alice")).map(({ path, unikernels }) => [path, unikernels])).toEqual([["alice", 3]]);
  const happened: string[] = [];
  const log = (async () => {
    for await (const { name, happening } of client.log("alice:")) {
      happened.push(`${name} ${happening.kind}`);
      if (happening.kind === "destroyed") break;
    }
  })();
  await client.create("alice:web", { image: readGuest("hello.spt") });
  for await (const { line, time } of client.console("alice:web")) {
    expect(Math.abs(time.getTime() - Date.now())).toBeLessThan(60_000);
    if (line === "here") break;
  }
  await client.destroy("alice:web");
  await log;
  expect(happened).toEqual(["alice:web created", "alice:web destroyed"]);
  await client.removePolicy("alice");
  expect(await client.policies("alice")).toEqual([]);
});

test("a client's console ends where its signal says so, and with the client", { timeout: 20_000 }, async () => {
  const host = await openHost(openScripted("echo here; exec sleep 1000"));
  const client = await enter(host, [host.pki.alice]);
  await client.create("web", { image: readGuest("hello.spt") });
  const stop = new AbortController();
  const lines: string[] = [];
  for await (const { line } of client.console("web", { signal: stop.signal })) {
    lines.push(line);
    setTimeout(() => stop.abort(), 100);
  }
  expect(lines).toEqual(["here"]);
  const rest = (async () => {
    for await (const { line } of client.console("web")) lines.push(line);
  })();
  setTimeout(() => void client.close(), 500);
  await rest;
  expect(lines).toEqual(["here", "here"]);
});

test("a client measures", { timeout: 20_000 }, async () => {
  const host = await openHost();
  const client = await enter(host, [host.pki.alice]);
  await client.create("web", { image: readGuest("hello.spt") });
  for await (const { name, statistics } of client.stats()) {
    expect(name).toBe("alice:web");
    expect(statistics.rusage.maxrss).toBeGreaterThan(0n);
    break;
  }
});

test("a client that meets a server without sessions makes a certificate for each command, and asks once only", async () => {
  const folder = temporaryFolder();
  const pki = makePki();
  const files = { "server.pem": pki.server, "cacert.pem": pki.root };
  for (const [file, { certificate }] of Object.entries(files)) {
    writeFileSync(join(folder, file), encodeCertificates([certificate.raw]));
  }
  writeFileSync(join(folder, "server.key"), encodeKey(pki.server.key), { mode: 0o600 });
  const empty = answer({ kind: "success", success: { kind: "unikernels", form: "current", unikernels: [] } });
  const endpoint = await serve({
    folder,
    act: (socket, received) => {
      const session = endpoint.presented.length === 1;
      if (session && received.length === 0) socket.end();
      else if (received.length === 0) socket.end(empty);
    },
  });
  onTestFinished(endpoint.close);
  const client = await enter({ port: endpoint.port, pki: { ...pki, charlie: pki.bob } }, [pki.bob, pki.alice]);
  const replies = await Promise.all(Array.from({ length: 40 }, () => client.info()));
  expect(replies).toEqual(Array.from({ length: 40 }, () => []));
  expect(endpoint.presented.length).toBe(41);
  expect(endpoint.received.slice(1).every(({ length }) => length === 0)).toBe(true);
  expect(await kindOf(client.info("below:vm"))).toContain("usage: below:vm has a path");
});

test("a client locks, unlocks, lists locks, and puts a revocation list in force", async () => {
  const host = await openHost();
  const { alice, bob } = host.pki;
  const [alices, bobs] = [await enter(host, [alice]), await enter(host, [bob, alice])];
  await alices.trust.lock("bob");
  expect(await kindOf(bobs.info())).toMatch(/^refused: .*alice:bob is locked by alice$/);
  const locks = await alices.trust.locks();
  expect(locks).toEqual([{ path: "alice:bob", owner: "alice", since: expect.any(Date) }]);
  await alices.trust.unlock("bob");
  expect(await alices.trust.locks()).toEqual([]);
  const now = Math.floor(Date.now() / 1000) * 1000;
  const crl = issueCrl({
    ...{ issuer: alice.certificate, issuerKey: alice.key, number: 1 },
    ...{ thisUpdate: now, nextUpdate: now + 60_000 },
    revoked: [{ serial: bob.certificate.serial, time: now }],
  });
  const authority = encodeCertificates([alice.certificate.raw]);
  await alices.trust.pushCrl(encodePem("X509 CRL", crl), authority);
  expect(await kindOf(bobs.info())).toMatch(/the certificate of alice:bob \(serial number \S+\) was revoked/);
  expect(await kindOf(alices.trust.pushCrl("no PEM", authority))).toMatch(/^usage: .*there is no X509 CRL in it/);
});

test("a client reads the audit log: its own part, as much of it as it asks for", async () => {
  const host = await openHost();
  await (await enter(host, [host.pki.charlie, host.pki.alice])).info();
  const client = await enter(host, [host.pki.bob, host.pki.alice]);
  expect(await kindOf(client.destroy("vm"))).toContain("refused: ");
  const found = [];
  for await (const entry of client.audit(":", { outcome: "refused", since: new Date(0) })) found.push(entry);
  expect(found).toMatchObject([
    {
      ...{ name: "alice:bob:vm", command: "unikernel-destroy", policies: [] },
      outcome: { kind: "refused", reason: "unikernel-not-found" },
      actor: {
        kind: "chain",
        levels: [hexOf(host.pki.alice), hexOf(host.pki.bob)],
        leaf: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
    },
  ]);
  expect(found[0]?.time).toBeInstanceOf(Date);
  const newest = [];
  for await (const { number } of client.audit(":", { limit: 1 })) newest.push(number);
  expect(newest).toHaveLength(1);
  expect(newest[0]).toBeGreaterThan(found[0]?.number ?? Number.POSITIVE_INFINITY);
});

function hexOf({ certificate }: Holder): string {
  return Buffer.from(certificate.fingerprint).toString("hex");
}
