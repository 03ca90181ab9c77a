/**
 * What happens on a connection: the command is on its way, the answer is
 * awaited and printed.
 *
 * @module
 */
import type { Data } from "../codec/data.ts";
import { encodeFrame, frameHeader } from "../codec/frame.ts";
import type { Wire } from "../codec/wire.ts";
import type { Command } from "../core/command.ts";
import type { Name } from "../core/name.ts";
import type { Connection } from "../host/client_connection.ts";
import type { Environment } from "../host/client_environment.ts";
import { describeConnection } from "./describe.ts";
import { escapeSentence } from "./escape.ts";
import { type Failure, failure } from "./failure.ts";
import { type Logging, says } from "./options.ts";
import { printConsoleLine, printHost, printSuccess } from "./print.ts";
import type { Outcome, Take } from "./session.ts";

/** What was asked, and who takes the answer: absent, the terminal. */
export interface Question {
  readonly command: Command;
  readonly take?: Take;
}

/** Prints what comes back, to its end; a subscription's end is the peer's or the user's. */
export async function converse(
  environment: Environment,
  options: Logging,
  connection: Connection,
  question: Question,
): Promise<Outcome> {
  const { command } = question;
  const endless = isSubscription(command);
  let subscribed = false;
  try {
    for await (const message of connection.messages(endless ? undefined : answerLimit(command))) {
      if (!message.ok) return describeConnection(message.error);
      const failed = await print(environment, options, question, message.value);
      if (failed !== undefined || !endless) return failed;
      subscribed = true;
    }
  } finally {
    connection.close();
  }
  return subscribed ? undefined : unanswered;
}

async function print(
  environment: Environment,
  options: Logging,
  { command, take }: Question,
  { header, payload }: Wire,
): Promise<Outcome> {
  switch (payload.kind) {
    case "success":
      if (take !== undefined) return take(payload.success);
      await environment.stdout(printSuccess(header.name, payload.success, says(options, "debug")));
      return undefined;
    case "failure":
      return refusal(header.name, payload.text);
    case "data":
      return printData(environment, command, payload.data);
    default:
      return failure("communication", `the server answered with a ${payload.kind}`);
  }
}

/** Sends an image in chunks and their end, unless an answer comes first. */
export async function upload(environment: Environment, connection: Connection, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length && !connection.answered(); at += chunkSize) {
    await connection.send(encodeFrame(bytes.subarray(at, at + chunkSize)));
    if (environment.interactive) environment.stderr(progress(Math.min(at + chunkSize, bytes.length), bytes.length));
  }
  if (environment.interactive) environment.stderr("\n");
  if (!connection.answered()) await connection.send(frameHeader(0));
}

function progress(sent: number, size: number): string {
  return `\rsent ${megabytes(sent)} of ${megabytes(size)} MB`;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

/** Whether answers keep coming until the connection is closed. */
function isSubscription(command: Command): boolean {
  return command.kind === "console-subscribe" || command.kind === "stats-subscribe";
}

async function printData(environment: Environment, command: Command, data: Data): Promise<Outcome> {
  if (data.kind !== "console" || command.kind !== "console-subscribe")
    return failure("communication", `the server sent ${data.kind} unasked`);
  await environment.stdout(printConsoleLine(data.time, data.line));
  return undefined;
}

function refusal(name: Name, text: string): Failure {
  return failure("refused", `${printHost(name)}: command failed: ${escapeSentence(text)}`);
}

const unanswered: Failure = failure(
  "communication",
  "the server closed the connection without an answer",
  "an albatross server does so when it refuses a certificate's name or command; its log says more",
);

/**
 * Milliseconds of silence after which a server counts as gone. A destroy waits until the unikernel has ended; an image
 * may still be on its way through the network when all of it is sent, and is then inflated and written to disk.
 */
function answerLimit(command: Command): number {
  return command.kind === "unikernel-create" ? 300_000 : 60_000;
}

/** Bytes of an image in one chunk. */
const chunkSize = 64 * 1024;
