import { once } from "node:events";
import { createServer, type Server } from "node:net";

/** A server that answers every first frame with the same bytes and then closes: what was recorded, played again. */
export interface Replay {
  /** The frames that came, with their length prefix. */
  readonly received: Uint8Array[];
  close(): void;
}

export async function replay(socket: string, answer: Uint8Array): Promise<Replay> {
  const received: Uint8Array[] = [];
  const server: Server = createServer((connection) => {
    let bytes = Buffer.alloc(0);
    connection.on("error", () => undefined);
    connection.on("data", (piece) => {
      bytes = Buffer.concat([bytes, piece]);
      if (bytes.length < 4 || bytes.length < 4 + bytes.readUInt32BE(0)) return;
      received.push(Uint8Array.from(bytes));
      connection.end(answer);
    });
  });
  server.listen(socket);
  await once(server, "listening");
  return { received, close: () => server.close() };
}
