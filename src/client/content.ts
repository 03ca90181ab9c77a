/**
 * What goes to a server piece by piece, and what comes from it.
 *
 * @module
 */
import type { Connection } from "../host/client_connection.ts";
import {
  inflateStream,
  type Outgoing,
  openOutgoing,
  outgoingStream,
  type Piece,
  type Pieces,
} from "../host/client_transfer.ts";
import { describeConnection, describeFile } from "./describe.ts";
import { problem } from "./problem.ts";
import { fail } from "./server.ts";
import { outgoingBytes } from "./upload.ts";

/** The path of a file, or what would be in it. */
export type Content = string | Uint8Array | AsyncIterable<Uint8Array>;

/** @param level - of zlib; 0: as it is */
export async function openContent(content: Content, level: number): Promise<Outgoing> {
  if (typeof content === "string") {
    const opened = await openOutgoing(process.cwd(), content, level);
    return opened.ok ? opened.value : fail(describeFile(opened.error));
  }
  if (!(content instanceof Uint8Array)) return outgoingStream(content, level);
  return level === 0 ? outgoingBytes(content) : outgoingStream(once(content), level);
}

/**
 * All in one piece, if that has at most so many bytes.
 *
 * @returns otherwise the same pieces from their beginning
 */
export async function gather(pieces: Pieces, most: number): Promise<Uint8Array | Pieces> {
  const source = pieces[Symbol.asyncIterator]();
  const held: Uint8Array[] = [];
  let size = 0;
  while (size <= most) {
    const { value, done } = await source.next();
    if (done === true) return Buffer.concat(held);
    if (!value.ok) return fail(describeFile(value.error));
    held.push(value.value);
    size += value.value.length;
  }
  return joined(held, source);
}

/** The content of a block device, once its head has come: from the messages behind that. */
export function incoming(connection: Connection, compressed: boolean): AsyncIterable<Uint8Array> {
  return compressed ? inflateStream(blockBytes(connection)) : blockBytes(connection);
}

async function* blockBytes(connection: Connection): AsyncGenerator<Uint8Array> {
  for await (const message of connection.messages(silence)) {
    if (!message.ok) return fail(describeConnection(message.error));
    const { payload } = message.value;
    if (payload.kind === "failure") return fail(problem("refused", payload.text));
    if (payload.kind !== "data" || payload.data.kind === "block-end") return;
    if (payload.data.kind === "block-bytes") yield payload.data.bytes;
  }
  return fail(problem("communication", "the server closed the connection in the middle of the content"));
}

async function* joined(held: readonly Uint8Array[], rest: AsyncIterator<Piece>): AsyncGenerator<Piece> {
  for (const value of held) yield { ok: true, value };
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Milliseconds without a message in the middle of a content. */
const silence = 60_000;
