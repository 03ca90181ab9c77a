/** Whoever talks to one of the daemon's sockets in its tests: what is said, and what comes back. */
import type { Socket } from "node:net";
import { encodeFrame, FrameReader } from "../../src/codec/frame.ts";
import { decodeWire, encodeWire, type Wire } from "../../src/codec/wire.ts";
import type { ChainRequest, Command, Level } from "../../src/core/command.ts";
import { printName } from "../../src/core/name.ts";
import { expectOk, name } from "../host/folder.ts";

/** One connection to a socket of the daemon. */
export class Caller {
  readonly socket: Socket;
  readonly wires: Wire[] = [];
  /** Resolves when the daemon has closed. */
  readonly closed: Promise<void>;
  readonly #reader = new FrameReader(maxReply);
  #read = 0;
  #over = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", () => undefined);
    socket.on("data", (piece: Buffer) => {
      for (const frame of expectOk(this.#reader.push(piece))) this.wires.push(expectOk(decodeWire(frame)));
    });
    this.closed = new Promise((resolve) => {
      const over = (): void => {
        this.#over = true;
        socket.end();
        resolve();
      };
      socket.on("end", over).on("close", over);
    });
  }

  say(target: string, payload: Wire["payload"]): void {
    const header = { version: 5, sequence: 7n, name: name(target) } as const;
    this.socket.write(encodeFrame(encodeWire({ header, payload })));
  }

  /** Answers what the daemon asks. */
  answer(header: Wire["header"], payload: Wire["payload"]): void {
    this.socket.write(encodeFrame(encodeWire({ header, payload })));
  }

  /** Speaks as the endpoint does. */
  ask(levels: readonly Level[], label: string, command: Command, changes: Partial<ChainRequest> = {}): void {
    const target = name(`${levels.map((one) => one.label).join(":")}:${label}`);
    const own = target.label === undefined ? {} : { label: target.label };
    const common = { leaf: new Uint8Array(32), expires: levels[0]?.notAfter ?? 0, imageFollows: false };
    this.say(printName(target), { kind: "request", request: { levels, ...own, ...common, command, ...changes } });
  }

  /** Ends its side, and waits for what comes until the daemon ends too. */
  async finish(): Promise<readonly string[]> {
    this.socket.end();
    await this.closed;
    return this.wires.map(told);
  }

  /** The next message. */
  async next(): Promise<Wire> {
    await until(() => this.wires.length > this.#read || this.#over, "an answer");
    const wire = this.wires[this.#read];
    if (wire === undefined) throw new Error("closed without an answer");
    this.#read += 1;
    return wire;
  }

  /** The console's lines so far. */
  lines(): readonly string[] {
    return this.#console().map(({ line }) => line);
  }

  /** When they were printed, ms since the Unix epoch. */
  times(): readonly number[] {
    return this.#console().map(({ time }) => time);
  }

  #console(): readonly { readonly line: string; readonly time: number }[] {
    return this.wires.flatMap(({ payload }) =>
      payload.kind === "data" && payload.data.kind === "console" ? [payload.data] : [],
    );
  }

  async line(text: string | RegExp): Promise<void> {
    const wanted = (line: string): boolean => (typeof text === "string" ? line === text : text.test(line));
    await until(() => this.lines().some(wanted), `the line ${text}`);
  }

  close(): void {
    this.socket.destroy();
  }
}

export function told({ payload }: Wire): string {
  if (payload.kind === "failure") return `refused: ${payload.text}`;
  return payload.kind === "success" && payload.success.kind === "string" ? payload.success.text : payload.kind;
}

export async function until(
  holds: () => boolean | Promise<boolean>,
  what: string,
  milliseconds: number = 15_000,
): Promise<void> {
  const end = performance.now() + milliseconds;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`not within ${milliseconds} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Bytes: an image that is got. */
const maxReply: number = 64 * 1024 * 1024;
