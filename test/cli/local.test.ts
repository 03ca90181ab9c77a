import { once } from "node:events";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { encodeFrame } from "../../src/codec/frame.ts";
import { encodeWire, type Payload } from "../../src/codec/wire.ts";
import { parseName } from "../../src/core/name.ts";
import { version } from "../../src/core/version.ts";
import { type Said, say, temporaryFolder } from "./terminal.ts";

const image = join(import.meta.dirname, "../vector/images/none.hvt");

function frame(payload: Payload, text = "a:web"): Uint8Array {
  const name = parseName(text);
  if (!name.ok) throw new Error(name.error.kind);
  return encodeFrame(encodeWire({ header: { version: 5, sequence: 0n, name: name.value }, payload }));
}

const subscribed = frame({ kind: "success", success: { kind: "string", text: "subscribed" } });
const line = (text: string): Uint8Array => frame({ kind: "data", data: { kind: "console", time: 0, line: text } });

/** Runs a command line against a server that does this with each connection. */
async function against(words: readonly string[], act: (socket: Socket) => void): Promise<Said> {
  const folder = temporaryFolder();
  const socket = join(folder, "s");
  const server = createServer((connection) => {
    connection.on("error", () => undefined);
    act(connection);
  });
  server.listen(socket);
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
  });
  return say([...words, "--socket", socket], folder);
}

test("run prints console lines also before the subscription is confirmed, however they are cut", async () => {
  const bytes = Buffer.concat([line("one"), subscribed, line("\x1b[2Jtwo")]);
  const { status, stdout } = await against(["console", "a:web"], (socket) => {
    socket.setNoDelay();
    let at = 0;
    const timer = setInterval(() => {
      socket.write(bytes.subarray(at, at + 7));
      at += 7;
      if (at < bytes.length) return;
      clearInterval(timer);
      socket.end();
    }, 1);
  });
  expect(status).toBe(0);
  expect(stdout).toBe(
    "console 1970-01-01T00:00:00-00:00: one\n" +
      "host [unikernel: a:web]: success: subscribed\n" +
      "console 1970-01-01T00:00:00-00:00: \\x1b[2Jtwo\n",
  );
});

test("run prints all of more lines than it keeps waiting", async () => {
  const { status, stdout } = await against(["console", "a:web"], (socket) => {
    socket.write(subscribed);
    for (let count = 0; count < 5000; count++) socket.write(line(String(count)));
    socket.end();
  });
  expect(status).toBe(0);
  expect(stdout.split("\n").length).toBe(5002);
});

test.for([
  ["console a:web", []],
  ["info", []],
  ["info", [frame({ kind: "command", command: { kind: "policy-info" } })]],
  ["info", [line("unasked")]],
  ["console a:web", [frame({ kind: "data", data: { kind: "block-end" } })]],
  ["info", [Uint8Array.of(0, 0, 0, 0)]],
  ["info", [Uint8Array.of(0, 0, 1)]],
] as const)("121: %s is answered with what is no answer: %j", async ([words, frames]) => {
  const { status, stderr } = await against(words.split(" "), (socket) => socket.end(Buffer.concat(frames)));
  expect(status).toBe(121);
  expect(stderr).toMatch(/^error: .+\n/);
});

test("run reads a refusal that comes while a large image is still being sent", async () => {
  const folder = temporaryFolder();
  const large = join(folder, "large.hvt");
  writeFileSync(large, Buffer.concat([readFileSync(image), Buffer.alloc(30_000_000)]));
  const refusal = frame({ kind: "failure", text: "too large\x1b[2J" });
  const { status, stderr } = await against(["create", "a:web", large], (socket) => {
    socket.once("data", () => {
      socket.write(refusal, () => socket.destroy());
    });
  });
  expect([status, stderr]).toEqual([117, "error: host [unikernel: a:web]: command failed: too large\\x1b[2J\n"]);
});

test.for([["help", "foo"], ["foo"]] as const)("124: there is no such command: %j", async (words) => {
  const { status, stdout, stderr } = await say(words, temporaryFolder());
  expect({ status, stdout }).toEqual({ status: 124, stdout: "" });
  expect(stderr).toContain("unknown command 'foo'");
});

test.for(["lock", "replace-policy"])("help tells of %s as its own --help does", async (command) => {
  const folder = temporaryFolder();
  const help = await say(["help", command], folder);
  expect(help.stdout).toMatch(/^Usage: fulmar /);
  expect(help).toEqual(await say([command, "--help"], folder));
});

test("122: there is no daemon", async () => {
  const folder = temporaryFolder();
  expect(await say(["info", "--tmpdir", folder], folder)).toEqual({
    status: 122,
    stdout: "",
    stderr:
      `error: ${folder}/util/vmmd.sock: no connection: there is no such socket\n` +
      "hint: is the daemon running, and may you write to its socket?\n",
  });
});

test.for([
  ["info -q", ""],
  ["info --verbosity quiet", ""],
  ["info -q -v --verbosity debug", ""],
  ["add-policy a 1 --verbosity error", "error"],
  ["add-policy a 1", "warning error"],
  ["add-policy a 1 --color always", "\x1b[1mwarning \x1b[1;31merror"],
] as const)("run says no more on stderr than it is asked to: %s", async ([words, said]) => {
  const folder = temporaryFolder();
  const { status, stderr } = await say([...words.split(" "), "--tmpdir", folder], folder);
  expect(status).toBe(122);
  const lines = stderr.split("\n").filter((text) => !text.includes("hint:"));
  expect(
    lines
      .map((text) => text.replace(/:.*/, "").replace(`\x1b[0m`, ""))
      .join(" ")
      .trim(),
  ).toBe(said);
});

test.for([
  ["info", "vmmd"],
  ["policy", "vmmd"],
  ["block", "vmmd"],
  ["console web", "console"],
] as const)("run goes to the service of its command: %s", async ([words, service]) => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "util"));
  copyFileSync(image, join(folder, "util", `${service}.sock`));
  const { stderr } = await say([...words.split(" "), "--tmpdir", folder], folder);
  expect(stderr).toContain(`util/${service}.sock: no connection: nobody listens there`);
});

test("run shows its version", async () => {
  expect(await say(["--version"], temporaryFolder())).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
});
