import { createHash } from "node:crypto";
import { once } from "node:events";
import { chmodSync, mkdirSync, readFileSync } from "node:fs";
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { findTender } from "../../demo/tenders.ts";
import { parseDaemonWords } from "../../src/cli/daemon_options.ts";
import { ChunkReader } from "../../src/codec/chunk.ts";
import { decodeExtension } from "../../src/codec/extension.ts";
import { FrameReader } from "../../src/codec/frame.ts";
import { decodeWire, type Payload } from "../../src/codec/wire.ts";
import { inflate } from "../../src/codec/zlib.ts";
import type { Command } from "../../src/core/command.ts";
import { parseName } from "../../src/core/name.ts";
import { printMac } from "../../src/core/tender.ts";
import type { UnikernelInfo } from "../../src/core/unikernel.ts";
import { getHttp } from "../../src/host/client_http.ts";
import { createLog } from "../../src/host/log.ts";
import { startDaemon } from "../../src/service/start.ts";
import { answer, closedPort, serve } from "./endpoint.ts";
import { type Said, say, temporaryFolder } from "./terminal.ts";

const image = readFileSync(join(import.meta.dirname, "../vector/images/net.hvt"));
const digest = createHash("sha256").update("what runs").digest();
const old = "00000000-0000-4000-8000-000000000001";
const latest = "00000000-0000-4000-8000-0000000000AB";

const info: UnikernelInfo = {
  typ: "solo5",
  startup: 7,
  failBehaviour: { kind: "restart", codes: [3] },
  cpuids: [0, 1],
  memory: 48,
  digest,
  blocks: [],
  bridges: [{ unikernelDevice: "service0", hostDevice: "br0", mac: Uint8Array.of(2, 0, 0, 0, 0, 1) }],
  arguments: ["--ipv4=10.0.0.2/24"],
  started: 0,
  cpus: 2,
};

/** The settings of `info`, nothing left to choose. */
const config = {
  typ: "solo5",
  startup: 7,
  failBehaviour: { kind: "restart", codes: [3] },
  cpuids: [0, 1],
  memory: 48,
  blocks: [],
  bridges: [
    { netif: "service0", bridge: "br0", mac: expect.toSatisfy((mac) => printMac(mac) === "02:00:00:00:00:01") },
  ],
  arguments: ["--ipv4=10.0.0.2/24"],
  cpus: 2,
  addName: true,
};

type Act = (response: ServerResponse, request: IncomingMessage) => void;

const redirect =
  (location: string, status = 302): Act =>
  (response) =>
    response.writeHead(status, { location }).end();

const send =
  (bytes: Uint8Array, status = 200): Act =>
  (response) =>
    response.writeHead(status).end(bytes);

/** The paths of a repository whose `web` has a build after the one that runs. */
const web: Readonly<Record<string, Act>> = {
  [`/hash?sha256=${digest.toString("hex")}`]: redirect(`/job/web/build/${old}`),
  "/job/web/build/latest": redirect(`/job/web/build/${latest}/`, 307),
  [`/job/web/build/${latest.toLowerCase()}/main-binary`]: send(image),
};

interface Repository {
  readonly url: string;
  /** The paths that were asked for. */
  readonly asked: string[];
}

async function publish(paths: Readonly<Record<string, Act>>): Promise<Repository> {
  const asked: string[] = [];
  const server = createHttpServer((request, response) => {
    const { url = "" } = request;
    asked.push(url);
    const act = paths[url] ?? ((missing: ServerResponse) => missing.writeHead(404).end());
    act(response, request);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return { url: `http://127.0.0.1:${address.port}`, asked };
}

function infos(...all: readonly UnikernelInfo[]): Payload {
  const name = parseName("a:web");
  if (!name.ok) throw new Error(name.error.kind);
  const unikernels = all.map((value) => ({ name: name.value, value }));
  return { kind: "success", success: { kind: "unikernels", form: "current", unikernels } };
}

const created: Payload = { kind: "success", success: { kind: "string", text: "created unikernel" } };

/** A stand-in for the daemon: it tells of one unikernel, and notes what it is told. */
async function daemon(first: Payload = infos(info)): Promise<{ socket: string; told: Command[] }> {
  const socket = join(temporaryFolder(), "s");
  const told: Command[] = [];
  const tell = (frame: Uint8Array): Payload => {
    const wire = decodeWire(frame);
    if (!wire.ok || wire.value.payload.kind !== "command") throw new Error("no command");
    told.push(wire.value.payload.command);
    return wire.value.payload.command.kind === "unikernel-info" ? first : created;
  };
  const server: Server = createServer((connection) => {
    const reader = new FrameReader(64 * 1024 * 1024);
    connection.on("error", () => undefined);
    connection.on("data", (piece) => {
      const frames = reader.push(piece);
      for (const frame of frames.ok ? frames.value : []) connection.end(answer(tell(frame)));
    });
  });
  server.listen(socket);
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
  });
  return { socket, told };
}

