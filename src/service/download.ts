/**
 * An image or a block device's content on its way to a client, at the client's
 * pace; in albatross's old reply to a dump in one piece.
 *
 * @module
 */
import { maxRecord } from "../codec/tls_record.ts";
import { encodeImageHead, encodeMessage, type Header } from "../codec/wire.ts";
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
  const { head, size } = fullMessage(header);
  /** What has come of the next message. */
  let begun: Uint8Array[] = [];
  let held = 0;
  for await (const come of content) {
    const parts: Uint8Array[] = [];
    let at = 0;
    while (held + come.length - at >= size) {
      const end = at + size - held;
      parts.push(head, ...begun, come.subarray(at, end));
      [begun, held, at] = [[], 0, end];
    }
    if (at < come.length) begun.push(come.subarray(at));
    held += come.length - at;
    if (!(await connection.write(...parts))) return;
  }
  if (held > 0) {
    connection.send(header, { kind: "data", data: { kind: "block-bytes", bytes: Buffer.concat(begun) } });
  }
  if (!(await connection.drained())) return;
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
 * What is written before a piece of the content, and the size of the piece with which the message fills a TLS record. Of
 * more than 64 KiB that are compressed, albatross-client inflates the beginning over and over.
 */
function fullMessage(header: Header): { readonly head: Uint8Array; readonly size: number } {
  const frame = (size: number): Uint8Array => {
    const data = { kind: "block-bytes", bytes: new Uint8Array(size) } as const;
    return encodeMessage({ header, payload: { kind: "data", data } });
  };
  const some = maxRecord / 2;
  const size = maxRecord - (frame(some).length - some);
  return { head: frame(size).subarray(0, maxRecord - size), size };
}
