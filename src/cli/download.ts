/**
 * An image or the content of a block device, saved in a new file of the current folder.
 *
 * The file is called after the name and the time, `alice:disk.2026-11-22T05:21:03-00:00`: never anything else, whatever
 * the server says. It holds what was on the host, inflated where it travelled compressed.
 *
 * @module
 */
import { describeConnection } from "../client/describe.ts";
import type { Success } from "../core/command.ts";
import type { Name } from "../core/name.ts";
import { unreachable } from "../core/result.ts";
import type { Image } from "../core/unikernel.ts";
import type { Connection } from "../host/client_connection.ts";
import type { Environment } from "../host/client_environment.ts";
import { fileName } from "../host/file_name.ts";
import type { StreamError } from "../host/stream.ts";
import { describeFailure } from "./describe.ts";
import { escapeText } from "./escape.ts";
import { type Failure, failure, fileFailure } from "./failure.ts";
import { printTime } from "./print.ts";
import { Progress } from "./progress.ts";
import type { Outcome } from "./session.ts";

/** What is saved in place of only being printed; the content of the last kind follows in messages of its own. */
type Head = Extract<
  Success,
  { kind: "unikernel-image" } | { kind: "old-block-device-image" } | { kind: "block-device-image" }
>;

export type Messages = ReturnType<Connection["messages"]>;

export function isHead(success: Success): success is Head {
  const { kind } = success;
  return kind === "unikernel-image" || kind === "old-block-device-image" || kind === "block-device-image";
}

/** @param messages - what comes after the head */
export async function download(environment: Environment, name: Name, head: Head, messages: Messages): Promise<Outcome> {
  if (head.kind === "unikernel-image") return saveImage(environment, name, head.image);
  if (head.kind === "old-block-device-image") return save(environment, name, head.image, "dumped to");
  const incoming = new Incoming(environment, messages);
  const content = { compressed: head.compressed, bytes: incoming.pieces() };
  const saved = await save(environment, name, content, "dumped to");
  return incoming.failed ?? saved;
}

export function saveImage(environment: Environment, name: Name, image: Image): Promise<Outcome> {
  return save(environment, name, image, "dumped image to");
}

interface Content {
  readonly compressed: boolean;
  readonly bytes: Uint8Array | AsyncIterable<Uint8Array>;
}

async function save(environment: Environment, name: Name, content: Content, what: string): Promise<Outcome> {
  // It always holds a colon and never a slash: nothing but a file of this folder.
  const base = `${fileName(name)}.${printTime(environment.now())}`;
  const bytes = content.bytes instanceof Uint8Array ? once(content.bytes) : content.bytes;
  const saved = await environment.saveIncoming(base, bytes, content.compressed);
  if (!saved.ok) return describeSave(saved.error);
  await environment.stdout(`${what} ${saved.value}\n`);
  return undefined;
}

/** The content in messages, to its end. */
class Incoming {
  /** Why it did not come to its end, where that is not for whoever reads it to say. */
  failed: Failure | undefined;
  readonly #messages: Messages;
  readonly #progress: Progress;
  #received = 0;

  constructor(environment: Environment, messages: Messages) {
    this.#messages = messages;
    this.#progress = new Progress(environment, "received");
  }

  /** Throws where `failed` is set. */
  async *pieces(): AsyncGenerator<Uint8Array> {
    try {
      for await (const message of this.#messages) {
        if (!message.ok) throw this.#fail(describeConnection(message.error));
        const { header, payload } = message.value;
        if (payload.kind === "failure") throw this.#fail(describeFailure(header.name, payload.text));
        if (payload.kind !== "data") throw this.#fail(failure("communication", `the server sent a ${payload.kind}`));
        const { data } = payload;
        if (data.kind === "block-end") return;
        if (data.kind !== "block-bytes") throw this.#fail(failure("communication", `the server sent ${data.kind}`));
        this.#received += data.bytes.length;
        this.#progress.show(this.#received);
        yield data.bytes;
      }
      throw this.#fail(failure("communication", "the server closed the connection in the middle of the content"));
    } finally {
      this.#progress.end(this.#received);
    }
  }

  #fail(why: Failure): Error {
    this.failed = why;
    return new Error(why.text);
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function describeSave(error: StreamError): Failure {
  switch (error.kind) {
    case "stream-too-large": {
      const limit = `${Math.floor(error.limit / 1e6)} MB`;
      return failure("communication", `there is more of the content than the ${limit} that it may take here`, roomHint);
    }
    case "stream-corrupt":
      return failure("communication", `the content is no whole zlib stream: ${error.code}`);
    case "stream-inflates-too-much":
      return failure("communication", `a byte of the content inflates to more than ${error.limit}`);
    case "stream-trailing":
      return failure("communication", "the content goes on behind the end of its zlib stream");
    case "stream-broken":
      return failure("communication", escapeText(error.reason));
    case "io-failed":
      return fileFailure(error, "it is written to the current folder");
    default:
      return unreachable(error);
  }
}

const roomHint = "a download leaves a tenth of the free disk alone: make room, or go to another folder";
