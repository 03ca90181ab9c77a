/**
 * What follows a command on its connection: an image, or the content of a block device.
 *
 * @module
 */
import { encodeFrame, frameHeader } from "../codec/frame.ts";
import { ok, type Result } from "../core/result.ts";
import type { Connection } from "../host/client_connection.ts";
import type { Outgoing, Pieces } from "../host/client_transfer.ts";
import { describeFile } from "./describe.ts";
import { FulmarError } from "./problem.ts";

/**
 * Sends it in chunks and their end, unless an answer comes first; without an end where it cannot be read.
 *
 * @param moved - called after every piece
 */
export async function sendUpload<E>(
  connection: Connection,
  pieces: AsyncIterable<Result<Uint8Array, E>>,
  moved: () => void = () => undefined,
): Promise<Result<void, E>> {
  for await (const piece of pieces) {
    if (connection.answered()) break;
    if (!piece.ok) return piece;
    for (let at = 0; at < piece.value.length; at += maxChunk) {
      await connection.send(encodeFrame(piece.value.subarray(at, at + maxChunk)));
    }
    moved();
  }
  if (!connection.answered()) await connection.send(frameHeader(0));
  return ok(undefined);
}

/** The same; throws where it cannot be read, and closes the connection. */
export async function sendAll(connection: Connection, pieces: Pieces): Promise<void> {
  try {
    const sent = await sendUpload(connection, pieces);
    if (!sent.ok) throw new FulmarError(describeFile(sent.error));
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** Bytes that are in memory already. */
export function outgoingBytes(bytes: Uint8Array): Outgoing {
  let read = 0;
  async function* pieces(): AsyncGenerator<ReturnType<typeof ok<Uint8Array>>> {
    while (read < bytes.length) {
      const piece = bytes.subarray(read, read + maxChunk);
      read += piece.length;
      yield ok(piece);
    }
  }
  return { size: bytes.length, read: () => read, pieces, close: async () => undefined };
}

/** Bytes of one chunk: of longer ones albatross inflates the beginning over and over. */
const maxChunk: number = 64 * 1024;
