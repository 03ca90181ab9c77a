import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { encodeFrame } from "../../src/codec/frame.ts";
import { Inbox } from "../../src/host/inbox.ts";

test("a frame is waited for while an upload before it still reads its end", async () => {
  await connected(async (near, far) => {
    const inbox = new Inbox(near, 1000);
    const upload = inbox.chunks(1000).next();
    const frame = inbox.frame();
    far.write(encodeFrame(new Uint8Array(0)));
    expect(await upload).toEqual({ done: true, value: undefined });
    far.write(encodeFrame(Uint8Array.of(1, 2)));
    expect(await frame).toEqual({ ok: true, value: Buffer.of(1, 2) });
  });
});

/** Two ends of a Unix socket, closed in the end. */
async function connected(act: (near: Socket, far: Socket) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "fulmar-socket-"));
  const server = createServer({ allowHalfOpen: true }).listen(join(folder, "socket"));
  await once(server, "listening");
  const far = connect(join(folder, "socket"));
  const [near]: Socket[] = await once(server, "connection");
  try {
    if (near !== undefined) await act(near, far);
  } finally {
    far.destroy();
    near?.destroy();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
