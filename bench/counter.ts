/**
 * Answers, counted as they come.
 *
 * @module
 */
import type { Socket } from "node:net";
import { HeaderReader } from "../src/codec/frame.ts";

/** Counts messages without reading them. */
export class Counter {
  #seen = 0;
  #wanted = Number.POSITIVE_INFINITY;
  #missing = 0;
  #header = new HeaderReader();
  #done: (error?: Error) => void = () => undefined;

  constructor(socket: Socket) {
    socket.on("data", (piece: Buffer) => this.#take(piece));
    socket.on("error", (error) => this.#done(error));
    socket.on("close", () => this.#done(new Error("closed without a reply")));
  }

  count(more: number): Promise<void> {
    this.#wanted = this.#seen + more;
    return new Promise((resolve, reject) => {
      this.#done = (error) => (error === undefined ? resolve() : reject(error));
    });
  }

  #take(piece: Buffer): void {
    for (let at = 0; at < piece.length; ) {
      if (this.#missing === 0) {
        at += this.#header.push(piece, at);
        this.#missing = this.#header.take() ?? 0;
        continue;
      }
      const step = Math.min(this.#missing, piece.length - at);
      this.#missing -= step;
      at += step;
      if (this.#missing === 0) this.#seen += 1;
    }
    if (this.#seen >= this.#wanted) this.#done();
  }
}
