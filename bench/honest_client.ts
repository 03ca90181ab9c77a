/**
 * An honest client, in a process of its own, that goes on with its errands
 * whatever others do to the same host: some each second, one after the other.
 *
 * @module
 */
import { join } from "node:path";
import { connect as connectTls, createSecureContext, type SecureContext } from "node:tls";
import { connect as connectClient } from "../src/client/main.ts";
import { FrameReader } from "../src/codec/frame.ts";
import { decodeWire } from "../src/codec/wire.ts";
import type { Account, Errand, Honesty, Order } from "./honest.ts";
import { sleep } from "./processes.ts";

type Client = Awaited<ReturnType<typeof connectClient>>;

/** What each errand is; it throws where it fails. */
type Errands = Readonly<Record<Errand, () => Promise<void>>>;

async function prepare(honesty: Honesty): Promise<Errands> {
  const { port, ask, ca, caKey, serverCa } = honesty;
  const context = createSecureContext({ ...ask, ca: [] });
  const client = await connectClient({ destination: `127.0.0.1:${port}`, ca, caKey, serverCa });
  await client.blocks.create("data", 1);
  return {
    "a request": () => askAlone(port, context),
    "in a session": async () => void (await client.info()),
    "a unikernel": () => comeAndGo(client),
    "an upload": () => client.blocks.set("data", content),
  };
}

async function comeAndGo(client: Client): Promise<void> {
  await client.create("web", { image: guest, memory: 32 });
  await client.destroy("web");
}

/** A connection and a handshake for one command. */
function askAlone(port: number, secureContext: SecureContext): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ port, host: "127.0.0.1", secureContext, rejectUnauthorized: false });
    const reader = new FrameReader(largest);
    let at = "before it was connected";
    let answer: string | undefined;
    socket.on("connect", () => {
      at = "in the handshake";
    });
    socket.on("secureConnect", () => {
      at = "after the handshake";
    });
    socket.on("data", (piece: Buffer) => {
      const frames = reader.push(piece);
      for (const frame of frames.ok ? frames.value : []) answer ??= readAnswer(frame);
    });
    socket.on("error", (error) => reject(new Error(`${error.message} ${at}`)));
    socket.on("close", () => (answer === "success" ? resolve() : reject(new Error(answer ?? `closed ${at}`))));
    socket.setTimeout(patience, () => socket.destroy(new Error(`nothing for ${patience / 1000} s`)));
  });
}

/** `success`, or why not. */
function readAnswer(frame: Uint8Array): string {
  const wire = decodeWire(frame);
  if (!wire.ok) return wire.error.kind;
  return wire.value.payload.kind === "failure" ? wire.value.payload.text : wire.value.payload.kind;
}

class Diary {
  #milliseconds: number[] = [];
  #failures: string[] = [];
  #underWay: Promise<void> = Promise.resolve();

  keep(errand: () => Promise<void>): Promise<void> {
    this.#underWay = this.#note(errand);
    return this.#underWay;
  }

  async #note(errand: () => Promise<void>): Promise<void> {
    const begun = performance.now();
    try {
      await errand();
      this.#milliseconds.push(performance.now() - begun);
    } catch (thrown) {
      this.#failures.push(thrown instanceof Error ? thrown.message : String(thrown));
    }
  }

  /** What has been written since the last time, and is being; one entry at least. */
  async close(): Promise<Account> {
    do {
      await sleep(1);
      await this.#underWay;
    } while (this.#milliseconds.length + this.#failures.length === 0);
    const account = { milliseconds: this.#milliseconds, failures: this.#failures };
    this.#milliseconds = [];
    this.#failures = [];
    return account;
  }
}

async function serve(honesty: Honesty): Promise<void> {
  const errands = await prepare(honesty);
  const diaries = new Map(Object.keys(errands).map((errand) => [errand, new Diary()]));
  const account = async (): Promise<void> => {
    const pages = [...diaries].map(async ([errand, diary]) => [errand, await diary.close()] as const);
    process.send?.(Object.fromEntries(await Promise.all(pages)));
  };
  process.on("message", (order: Order) => (order.kind === "account" ? void account() : undefined));
  process.send?.("ready");
  await Promise.all(
    Object.entries(errands).map(async ([errand, run]) => {
      for (;;) {
        await diaries.get(errand)?.keep(run);
        await sleep(pause);
      }
    }),
  );
}

process.once("message", (order: Order) => {
  if (order.kind === "serve") void serve(order.honesty);
});
process.once("disconnect", () => process.exit());

const guest: string = join(import.meta.dirname, "../../guest/hello.spt");

/** What is put on the block device. */
const content = Buffer.alloc(64 * 1024, "honest ");

/** Milliseconds: a client's until it gives up, and from one errand to the next of its kind. */
const patience = 60_000;
const pause = 150;

/** Bytes of an answer. */
const largest: number = 1024 * 1024;
