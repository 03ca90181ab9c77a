/**
 * What happens on a connection: the command is on its way, the answer is
 * awaited and printed.
 *
 * @module
 */
import { answerLimit, isSubscription, withFullName } from "../client/answer.ts";
import { describeConnection, unanswered } from "../client/describe.ts";
import type { Data } from "../codec/data.ts";
import type { Wire } from "../codec/wire.ts";
import type { Command } from "../core/command.ts";
import { type Name, root } from "../core/name.ts";
import type { Connection } from "../host/client_connection.ts";
import type { Environment } from "../host/client_environment.ts";
import { describeFailure } from "./describe.ts";
import { download, isHead, type Messages } from "./download.ts";
import { failure } from "./failure.ts";
import { type Logging, says } from "./options.ts";
import { printConsoleLine, printHappening, printSuccess } from "./print.ts";
import { sayExplanation } from "./print_explanation.ts";
import { printStatistics } from "./print_statistics.ts";
import type { Each, Outcome, Take } from "./session.ts";

/** What was asked, and who takes the answer: absent, the terminal. */
export interface Question {
  readonly command: Command;
  readonly take?: Take;
  readonly each?: Each;
}

/** Prints what comes back, to its end: of a listing the success behind it, of a subscription the peer's or the user's. */
export async function converse(
  environment: Environment,
  options: Logging,
  connection: Connection,
  question: Question,
): Promise<Outcome> {
  const { command } = question;
  const endless = isSubscription(command);
  const messages = connection.messages(endless ? undefined : answerLimit(command));
  let subscribed = false;
  let path = root;
  try {
    for await (const message of messages) {
      if (!message.ok) return describeConnection(message.error);
      if (message.value.payload.kind === "success") path = message.value.header.name.path;
      const failed = await print(environment, options, question, withFullName(path, message.value), messages);
      const more = endless || (command.kind === "audit" && message.value.payload.kind === "data");
      if (failed !== undefined || !more) return failed;
      subscribed = endless;
    }
  } finally {
    connection.close();
  }
  return subscribed ? undefined : unanswered;
}

async function print(
  environment: Environment,
  options: Logging,
  { command, take, each }: Question,
  { header, payload }: Wire,
  messages: Messages,
): Promise<Outcome> {
  switch (payload.kind) {
    case "success":
      if (take !== undefined) return take(payload.success, header.name);
      if (payload.success.kind === "explanation") {
        return sayExplanation(environment, header.name, payload.success.explanation, false);
      }
      await environment.stdout(printSuccess(header.name, payload.success, says(options, "debug")));
      if (!isDownload(command) || !isHead(payload.success)) return undefined;
      return download(environment, header.name, payload.success, messages);
    case "failure":
      return describeFailure(header.name, payload.text);
    case "data":
      return printData(environment, each?.(payload.data) ?? lineOf(command, header.name, payload.data), payload.data);
    default:
      return failure("communication", `the server answered with a ${payload.kind}`);
  }
}

/** Whether what it asks for goes into a file. */
function isDownload(command: Command): boolean {
  return command.kind === "unikernel-get" || command.kind === "block-dump";
}

async function printData(environment: Environment, line: string | undefined, data: Data): Promise<Outcome> {
  if (line === undefined) return failure("communication", `the server sent ${data.kind} unasked`);
  await environment.stdout(line);
  return undefined;
}

/** What is printed of what was asked for; undefined for anything else. */
function lineOf(command: Command, name: Name, data: Data): string | undefined {
  switch (data.kind) {
    case "console":
      return command.kind === "console-subscribe" ? printConsoleLine(data.time, data.line) : undefined;
    case "happening":
      return command.kind === "log-subscribe" ? printHappening(name, data.time, data.happening) : undefined;
    case "statistics":
      return command.kind === "stats-subscribe" ? printStatistics(name, data.statistics) : undefined;
    default:
      return undefined;
  }
}
