/** Conversations of albatross's own programs with its daemons, as they were recorded: see test/vector/replay. */
import { join } from "node:path";
import { decodeWire, type Payload, type Wire } from "../../src/codec/wire.ts";
import type { Success } from "../../src/core/command.ts";
import { printName } from "../../src/core/name.ts";
import { requested } from "../cli/terminal.ts";
import { hex, readLines, unhex } from "../codec/vectors.ts";
import { expectOk, name } from "../host/folder.ts";

/** One frame: whole, with its length; the first bytes of a long one; or how many were not written down. */
type Frame = { readonly dir: ">" | "<" } & (
  | { readonly frame: string }
  | { readonly head: string }
  | { readonly elided: number }
);

/** One connection of one command. */
export interface Conversation {
  readonly words: readonly string[];
  readonly socket: "vmmd" | "console" | "stat";
  readonly frames: readonly Frame[];
}

export function readConversations(file: string): readonly Conversation[] {
  return readLines<Conversation>(`replay/${file}.jsonl`);
}

/** What of a message must be the same on every host and at every time, as text. */
export function essence({ header, payload }: Wire): string {
  // Which of several guests is told of first is nobody's promise.
  if (payload.kind === "data") return `data ${payload.data.kind}`;
  return `${header.version} ${header.sequence} ${printName(header.name)} ${JSON.stringify(essenceOf(payload))}`;
}

function essenceOf(payload: Payload): unknown {
  switch (payload.kind) {
    // The sentences are ours.
    case "failure":
      return "failure";
    case "success":
      return successOf(payload.success);
    default:
      return payload.kind;
  }
}

function successOf(success: Success): unknown {
  switch (success.kind) {
    // Which of the two is a matter of when: one that ends again and again may be running just then, or wait.
    case "string":
      return success.text.replace("destroyed: removed from restarting", "destroyed unikernel");
    // The root's is the host's own.
    case "policies":
      return success.policies.map(({ name, value }) => [printName(name), value.unikernels > 1000 ? "host" : value]);
    // The guests are not albatross's.
    case "unikernels":
      return success.unikernels.map(({ name, value }) => [
        printName(name),
        { ...value, digest: "", started: 0, bridges: value.bridges.map((one) => ({ ...one, mac: hex(one.mac) })) },
      ]);
    // albatross makes block devices without a label, which we refuse.
    case "block-devices":
      return success.devices.filter(({ name }) => name.label !== undefined);
    case "unikernel-image":
      return { kind: success.kind, compressed: success.image.compressed };
    default:
      return success;
  }
}

/** The message that a recorded frame is; for a long reply, as far as its first bytes tell. */
export function recorded(frame: string): Wire {
  return expectOk(decodeWire(unhex(frame).subarray(4)));
}

/** The header of a frame whose end was not written down: it is a message's first part. */
export function headerIn(head: string): Wire["header"] {
  const bytes = Buffer.from(unhex(head));
  const at = bytes.indexOf(Buffer.from("0408", "hex"));
  const length = bytes[at + 11] ?? 0;
  const text = bytes.toString("utf8", at + 12, at + 12 + length);
  return { version: 5, sequence: bytes.readBigInt64BE(at + 2), name: name(text) };
}

/** What the command line asked for, with images of ours in place of Solo5's. */
export async function commandOf(words: readonly string[], images: string): Promise<Payload> {
  const own = words.map((word) => (word in guests ? join(images, guests[word] ?? "") : word));
  const local = own.filter(
    (word, at) => word !== "-d" && own[at - 1] !== "-d" && !/^--(server-)?ca(-key)?=/.test(word),
  );
  const { command } = await requested([...local, "--compression-level=0"], images);
  return { kind: "command", command };
}

/** Images with the same devices as those of Solo5's tests. */
export const guests: Readonly<Record<string, string>> = {
  "test_hello.hvt": "none.hvt",
  "test_net.hvt": "net.hvt",
  "test_blk.hvt": "blk.hvt",
  "test_exception.hvt": "exception.hvt",
  "test_hello.virtio": "none.virtio",
};
