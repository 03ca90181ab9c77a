/**
 * Requests that are put to the supervisor, from the message to the one reply.
 *
 * @module
 */
import type { Header, Payload } from "../codec/wire.ts";
import { outcomeOf } from "../core/audit.ts";
import type { Command } from "../core/command.ts";
import { describeRefusal } from "../core/describe.ts";
import type { DaemonLimits } from "../core/limits.ts";
import { printName } from "../core/name.ts";
import type { Refusal } from "../core/refusal.ts";
import type { ClientId, Effect, Event, Reply, Request } from "../core/state.ts";
import { type Asked, toldOf } from "../host/audit_ledger.ts";
import type { AuditLog } from "../host/audit_log.ts";
import type { OpenImage, OutgoingImage } from "../host/image_out.ts";
import { errnoOf } from "../host/io.ts";
import type { Log } from "../host/log.ts";
import type { Upload } from "../host/preparer.ts";
import { refuseHost } from "../host/refuse.ts";
import type { Runner } from "../host/runner.ts";
import type { Connection } from "./connection.ts";
import { sendContent, sendImage } from "./download.ts";
import { readPushed } from "./revocation_list.ts";
import { Turns, turnOf } from "./turns.ts";
import { nothing, uploadOf } from "./upload.ts";

/** A request, and where its reply goes. */
export interface Asking {
  readonly connection: Connection;
  readonly header: Header;
  readonly request: Request;
  /** For the audit log. */
  readonly asked: Asked;
  /** Whether an image comes as a stream behind the frame. */
  readonly imageFollows?: boolean;
}

/** A request that the supervisor has and has not answered. */
interface Waiting {
  readonly answer: (reply: Reply) => void;
  readonly asked: Asked;
  readonly upload: Upload;
  readonly connection: Connection;
  readonly header: Header;
  /** Aborts when it does not wait any more, as far as that is looked for. */
  readonly departure: AbortSignal;
  /** Whether its answer has begun, and goes on. */
  streaming: boolean;
}

export class Requests {
  readonly #runner: () => Runner;
  readonly #audit: AuditLog;
  readonly #log: Log;
  readonly #waiting: Map<ClientId, Waiting> = new Map();
  readonly #limits: DaemonLimits;
  readonly #large: Turns;
  #clients = 0;

  constructor(runner: () => Runner, limits: DaemonLimits, audit: AuditLog, log: Log) {
    this.#runner = runner;
    this.#limits = limits;
    this.#large = new Turns(limits["downloads-waiting"]);
    this.#audit = audit;
    this.#log = log;
  }

  /** Answers a request that waits; called by the runner. */
  reply(client: ClientId, reply: Reply): void {
    this.#waiting.get(client)?.answer(reply);
    this.#waiting.delete(client);
  }

  /** Who waits for what; called by the runner. */
  asked(client: ClientId): Asked | undefined {
    return this.#waiting.get(client)?.asked;
  }

  /** What came with a request that waits; called by the runner. */
  upload(client: ClientId): Upload {
    return this.#waiting.get(client)?.upload ?? nothing;
  }

