import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { InfluxSender } from "../../src/host/influx_sender.ts";
import { createLog } from "../../src/host/log.ts";
import { until } from "./folder.ts";

/** A receiver that may come and go, with everything it was sent, one text for each connection. */
class Receiver {
  readonly texts: string[] = [];
  readonly sockets: Socket[] = [];
  readonly port: number;
  #server: Server;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  static async open(port = 0): Promise<Receiver> {
    const server = createServer().listen(port, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const receiver = new Receiver(server, typeof address === "object" && address !== null ? address.port : 0);
    server.on("connection", (socket) => {
      const at = receiver.texts.push("") - 1;
      receiver.sockets.push(socket);
      socket.setEncoding("utf8").on("error", () => undefined);
      socket.on("data", (piece: string) => {
        receiver.texts[at] += piece;
      });
    });
    onTestFinished(() => receiver.close());
    return receiver;
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.#server.close();
  }
}

function sender(port: number): { readonly sender: InfluxSender; readonly log: () => string } {
  let said = "";
  const log = createLog("test", 1, { write: (line: string) => (said += line) });
  const made = new InfluxSender({ host: "127.0.0.1", port }, log, 20);
  onTestFinished(() => made.close());
  return { sender: made, log: () => said };
}

test("InfluxSender sends what it is given, also what came before the connection", async () => {
  const receiver = await Receiver.open();
  const { sender: influx } = sender(receiver.port);
  influx.send("a 1\n");
  influx.send("");
  influx.send("b 2\nc 3\n");
  await until(() => receiver.texts[0] === "a 1\nb 2\nc 3\n");
});

test("InfluxSender connects again, and keeps what comes meanwhile", async () => {
  const receiver = await Receiver.open();
  const { sender: influx, log } = sender(receiver.port);
  influx.send("first\n");
  await until(() => receiver.texts[0] === "first\n");
  receiver.close();
  await until(() => log().includes("no connection"));
  influx.send("second\n");
  await until(() => log().includes("ECONNREFUSED"));
  const again = await Receiver.open(receiver.port);
  influx.send("third\n");
  await until(() => again.texts.join("") === "second\nthird\n");
  expect(log()).toContain('"delay":40');
});

test("InfluxSender keeps the latest of too much, in whole pieces", async () => {
  const receiver = await Receiver.open();
  const { port } = receiver;
  receiver.close();
  const { sender: influx, log } = sender(port);
  const piece = (index: number): string => `${String(index).padStart(1023, "x")}\n`;
  for (let index = 0; index < 5000; index++) influx.send(piece(index));
  await until(() => log().includes("ECONNREFUSED"));
  const again = await Receiver.open(port);
  const kept = Array.from({ length: 4096 }, (_, index) => piece(904 + index)).join("");
  await until(() => again.texts.join("").length >= kept.length);
  expect(again.texts.join("") === kept).toBe(true);
  expect(log()).toContain('"dropped":904');
});

test("InfluxSender holds no more than that for a receiver that does not read", async () => {
  const receiver = await Receiver.open();
  const { sender: influx } = sender(receiver.port);
  await until(() => receiver.sockets.length === 1);
  receiver.sockets[0]?.pause();
  const piece = (index: number): string => `${String(index).padStart(100_000, "x")}\n`;
  for (let index = 0; index < 1000; index++) {
    influx.send(piece(index));
    if (index % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  receiver.sockets[0]?.resume();
  await until(() => receiver.texts[0]?.endsWith("x999\n") === true);
  // What it holds, and what the kernel's buffers took before.
  expect(receiver.texts[0]?.length).toBeLessThan(25_000_000);
});

test("InfluxSender closed stays closed", async () => {
  const receiver = await Receiver.open();
  const { sender: influx, log } = sender(receiver.port);
  await until(() => receiver.sockets.length === 1);
  influx.close();
  influx.send("late\n");
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(receiver.texts).toEqual([""]);
  expect(log()).not.toContain("no connection");
});
