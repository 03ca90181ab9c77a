import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { expect, test, vi } from "vitest";
import { encodeFrame } from "../../src/codec/frame.ts";
import { encodeWire, type Wire } from "../../src/codec/wire.ts";
import type { UnikernelInfo } from "../../src/core/unikernel.ts";
import { enterNetworkNamespace } from "../host/namespace.ts";
import { type Caller, until } from "./caller.ts";
import { create, openScripted, type Place } from "./lab.ts";
import { type Conversation, commandOf, essence, guests, headerIn, readConversations, recorded } from "./recording.ts";

vi.setConfig({ testTimeout: 180_000 });

const isAlone =
  enterNetworkNamespace() &&
  ["br1", "service"].every((bridge) => spawnSync("ip", ["link", "add", bridge, "type", "bridge"]).status === 0);

/** Doubles of the guests that ran in the recording: two that go on, one that fails, one that ends at once. */
const script = `
case "$*" in *--net:*|*--block:*) while :; do sleep 1; done;; esac
while [ "$1" != -- ]; do shift; done
case "$(tail -c 9 "$2")" in exception) exit 255;; esac
echo Hello; exit 0
`;

const missing = "reference bug 13: what is gone already is not destroyed once more";
const unnamed = "a block device has a label";

/** Where we answer something else on purpose: which command, by its place in its sitting, and why. */
const differing: Readonly<Record<string, string>> = {
  "local 82 destroy dev:exc": missing,
  "local 91 destroy dev:net": missing,
  "local 112 create-block 1": unnamed,
  "local 113 destroy-block dev:": unnamed,
  "tls 69 destroy exc": missing,
  "tls 75 destroy loop": missing,
  "tls 78 destroy net": missing,
};

/** What albatross-client and its endpoint said to albatross's daemons in one sitting is said to fulmard. */
test.for([[["local"]], [["tls", "tls-nested"]]] as const)(
  "fulmard answers as albatross's daemons did: %j",
  async ([files], { skip }) => {
    if (!isAlone) skip("no network namespace of its own can be had");
    const place = openScripted(script);
    renameSync(join(place.dbdir, "solo5-spt"), join(place.dbdir, "solo5-hvt"));
    const images = join(place.folder, "images");
    mkdirSync(images);
    for (const guest of Object.values(guests)) writeFileSync(join(images, guest), imageOf(guest));
    await place.start({ tenders: ["hvt"], interval: 300 });
    // Was left by an earlier sitting.
    if (files[0] === "tls") await place.ask("dev:exc", create(imageOf("exception.hvt"), restless));
    const found: Record<string, string> = {};
    for (const file of files) {
      for (const [at, conversation] of readConversations(file).entries()) {
        const { words } = conversation;
        // It had come to its end by then.
        if (words[0] === "destroy" && words.at(-1) === "dev:blk") await endGuest(place, "--block:");
        await until(async () => (await place.infos()).every(([, one]) => lasts(one)), "the end of what ends");
        const difference = await replay(place, images, conversation);
        if (difference !== undefined) found[`${file} ${at} ${words[0]} ${words.at(-1)}`] = difference;
      }
    }
    const expected = Object.keys(differing).filter((key) => files.some((file) => key.startsWith(`${file} `)));
    expect({ ...found }).toEqual(Object.fromEntries(expected.map((key) => [key, found[key] ?? "the same"])));
  },
);

function lasts({ blocks, bridges, failBehaviour }: UnikernelInfo): boolean {
  return blocks.length > 0 || bridges.length > 0 || failBehaviour.kind === "restart";
}

async function endGuest(place: Place, word: string): Promise<void> {
  const at = place.commands().findIndex((words) => words.includes(word));
  process.kill(place.tenders()[at] ?? 0, "SIGKILL");
  await until(async () => (await place.infos()).every(([, { blocks }]) => blocks.length === 0), "the guest's end");
}

