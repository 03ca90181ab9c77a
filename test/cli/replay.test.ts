import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { hex, readLines, unhex } from "../codec/vectors.ts";
import { replay } from "./replay.ts";
import { say, temporaryFolder } from "./terminal.ts";

interface Conversation {
  readonly words: readonly string[];
  readonly sent?: string;
  readonly socket: string;
  readonly answer: readonly string[];
  readonly status: number;
  readonly stdout: string;
}

const folder = temporaryFolder();
mkdirSync(join(folder, "util"));
// The images of the recording were others, with the same devices.
for (const [image, name] of [
  ["none.hvt", "test_hello.hvt"],
  ["none.virtio", "test_hello.virtio"],
  ["none.hvt", "test_exception.hvt"],
  ["net.hvt", "test_net.hvt"],
  ["blk.hvt", "test_blk.hvt"],
] as const) {
  copyFileSync(join(import.meta.dirname, "../vector/images", image), join(folder, name));
}

const conversations = readLines<Conversation>("cli/local.jsonl").map(
  (conversation) => [conversation.words.join(" "), conversation] as const,
);

test.for(conversations)("run, in a replay of albatross's daemons: %s", async ([, conversation]) => {
  const socket = join(folder, "util", `${conversation.socket}.sock`);
  const server = await replay(socket, Buffer.concat(conversation.answer.map(unhex)));
  const { status, stdout, stderr } = await say([...conversation.words, "--tmpdir", folder], folder);
  server.close();
  expect(status).toBe(conversation.status);
  if (conversation.sent !== undefined) expect(server.received.map(hex)).toEqual([conversation.sent]);
  if (conversation.words[0] === "console" && status === 0) {
    const recorded = conversation.stdout.split("\n");
    expect(stdout.split("\n").filter((line) => !recorded.includes(line))).toEqual([]);
    expect(stdout.split("\n").length).toBe(conversation.answer.length + 1);
  } else if (status === 0) {
    expect(collapse(stdout)).toBe(collapse(withFullNames(conversation)));
  } else {
    const [, refusal = ""] = /\[WARNING\] (host .*: command failed .*)$/s.exec(collapse(conversation.stdout)) ?? [];
    expect(stderr).toContain(`error: ${refusal.replace("command failed", "command failed:")}\n`);
  }
});

/** albatross wraps at 80 columns, and warns on the same stream. */
function collapse(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}

/** albatross shows what is below `-p` relative to it; ours have their whole names (fault 29). */
function withFullNames({ words, stdout }: Conversation): string {
  const at = words.indexOf("-p");
  const path = words[at + 1] ?? "";
  if (words[0] === "inactive-consoles" && at > 0) {
    return stdout.replaceAll(/\[unikernel: :([a-z]+)\]/g, `[unikernel: ${path}:$1]`);
  }
  if (words[0] !== "policy" || at < 0) return stdout;
  return stdout
    .replaceAll(/\[unikernel: ([a-z]*:)\]: policy/g, (_, name: string) => `[unikernel: ${path}:${name}]: policy`)
    .replaceAll("::]", ":]");
}
