/**
 * What follows a command on its connection: an image, or the content of a block device.
 *
 * @module
 */
import { encodeFrame, frameHeader } from "../codec/frame.ts";
import { ok } from "../core/result.ts";
import type { Connection } from "../host/client_connection.ts";
import type { Environment } from "../host/client_environment.ts";
import type { Outgoing } from "../host/client_transfer.ts";
import { type Failure, fileFailure } from "./failure.ts";
import { Progress } from "./progress.ts";

/** Sends it in chunks and their end, unless an answer comes first; without an end where it cannot be read. */
export async function upload(
  environment: Environment,
  connection: Connection,
  outgoing: Outgoing,
): Promise<Failure | undefined> {
  const progress = new Progress(environment, "sent", outgoing.size);
  let failed: Failure | undefined;
  for await (const piece of outgoing.pieces()) {
    if (connection.answered()) break;
    if (!piece.ok) {
      failed = fileFailure(piece.error, "nothing on the server has changed");
      break;
    }
    if (piece.value.length > 0) await connection.send(encodeFrame(piece.value));
    progress.show(outgoing.read());
  }
  progress.end(outgoing.read());
  if (failed === undefined && !connection.answered()) await connection.send(frameHeader(0));
  return failed;
}

/** Bytes that are in memory already. */
export function outgoingBytes(bytes: Uint8Array): Outgoing {
  let read = 0;
  async function* pieces(): AsyncGenerator<ReturnType<typeof ok<Uint8Array>>> {
    while (read < bytes.length) {
      const piece = bytes.subarray(read, read + pieceSize);
      read += piece.length;
      yield ok(piece);
    }
  }
  return { size: bytes.length, read: () => read, pieces, close: async () => undefined };
}

/** Bytes of one chunk. */
const pieceSize: number = 64 * 1024;