/** Says what was said. @returns how the answers differ */
async function replay(place: Place, images: string, conversation: Conversation): Promise<string | undefined> {
  const caller = await place.call(conversation.socket);
  const difference = await converse(caller, conversation, images);
  if (conversation.words[0] === "dump-block") await caller.closed;
  caller.close();
  return difference;
}

async function converse(caller: Caller, conversation: Conversation, images: string): Promise<string | undefined> {
  const next = answersOf(caller);
  let uploads = false;
  for (const frame of withoutPieces(conversation)) {
    if ("elided" in frame) {
      // The rest of a long answer, or of a stream.
      if (frame.dir === "<") return undefined;
      continue;
    }
    if (frame.dir === ">") {
      if (isUpload(frame)) uploads = true;
      else await say(caller, conversation, frame, images);
      continue;
    }
    if (uploads) caller.socket.write(contentFor(conversation));
    uploads = false;
    const difference = await compare(next, frame);
    // Guests of other kinds print other things.
    if (difference !== undefined || conversation.socket === "console") return difference;
  }
  return undefined;
}

/** Holds the next message against the recorded one. */
async function compare(next: Answers, frame: Written): Promise<string | undefined> {
  const wire = await next();
  if (wire === undefined) return "no answer";
  const theirs = "frame" in frame ? essence(recorded(frame.frame)) : undefined;
  return theirs === undefined || theirs === essence(wire) ? undefined : `\n   ${theirs}\n   ${essence(wire)}`;
}

/** In how many pieces a content comes is nobody's promise: of several one behind the other, the first. */
function withoutPieces({ words, frames }: Conversation): Conversation["frames"] {
  if (words[0] !== "dump-block") return frames;
  const at = frames.findIndex(isPiece);
  return frames.filter((frame, index) => index <= at || !isPiece(frame));
}

function isPiece(frame: Conversation["frames"][number]): boolean {
  if (frame.dir === ">" || "elided" in frame) return false;
  return !("frame" in frame) || essence(recorded(frame.frame)) === piece;
}

type Answers = () => Promise<Wire | undefined>;

/** The same of what comes; undefined where nothing more does. */
function answersOf(caller: Caller): Answers {
  let before: string | undefined;
  return async () => {
    for (;;) {
      const wire = await caller.next().catch(() => undefined);
      const now = wire && essence(wire);
      if (now !== piece || before !== piece) {
        before = now;
        return wire;
      }
    }
  };
}

const piece = "data block-bytes";

async function say(caller: Caller, { words }: Conversation, frame: Written, images: string): Promise<void> {
  if ("frame" in frame) {
    caller.socket.write(Buffer.from(frame.frame, "hex"));
    return;
  }
  const header = headerIn(frame.head);
  caller.socket.write(encodeFrame(encodeWire({ header, payload: await commandOf(words, images) })));
}

/** Whether it is a piece of a stream, not a message. */
function isUpload(frame: Written): boolean {
  return !/^.{8}30(81..|82.{4}|83.{6}|[0-7].)30..020105/.test(bytesOf(frame));
}

type Written = { readonly frame: string } | { readonly head: string };

/** Hex, as many as were written down. */
function bytesOf(frame: Written): string {
  return "frame" in frame ? frame.frame : frame.head;
}

/** In place of a content that was not written down: of the same form, and too large where that was. */
function contentFor({ words, frames }: Conversation): Uint8Array {
  const content = Buffer.alloc(words.includes("albatrossd") ? 4_000_000 : 100_000, "content");
  const compressed = frames.some((frame) => !("elided" in frame) && bytesOf(frame).startsWith("78", 8));
  const bytes = compressed ? deflateSync(content) : content;
  return Buffer.concat([encodeFrame(bytes), encodeFrame(new Uint8Array(0))]);
}

const restless = { addName: false, failBehaviour: { kind: "restart", codes: [] } } as const;

function imageOf(guest: string): Uint8Array {
  const bytes = readFileSync(join(import.meta.dirname, "../vector/images", guest.replace("exception", "none")));
  return guest === "exception.hvt" ? Buffer.concat([bytes, Buffer.from("exception")]) : bytes;
}
