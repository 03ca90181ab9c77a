/**
 * A block device's content on its way to a client: at the client's pace in the
 * current form, in one piece in the old one.
 *
 * @module
 */
import type { Header } from "../codec/wire.ts";
import type { Effect } from "../core/state.ts";
import type { Connection } from "./connection.ts";

/**
 * Sends the head, the content and the end. A client that leaves ends it.
 *
 * @param mostWhole - bytes of a content in one piece, which is in memory
 */
export async function sendContent(
  connection: Connection,
  header: Header,
  { level, form }: Extract<Effect, { kind: "read-block" }>,
  content: AsyncIterable<Uint8Array>,
  mostWhole: number,
): Promise<void> {
  const compressed = level > 0;
  if (form === "old") return sendWhole(connection, header, compressed, content, mostWhole);
  connection.send(header, { kind: "success", success: { kind: "block-device-image", compressed } });
  for await (const piece of content) {
    for (let at = 0; at < piece.length; at += maxBytes) {
      const bytes = piece.subarray(at, at + maxBytes);
      connection.send(header, { kind: "data", data: { kind: "block-bytes", bytes } });
    }
    if (!(await connection.drained())) return;
  }
  connection.send(header, { kind: "data", data: { kind: "block-end" } });
}

async function sendWhole(
  connection: Connection,
  header: Header,
  compressed: boolean,
  content: AsyncIterable<Uint8Array>,
  most: number,
): Promise<void> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const bytes of content) {
    pieces.push(bytes);
    size += bytes.length;
    if (size > most) {
      return connection.fail(header, `the content is over ${most} bytes, too much for one reply`);
    }
  }
  const image = { compressed, bytes: Buffer.concat(pieces) };
  connection.send(header, { kind: "success", success: { kind: "old-block-device-image", image } });
}

/**
 * Bytes of a message's content: with its header, and the longest name in it, it fits into a TLS record. Of more than
 * 64 KiB that are compressed, albatross-client inflates the beginning over and over.
 */
const maxBytes: number = 15 * 1024;
