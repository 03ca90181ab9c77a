import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { decodeExtension, encodeExtension } from "../../src/codec/extension.ts";
import { inflate } from "../../src/codec/zlib.ts";
import type { Command } from "../../src/core/command.ts";
import { parseRequest } from "../../src/x509/csr.ts";
import { parsePem } from "../../src/x509/pem.ts";
import { hex, readLines, unhex } from "../codec/vectors.ts";
import { say, temporaryFolder } from "./terminal.ts";

interface Vector {
  readonly line: readonly string[];
  readonly subject: string;
  readonly extension: string;
}

const images = join(import.meta.dirname, "../vector/images");

/** zlib compresses differently from albatross's library: images are compared inflated, all else byte for byte. */
function inflated(command: Command): Command {
  if (command.kind !== "unikernel-create" || !command.image.compressed) return command;
  const bytes = inflate(command.image.bytes, 1_000_000);
  if (!bytes.ok) throw new Error(bytes.error.kind);
  return { ...command, image: { compressed: true, bytes: bytes.value } };
}

function readRequest(folder: string, file: string): { commonName: string; command: Command } {
  const blocks = parsePem(readFileSync(join(folder, file), "utf8"));
  const request = blocks.ok ? parseRequest(blocks.value[0]?.der ?? new Uint8Array(0)) : blocks;
  if (!request.ok) throw new Error(request.error.kind);
  const { commonName, command } = request.value;
  if (commonName === undefined || command === undefined) throw new Error("incomplete");
  return { commonName, command };
}

const vectors = readLines<Vector>("cli/csrs.jsonl").map((vector) => [vector.line.join(" "), vector] as const);

// What albatross-client 2.7.2 asks for with --csr: see test/vector/cli.
test.for(vectors)("run --csr asks for what albatross asks for: %s", async ([, { line, subject, extension }]) => {
  const folder = temporaryFolder();
  const words = line.map((word) => (word.endsWith(".hvt") ? join(images, word) : word));
  const { status, stdout, stderr } = await say([...words, "--csr"], folder);
  expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
  const local = ["remove-policy", "stats-add", "stats-remove"].includes(line[0] ?? "");
  expect(stderr.includes("no server carries this out for a certificate")).toBe(local);
  const { commonName, command } = readRequest(folder, `${subject.slice(4)}.req`);
  expect(`/CN=${commonName}`).toBe(subject);
  const wanted = decodeExtension(unhex(extension));
  if (!wanted.ok) throw new Error(wanted.error.kind);
  expect(hex(encodeExtension(inflated(command)))).toBe(hex(encodeExtension(inflated(wanted.value))));
});

test("run --csr writes a key that only its owner reads, and nothing else", async () => {
  const folder = temporaryFolder();
  await say(["destroy", "web", "--csr", "--key-type", "p256"], folder);
  expect(readdirSync(folder).toSorted()).toEqual(["web.key", "web.req"]);
  expect(statSync(join(folder, "web.key")).mode & 0o777).toBe(0o400);
});

test("reference bug 30: run --csr works for a path, whose common name is a dot", async () => {
  const folder = temporaryFolder();
  expect(await say(["info", "--csr"], folder)).toMatchObject({ status: 0, stderr: "" });
  expect(readRequest(folder, "unikernel-info.req").commonName).toBe(".");
  expect(await say(["policy", "--csr"], folder)).toMatchObject({ status: 0, stderr: "" });
  expect(readRequest(folder, "policy-info.req").commonName).toBe(".");
  expect(await say(["inactive-consoles", "--csr"], folder)).toMatchObject({ status: 0, stderr: "" });
  expect(readRequest(folder, "console-list-inactive.req").commonName).toBe(".");
});

test.for([
  ["info -n a:b", "the last label alone"],
  ["info -n a:", "the last label alone"],
  ["policy -p a:b", "the last label alone"],
  ["inactive-consoles -p a", "the last label alone"],
  ["dump-block a:disk", "the last label alone"],
  ["add-policy a:b 1 --bridge x", "the last label alone"],
  ["remove-policy -p a:b", "the last label alone"],
] as const)("run --csr refuses %j", async ([line, hint]) => {
  const { status, stderr } = await say([...line.split(" "), "--csr"], temporaryFolder());
  expect(status).toBe(124);
  expect(stderr).toContain(hint);
});
