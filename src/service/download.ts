/**
 * An image or a block device's content on its way to a client, at the client's
 * pace; in albatross's old reply to a dump in one piece.
 *
 * @module
 */
import { encodeFrame } from "../codec/frame.ts";
import { maxRecord } from "../codec/tls_record.ts";
import { encodeImageHead, encodeWire, type Header } from "../codec/wire.ts";
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
  for await (const pieces of piecesOf(content, size)) {
    const [last] = pieces;
    if (last !== undefined && last.length < size) {
      connection.send(header, { kind: "data", data: { kind: "block-bytes", bytes: last } });
    } else if (!(await connection.write(...pieces.flatMap((bytes) => [head, bytes])))) return;
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

/** Of one size, together those that are there; the last one, where that is smaller, by itself. */
async function* piecesOf(content: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<readonly Uint8Array[]> {
  let rest: Uint8Array = new Uint8Array(0);
  for await (const come of content) {
    const bytes = rest.length === 0 ? come : Buffer.concat([rest, come]);
    const count = Math.floor(bytes.length / size);
    rest = bytes.subarray(count * size);
    yield Array.from({ length: count }, (_, index) => bytes.subarray(index * size, (index + 1) * size));
  }
  if (rest.length > 0) yield [rest];
}

/**
 * What is written before a piece of the content, and the size of the piece with which the message fills a TLS record. Of
 * more than 64 KiB that are compressed, albatross-client inflates the beginning over and over.
 */
function fullMessage(header: Header): { readonly head: Uint8Array; readonly size: number } {
  const frame = (size: number): Uint8Array => {
    const data = { kind: "block-bytes", bytes: new Uint8Array(size) } as const;
    return encodeFrame(encodeWire({ header, payload: { kind: "data", data } }));
  };
  const some = maxRecord / 2;
  const size = maxRecord - (frame(some).length - some);
  return { head: frame(size).subarray(0, maxRecord - size), size };
}
