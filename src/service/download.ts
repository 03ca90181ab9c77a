/**
 * An image or a block device's content on its way to a client, at the client's
 * pace; in albatross's old reply to a dump in one piece.
 *
 * @module
 */
import { encodeImageHead, type Header } from "../codec/wire.ts";
import type { Refusal } from "../core/refusal.ts";
import type { Effect } from "../core/state.ts";
import type { OutgoingImage } from "../host/image_out.ts";
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

/** Sends an image in one message, at the client's pace. @returns why the client does not have it */
export async function sendImage(
  connection: Connection,
  header: Header,
  { compressed, length, pieces }: OutgoingImage,
): Promise<Refusal | undefined> {
  const head = encodeImageHead(header, compressed, length);
  if (head === undefined) return { kind: "host-failed", doing: "sending the image", problem: "too long for a message" };
  let [there, sent] = [await connection.write(head), 0];
  try {
    for await (const piece of pieces) {
      there &&= await connection.write(piece);
      if (!there) break;
      sent += piece.length;
    }
  } catch (thrown) {
    // Whoever has it all may go, before we know that there is no more.
    if (sent !== length) throw thrown;
  } finally {
    // Whatever were sent now would be read as the image.
    if (sent !== length) connection.socket.destroy();
  }
  return there ? undefined : { kind: "client-gone" };
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