async function update(paths: Readonly<Record<string, Act>>, words = ""): Promise<Said & { asked: string[] }> {
  const { url, asked } = await publish(paths);
  const { socket } = await daemon();
  const line = `update a:web --socket ${socket} --http-host ${url}${words}`;
  return { ...(await say(line.split(" "), temporaryFolder())), asked };
}

test("run update replaces what runs by the latest build, with the settings that it has", async () => {
  const { url, asked } = await publish(web);
  const { socket, told } = await daemon();
  const line = `update a:web --socket ${socket} --http-host ${url}/`;
  const { status, stdout, stderr } = await say(line.split(" "), temporaryFolder());
  expect([status, stderr]).toEqual([0, ""]);
  expect(stdout).toBe(
    `${url}/compare/${old}/${latest.toLowerCase()}\nhost [unikernel: :]: success: created unikernel\n`,
  );
  expect(asked).toEqual(Object.keys(web));
  expect(told.map(({ kind }) => kind)).toEqual(["unikernel-info", "unikernel-create"]);
  expect(told[1]).toMatchObject({ config, replace: true, image: { compressed: false } });
  expect(told[1]?.kind === "unikernel-create" && image.equals(told[1].image.bytes)).toBe(true);
});

test("run update makes the sector sizes of block devices explicit", async () => {
  const blocks = [{ unikernelDevice: "storage", hostDevice: "disk", sectorSize: 512, size: 4 }];
  const { url } = await publish({
    ...web,
    [`/job/web/build/${latest.toLowerCase()}/main-binary`]: send(
      readFileSync(join(import.meta.dirname, "../vector/images/blk.hvt")),
    ),
  });
  const { socket, told } = await daemon(infos({ ...info, bridges: [], blocks }));
  const { status } = await say(
    `update a:web --socket ${socket} --http-host ${url} --compression-level 3`.split(" "),
    temporaryFolder(),
  );
  expect(status).toBe(0);
  expect(told[1]).toMatchObject({
    config: { blocks: [{ name: "storage", device: "disk", sectorSize: 512 }] },
    image: { compressed: true },
  });
});

test.for(["--dryrun", "--dry-run"])("run update %s says what it would do and stops", async (flag) => {
  const { status, stdout, asked } = await update(web, ` ${flag}`);
  expect(status).toBe(0);
  expect(stdout).toMatch(/^http:.*\/compare\/.*\n$/);
  expect(asked).toHaveLength(2);
});

test("run update stops where the latest build runs, however its uuid is written", async () => {
  const paths = { ...web, [Object.keys(web)[0] ?? ""]: redirect(`/job/web/build/${latest.toLowerCase()}`) };
  const { status, stdout, asked } = await update(paths);
  expect([status, stdout, asked.length]).toEqual([0, "already up to date\n", 2]);
});

test("run update -d asks and creates on a connection each", async () => {
  const folder = temporaryFolder();
  await say("generate ca db".split(" "), folder);
  const { url } = await publish(web);
  const chunks = new ChunkReader(1_000_000);
  const pieces: Uint8Array[] = [];
  let read = 0;
  const { port, presented, close } = await serve({
    folder,
    strict: true,
    act: (socket, received) => {
      if (presented.length === 1) {
        socket.end(answer(infos(info)));
        return;
      }
      const result = chunks.push(received.subarray(read));
      read = received.length;
      if (!result.ok) throw new Error(result.error.kind);
      pieces.push(...result.value.pieces);
      if (result.value.rest !== undefined) socket.end(answer(created));
    },
  });
  onTestFinished(close);
  const line = `update web -d 127.0.0.1:${port} --ca cacert.pem --ca-key ca.key --http-host ${url}`;
  expect(await say(line.split(" "), folder)).toMatchObject({ status: 0, stderr: "" });
  const commands = presented.map(([leaf]) => decodeExtension(leaf?.extensions.command ?? new Uint8Array(0)));
  expect(commands.map((command) => command.ok && command.value.kind)).toEqual(["unikernel-info", "unikernel-create"]);
  expect(commands[1]).toMatchObject({ value: { config, replace: true, image: { compressed: true } } });
  const whole = inflate(Uint8Array.from(Buffer.concat(pieces)), 1_000_000);
  expect(whole.ok && image.equals(whole.value)).toBe(true);
});

