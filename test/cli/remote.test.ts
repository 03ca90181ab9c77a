import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { ChunkReader } from "../../src/codec/chunk.ts";
import { decodeExtension } from "../../src/codec/extension.ts";
import { inflate } from "../../src/codec/zlib.ts";
import type { Command } from "../../src/core/command.ts";
import { ok } from "../../src/core/result.ts";
import type { Certificate } from "../../src/x509/certificate.ts";
import { hex } from "../codec/vectors.ts";
import { answer, closedPort, type Endpoint, type EndpointOptions, serve } from "./endpoint.ts";
import { type Said, say, temporaryFolder } from "./terminal.ts";

const folder = temporaryFolder();
const other = temporaryFolder();
const rsa = temporaryFolder();
const image = join(import.meta.dirname, "../vector/images/none.hvt");

beforeAll(async () => {
  for (const line of [
    "generate ca db",
    "add-policy --csr alice 2 --mem 256 --bridge service",
    "sign cacert.pem db ca.key alice.req",
    "add-policy --csr bob 1 --mem 128 --bridge service",
    "sign alice.pem db alice.key bob.req",
    "destroy web --csr",
    "sign bob.pem db bob.key web.req",
  ]) {
    await say(line.split(" "), folder);
  }
  await say("generate other db".split(" "), other);
  await say("generate ca db --key-type rsa2048".split(" "), rsa);
});

const created = answer({ kind: "success", success: { kind: "string", text: "created unikernel" } });

async function started(options: Partial<EndpointOptions>): Promise<Endpoint> {
  const endpoint = await serve({ folder, act: (socket) => socket.end(created), ...options });
  onTestFinished(() => endpoint.close());
  return endpoint;
}

/** As Bob, or as whom the words say. */
function ask(line: string, port: number, now?: number): Promise<Said> {
  const authority = line.includes("--ca") ? "" : " --ca bob.pem --ca-key bob.key";
  return say(`${line} -d 127.0.0.1:${port}${authority}`.split(" "), folder, now);
}

function commandOf(certificate: Certificate | undefined): Command {
  const command = decodeExtension(certificate?.extensions.command ?? new Uint8Array(0));
  if (!command.ok) throw new Error(command.error.kind);
  return command.value;
}

test("run -d sends a leaf of five minutes and the whole chain, issuer first", async () => {
  const { port, presented } = await started({ strict: true });
  const before = Date.now();
  expect(await ask("destroy web", port)).toEqual({
    status: 0,
    stdout: "host [unikernel: :]: success: created unikernel\n",
    stderr: "",
  });
  const [[leaf, ...above] = []] = presented;
  expect([leaf, ...above].map((certificate) => certificate?.subject.commonName)).toEqual(["web", "bob", "alice"]);
  expect(commandOf(leaf)).toEqual({ kind: "unikernel-destroy" });
  const from = (leaf?.notBefore ?? 0) - (before - 10_000);
  expect(from).toBeGreaterThan(-1000);
  expect((leaf?.notAfter ?? 0) - (leaf?.notBefore ?? 0)).toBe(310_000);
  expect(leaf?.serial.length).toBeGreaterThanOrEqual(9);
});

test.for(["p256", "p384", "p521", "rsa2048"])("run -d makes leaves with keys of type %s", async (type) => {
  const { port } = await started({ strict: true });
  expect((await ask(`info --key-type ${type}`, port)).status).toBe(0);
});

test("reference bug 30: run -d asks about a path with a dot for its common name", async () => {
  const { port, presented } = await started({});
  expect((await ask("policy", port)).status).toBe(0);
  expect((await ask("info", port)).status).toBe(0);
  expect(presented.map(([leaf]) => leaf?.subject.commonName)).toEqual([".", "."]);
});

/** A server that takes an upload to its end and then answers. */
async function taking(): Promise<Endpoint & { readonly pieces: Uint8Array[] }> {
  const chunks = new ChunkReader(1_000_000);
  const pieces: Uint8Array[] = [];
  let read = 0;
  const endpoint = await started({
    strict: true,
    act: (socket, received) => {
      const result = chunks.push(received.subarray(read));
      read = received.length;
      if (!result.ok) throw new Error(result.error.kind);
      pieces.push(...result.value.pieces);
      if (result.value.rest !== undefined) socket.end(created);
    },
  });
  return { ...endpoint, pieces };
}

