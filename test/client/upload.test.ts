import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { sendUpload } from "../../src/client/upload.ts";
import { HeaderReader } from "../../src/codec/frame.ts";
import { ok } from "../../src/core/result.ts";
import { connectLocal } from "../../src/host/client_local.ts";
import { temporaryFolder } from "../cli/terminal.ts";
import { expectOk } from "../host/folder.ts";

test("sendUpload sends no chunk that is longer than what albatross inflates at once", async () => {
  const path = join(temporaryFolder(), "s");
  const server = createServer().listen(path);
  onTestFinished(() => {
    server.close();
  });
  await once(server, "listening");
  const arrived = once(server, "connection");
  const connection = expectOk(await connectLocal(path));
  const [socket] = await arrived;
  const pieces: Buffer[] = [];
  socket.on("data", (piece: Buffer) => pieces.push(piece));
  expectOk(await sendUpload(connection, given(new Uint8Array(200_000), new Uint8Array(0), new Uint8Array(7))));
  connection.close();
  await once(socket, "close");
  expect(lengths(Buffer.concat(pieces))).toEqual([65_536, 65_536, 65_536, 3392, 7, 0]);
});

async function* given(...pieces: readonly Uint8Array[]): AsyncGenerator<ReturnType<typeof ok<Uint8Array>>> {
  for (const piece of pieces) yield ok(piece);
}

/** Of the chunks, in their order. */
function lengths(stream: Uint8Array): readonly number[] {
  const found: number[] = [];
  for (let at = 0; at < stream.length; ) {
    const header = new HeaderReader();
    at += header.push(stream, at);
    const length = header.take() ?? 0;
    found.push(length);
    at += length;
  }
  return found;
}