const [hash = "", newest = "", binary = ""] = Object.keys(web);
const slow: Act = (response) => response.writeHead(200, { "content-length": image.length }).write(image.subarray(0, 9));

test.for([
  ["hash unknown", { ...web, [hash]: send(image, 404) }, "status 404", "another repository"],
  ["hash not redirected", { ...web, [hash]: send(image) }, "status 200", ""],
  ["latest missing", { ...web, [newest]: send(image, 500) }, "status 500", ""],
  [
    "no location",
    { ...web, [hash]: (response: ServerResponse) => response.writeHead(302).end() },
    "leads to nowhere",
    "",
  ],
  [
    "another host",
    { ...web, [hash]: redirect(`http://127.0.0.1/job/web/build/${old}`) },
    "not to a build",
    "builder-web",
  ],
  ["a query", { ...web, [hash]: redirect(`/job/web/build/${old}?x`) }, "not to a build", ""],
  ["more path", { ...web, [newest]: redirect(`/job/web/build/${old}/x`) }, "not to a build", ""],
  ["no uuid", { ...web, [hash]: redirect("/job/web/build/latest") }, "not to a build", ""],
  ["dots for a job", { ...web, [hash]: redirect(`/job/%2e./build/${old}`) }, "not to a build", ""],
  ["a terminal's sequence", { ...web, [hash]: redirect("/\u009b2J") }, "leads to '/\\u{9b}2J", ""],
  ["another job", { ...web, [newest]: redirect(`/job/mail/build/${latest}`) }, "another job, mail", ""],
  ["binary redirected", { ...web, [binary]: redirect("/elsewhere") }, "status 302 to '/elsewhere'", ""],
  ["binary empty", { ...web, [binary]: send(new Uint8Array(0)) }, "is empty", ""],
  ["binary no image", { ...web, [binary]: send(Buffer.from("<html>")) }, "cannot be used", ""],
  [
    "binary broken off",
    {
      ...web,
      [binary]: (response: ServerResponse, request: IncomingMessage) => {
        slow(response, request);
        setTimeout(() => response.destroy(), 20);
      },
    },
    "broke off",
    "",
  ],
  [
    "binary announced too large",
    { ...web, [binary]: (response: ServerResponse) => response.writeHead(200, { "content-length": 1e9 }).write("x") },
    "more than 256 MiB",
    "",
  ],
  [
    "binary encoded",
    {
      ...web,
      [binary]: (response: ServerResponse) => response.writeHead(200, { "content-encoding": "gzip" }).end("x"),
    },
    "encoded as 'gzip'",
    "",
  ],
  ["no HTTP", { ...web, [hash]: (response: ServerResponse) => response.socket?.end("hello\r\n\r\n") }, "broke off", ""],
] as const)("118: update meets a repository with %s", async ([, paths, text, hint]) => {
  const { status, stderr } = await update(paths);
  expect(stderr).toContain(text);
  expect(stderr).toContain(hint);
  expect(status).toBe(118);
});

test("118: nobody serves the repository", async () => {
  const { socket } = await daemon();
  const line = `update a:web --socket ${socket} --http-host http://127.0.0.1:${await closedPort()}`;
  const { status, stderr } = await say(line.split(" "), temporaryFolder());
  expect(status).toBe(118);
  expect(stderr).toContain("nobody listens there");
});

test("118: the repository's certificate is from an authority that nobody knows", async () => {
  const folder = temporaryFolder();
  await say("generate ca db --server localhost".split(" "), folder);
  const { port, close } = await serve({
    folder,
    certificate: "localhost.pem",
    key: "localhost.key",
    act: () => undefined,
  });
  onTestFinished(close);
  const { socket } = await daemon();
  const line = `update a:web --socket ${socket} --http-host https://localhost:${port}`;
  const { status, stderr } = await say(line.split(" "), folder);
  expect(status).toBe(118);
  expect(stderr).toContain("no connection: ");
});