test.for([0, 9])("run -d streams the image of a create after its leaf, at level %d", async (level) => {
  const { port, presented, pieces } = await taking();
  expect((await ask(`create web ${image} --compression-level ${level}`, port)).status).toBe(0);
  const command = commandOf(presented[0]?.[0]);
  expect(command).toMatchObject({
    kind: "unikernel-create",
    image: { compressed: level > 0, bytes: new Uint8Array(0) },
  });
  const sent = Uint8Array.from(Buffer.concat(pieces));
  const whole = level === 0 ? ok(sent) : inflate(sent, 1_000_000);
  expect(whole.ok && hex(whole.value)).toBe(readFileSync(image).toString("hex"));
});

test.for([0, 9])("run -d streams the content of a set-block after its leaf, at level %d", async (level) => {
  const { port, presented, pieces } = await taking();
  expect((await ask(`set-block disk ${image} --compression-level ${level}`, port)).status).toBe(0);
  expect(commandOf(presented[0]?.[0])).toEqual({ kind: "block-set", compressed: level > 0 });
  const sent = Uint8Array.from(Buffer.concat(pieces));
  const whole = level === 0 ? ok(sent) : inflate(sent, 1_000_000);
  expect(whole.ok && hex(whole.value)).toBe(readFileSync(image).toString("hex"));
});

test("run certificate sends from --data what the certificate leaves out", async () => {
  expect(await say(["create-block", "data", "1", "--data", image, "--csr"], folder)).toMatchObject({
    status: 0,
    stderr: expect.stringContaining("the request is for filling the block device"),
  });
  await say("sign bob.pem db bob.key data.req".split(" "), folder);
  const { port, pieces } = await taking();
  const line = `certificate data.pem data.key -d 127.0.0.1:${port}`.split(" ");
  const { status, stderr } = await say(line, folder);
  expect([status, stderr]).toEqual([124, expect.stringContaining("hint: give the file with --data")]);
  expect((await say([...line, "--data", "nowhere"], folder)).status).toBe(124);
  expect((await say([...line, "--data", image], folder)).status).toBe(0);
  const whole = inflate(Uint8Array.from(Buffer.concat(pieces)), 1_000_000);
  expect(whole.ok && hex(whole.value)).toBe(readFileSync(image).toString("hex"));
});

test("run certificate follows a subscription to its end", async () => {
  await say("stats --csr -n counted".split(" "), folder);
  await say("sign bob.pem db bob.key counted.req".split(" "), folder);
  const subscribed = answer({ kind: "success", success: { kind: "string", text: "subscribed" } });
  const { port } = await started({ act: (socket) => socket.end(subscribed) });
  const line = `certificate counted.pem counted.key -d 127.0.0.1:${port}`;
  const { status, stdout } = await say(line.split(" "), folder);
  expect([status, stdout]).toEqual([0, "host [unikernel: :]: success: subscribed\n"]);
});

test("run certificate refuses --data where the certificate leaves nothing out", async () => {
  const line = `certificate web.pem web.key -d 127.0.0.1:${await closedPort()} --data ${image}`;
  const { status, stderr } = await say(line.split(" "), folder);
  expect([status, stderr]).toEqual([124, "error: the certificate leaves nothing out that --data could give\n"]);
});

test("run -d stops an upload when the answer comes first", async () => {
  const refusal = answer({ kind: "failure", text: "no" });
  const { port } = await started({ act: (socket) => socket.write(refusal) });
  const { status, stderr } = await ask(`create web ${image}`, port);
  expect([status, stderr]).toEqual([117, "error: host [unikernel: :]: command failed: no\n"]);
});

test.for(["info", `create web ${image}`])(
  "reference bug 36, 119: the server does not accept our certificate: %s",
  async (line) => {
    const { port } = await started({ folder: rsa, strict: true, sigalgs: "rsa_pss_rsae_sha256" });
    const { status, stderr } = await ask(`${line} --server-ca ${rsa}/cacert.pem --ca bob.pem --ca-key bob.key`, port);
    expect(status).toBe(119);
    expect(stderr).toContain("the server does not accept our certificate: certificate required");
  },
);