  /** Sends what a request that waits asked for; called by the runner. */
  async download(effect: Extract<Effect, { kind: "read-block" }>, content: AsyncIterable<Uint8Array>): Promise<void> {
    const waiting = this.#waiting.get(effect.client);
    if (waiting === undefined) return;
    waiting.streaming = true;
    await sendContent(waiting.connection, waiting.header, effect, content, this.#limits["old-reply"]);
  }

  /** Sends the image that a request that waits asked for; called by the runner. @returns why its client does not have it */
  async sendImage(client: ClientId, open: OpenImage): Promise<Refusal | undefined> {
    const waiting = this.#waiting.get(client);
    if (waiting === undefined) return undefined;
    const { connection, header, departure } = waiting;
    let image: OutgoingImage | undefined;
    try {
      const opened = await open(departure);
      if (!opened.ok) return refuseHost("reading the image", opened.error);
      image = opened.value;
      // It may have been told meanwhile that the daemon ends.
      waiting.streaming = this.#waiting.has(client);
      return waiting.streaming ? await sendImage(connection, header, image) : undefined;
    } catch (thrown) {
      return departure.aborted ? gone : refuseHost("reading the image", { kind: errnoOf(thrown) });
    } finally {
      await image?.close();
    }
  }

  /** Whoever still waits is refused, but for those who are sent something; resolves when that is written. */
  async abandon(): Promise<void> {
    const reply: Reply = { ok: false, refusal: { kind: "shutting-down" } };
    for (const [client, { asked, streaming }] of this.#waiting) {
      // A refusal within a stream would be read as its content.
      if (streaming) continue;
      this.#note(asked, reply);
      this.reply(client, reply);
    }
    await new Promise((written) => setImmediate(written));
  }

  /** Puts a request to the supervisor, and passes its one reply on. */
  ask(asking: Asking): Promise<Reply> {
    const whose = turnOf(asking.request);
    return whose === undefined ? this.#answer(asking, never) : this.#askInTurn(asking, whose);
  }

  async #askInTurn(asking: Asking, whose: string): Promise<Reply> {
    const { connection, header, request, asked } = asking;
    const leaves = request.command.kind === "unikernel-get";
    const [departure, forget] = leaves ? connection.departure() : ([never, () => undefined] as const);
    const end = await this.#large.take(whose, departure);
    if (end === undefined) {
      const limit = this.#limits["downloads-waiting"];
      const reply: Reply = { ok: false, refusal: departure.aborted ? gone : { kind: "too-many-downloads", limit } };
      this.#note(asked, reply);
      connection.send(header, replyPayload(reply));
      forget();
      return reply;
    }
    try {
      const reply = await this.#answer(asking, departure);
      await connection.drained();
      return reply;
    } finally {
      forget();
      end();
    }
  }

  #answer(asking: Asking, departure: AbortSignal): Promise<Reply> {
    const { connection, header, request, asked, imageFollows = false } = asking;
    this.#clients += 1;
    const client = this.#clients;
    const upload = uploadOf(connection, request.command, imageFollows, this.#limits.upload);
    return new Promise((resolve) => {
      const answer = (reply: Reply): void => {
        if (this.#log.isLevelEnabled("info")) this.#log.info(logged(request, reply), reply.ok ? "done" : "refused");
        if (!reply.ok || !answersItself(request.command)) connection.send(header, replyPayload(reply));
        resolve(reply);
      };
      this.#waiting.set(client, { answer, asked, upload, connection, header, departure, streaming: false });
      this.#put(client, asking).catch((error: unknown) => {
        this.#log.fatal({ err: error, command: request.command.kind }, "bug");
        this.reply(client, { ok: false, refusal: { kind: "host-failed", doing: "the request", problem: "a bug" } });
      });
    });
  }

  /** A revocation list is read, and found to be its authority's, before the supervisor hears of it. */
  async #put(client: ClientId, { request, asked }: Asking): Promise<void> {
    const { command } = request;
    const now = Date.now();
    if (command.kind !== "push-crl") return this.#runner().dispatch({ kind: "request", client, request, now });
    const list = readPushed(command, request, now);
    if (!list.ok) {
      const reply: Reply = { ok: false, refusal: list.error };
      this.#note(asked, reply);
      return this.reply(client, reply);
    }
    const event: Event = { kind: "revoked", client, request, list: list.value, crl: command.crl, now };
    return this.#runner().dispatch(event);
  }

  /** What the supervisor does not hear of. */
  #note(asked: Asked, reply: Reply): void {
    this.#audit.note(asked.delegate, () => toldOf(asked, outcomeOf(reply)));
  }
}

const gone: Refusal = { kind: "client-gone" };

const never: AbortSignal = new AbortController().signal;

/** Whether what is sent for it ends it. */
function answersItself({ kind }: Command): boolean {
  return kind === "block-dump" || kind === "unikernel-get";
}

function replyPayload(reply: Reply): Payload {
  return reply.ok
    ? { kind: "success", success: reply.success }
    : { kind: "failure", text: describeRefusal(reply.refusal) };
}

function logged({ name, command, levels }: Request, reply: Reply): object {
  const what = { target: printName(name), command: command.kind, chain: levels.length };
  return reply.ok ? what : { ...what, refusal: reply.refusal.kind };
}