test("getHttp does not wait longer than it may, nor read more", async () => {
  const { url } = await publish({ "/slow": slow, "/silent": () => undefined, "/large": send(image) });
  const target = { secure: false, host: "127.0.0.1", port: Number(url.split(":").at(-1)) };
  for (const path of ["/slow", "/silent"]) {
    const reply = await getHttp({ ...target, path }, { size: 1e6, time: 100 });
    expect(reply).toEqual({ ok: false, error: { kind: "http-silent", milliseconds: 100 } });
  }
  const reply = await getHttp({ ...target, path: "/large" }, { size: 99, time: 1000 });
  expect(reply).toEqual({ ok: false, error: { kind: "http-too-large", limit: 99 } });
});

test("117: update is told that there is no such unikernel", async () => {
  const { url, asked } = await publish(web);
  for (const reply of [infos(), { kind: "failure", text: "unknown" } as const]) {
    const { socket } = await daemon(reply);
    const line = `update a:web --socket ${socket} --http-host ${url}`;
    expect((await say(line.split(" "), temporaryFolder())).status).toBe(117);
  }
  expect(asked).toEqual([]);
});

test.for([
  [infos(info, info), "more than one"],
  [created, "answered with string"],
] as const)("121: update is answered with what it did not ask: %j", async ([reply, text]) => {
  const { socket } = await daemon(reply);
  const { status, stderr } = await say(`update a:web --socket ${socket}`.split(" "), temporaryFolder());
  expect(status).toBe(121);
  expect(stderr).toContain(text);
});

test("124: update refuses a build that wants other devices", async () => {
  const other = readFileSync(join(import.meta.dirname, "../vector/images/blk.hvt"));
  const { status, stderr } = await update({ ...web, [binary]: send(other) });
  expect(status).toBe(124);
  expect(stderr).toContain("the new build wants other devices");
});

test.for([
  ["update web --http-host ftp://h", "http://HOST"],
  ["update web --http-host https://u:p@h", "http://HOST"],
  ["update web --http-host h", "http://HOST"],
  ["update a:", "it names a path"],
  ["update web --csr", "which a signing request cannot"],
] as const)("124: %s", async ([line, text]) => {
  const { status, stderr } = await say(line.split(" "), temporaryFolder());
  expect(status).toBe(124);
  expect(stderr.toLowerCase()).toContain(text.toLowerCase());
});

test("run update replaces a guest of a real daemon", async ({ skip }) => {
  const guests = join(import.meta.dirname, "../../guest");
  const tender = findTender(guests);
  if (tender === undefined) return skip("no tender runs the demo guest on this machine");
  const folder = temporaryFolder();
  chmodSync(folder, 0o711);
  const tmpdir = join(folder, "run");
  mkdirSync(tmpdir);
  const log = createLog("fulmard", 0, { write: () => undefined });
  const folders = ["--tmpdir", tmpdir, "--dbdir", join(folder, "db")];
  const words = parseDaemonWords([...folders, "--tenders", tender, "--allow-tcg"]);
  const running = await startDaemon({ ...words, grace: 1000, log, cage: process.geteuid?.() === 0 });
  if (!running.ok) throw new Error(running.error.step);
  onTestFinished(() => running.value.stop("stop"));
  const guest = readFileSync(join(guests, `hello.${tender}`));
  const next = Buffer.concat([guest, Buffer.alloc(1)]);
  const sum = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
  const { url } = await publish({
    ...web,
    [`/hash?sha256=${sum(guest)}`]: redirect(`/job/web/build/${old}`),
    [binary]: send(next),
  });
  const ask = (line: string): Promise<Said> => say([...line.split(" "), "--tmpdir", tmpdir], folder);
  expect((await ask(`create web ${guests}/hello.${tender} --arg exit=9 --arg after=600`)).stderr).toBe("");
  expect(await ask(`update web --http-host ${url}`)).toMatchObject({ status: 0, stderr: "" });
  const { stdout } = await ask("info -n web -vv");
  expect(stdout).toContain(`digest ${sum(next)}`);
  expect(stdout).toContain("exit=9 after=600");
}, 60_000);