test("119: a certificate that is too large for the server", async () => {
  const large = join(folder, "large.hvt");
  writeFileSync(large, Buffer.concat([readFileSync(image), randomBytes(150_000)]));
  await say(`create large ${large} --csr`.split(" "), folder);
  await say("sign bob.pem db bob.key large.req".split(" "), folder);
  const { port } = await started({ strict: true });
  const { status, stderr } = await say(`certificate large.pem large.key -d 127.0.0.1:${port}`.split(" "), folder);
  expect(status).toBe(119);
  expect(stderr).toContain("illegal parameter");
});

test("reference bug 23, 120: a server's certificate from elsewhere is not accepted", async () => {
  const { port, received } = await started({});
  const { status, stderr } = await ask(`info --server-ca ${other}/cacert.pem`, port);
  expect([status, received.join("")]).toEqual([120, ""]);
  expect(stderr).toContain("the server's certificate is not accepted");
});

test("reference bug 23, 120: a client's certificate and an authority's are no server's", async () => {
  for (const name of ["web", "alice"]) {
    const { port } = await started({ certificate: `${name}.pem`, key: `${name}.key` });
    expect((await ask("info", port)).status).toBe(120);
  }
});

test("reference bug 5: a server that closes without a word has refused, as albatross's endpoint does", async () => {
  const { port } = await started({ act: (socket) => socket.end() });
  const { status, stderr } = await ask("info", port);
  expect(status).toBe(117);
  expect(stderr).toContain("closed the connection without an answer");
});

test.for([
  ["7fffffff", "are the most"],
  ["0000000430021005", "cannot be read"],
] as const)("121: an answer that is none: %s", async ([bytes, text]) => {
  const { port } = await started({ act: (socket) => socket.end(Buffer.from(bytes, "hex")) });
  const { status, stderr } = await ask("info", port);
  expect(status).toBe(121);
  expect(stderr).toContain(text);
});

test("122: nobody listens", async () => {
  const { status, stderr } = await ask("info", await closedPort());
  expect(status).toBe(122);
  expect(stderr).toContain("nobody listens there");
});

test("116: our own chain is over its time", async () => {
  const later = Date.now() + 400 * 86_400_000;
  expect((await ask("info", await closedPort(), later)).status).toBe(116);
});

test.for([
  ["info -n a:web", "give the last label alone"],
  ["add-policy carol 1 --bridge service", "add-policy --csr and sign"],
  ["remove-policy", "add-policy --csr and sign"],
  [`create web ${image} --mem 200`, "raise the policy"],
  [`create web ${image} --cpu 1`, "raise the policy"],
  ["info --ca nowhere.pem", "--ca"],
  ["info --ca bob.pem --ca-key alice.key", ""],
  ["info --server-ca nowhere.pem --ca bob.pem --ca-key bob.key", "--server-ca"],
] as const)("124: run -d refuses before it connects: %s", async ([line, hint]) => {
  const { status, stderr } = await ask(line, await closedPort());
  expect(status).toBe(124);
  expect(stderr).toContain(hint);
});

test("run certificate carries out what was signed", async () => {
  const { port, presented } = await started({ strict: true });
  const line = `certificate web.pem web.key -d 127.0.0.1:${port}`;
  expect((await say(line.split(" "), folder)).status).toBe(0);
  expect(presented[0]?.map((certificate) => certificate.subject.commonName)).toEqual(["web", "bob", "alice"]);
});

test.for([
  ["certificate web.pem bob.key", 116],
  ["certificate bob.pem bob.key", 116],
  ["certificate server.pem server.key", 116],
  ["certificate web.pem nowhere.key", 124],
  ["certificate web.pem", 124],
] as const)("run refuses before it connects: %s", async ([line, status]) => {
  const port = await closedPort();
  expect((await say(`${line} -d 127.0.0.1:${port}`.split(" "), folder)).status).toBe(status);
});
