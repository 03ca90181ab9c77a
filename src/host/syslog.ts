/**
 * The log where standard error is a journal, or is the client.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { fstatSync } from "node:fs";
import { type DestinationStream, destination } from "pino";

/**
 * With `--syslog` each line begins with its priority, as sd-daemon(3) has it. Under inetd, standard error often is the
 * client's connection: the log goes through the program `logger` then, and nowhere without `--syslog`.
 *
 * @returns absent: to standard error as it is
 */
export function openLogStream(program: string, syslog: boolean, inetd: boolean): DestinationStream | undefined {
  const toClient = inetd && sameFile(0, 2);
  if (!syslog) return toClient ? { write: () => undefined } : undefined;
  const stream = toClient ? openLogger(program) : destination({ dest: 2, sync: true });
  return { write: (line) => stream.write(`<${priorityOf(line)}>${line}`) };
}

/** Of a line that pino wrote; syslog(3) has the numbers. */
function priorityOf(line: string): number {
  const level = Number(/^\{"level":(\d+)/.exec(line)?.[1] ?? 30);
  if (level >= 60) return 2;
  if (level >= 50) return 3;
  if (level >= 40) return 4;
  return level >= 30 ? 6 : 7;
}

function openLogger(program: string): DestinationStream {
  const logger = spawn("logger", ["--prio-prefix", "--tag", program], { stdio: ["pipe", "ignore", "ignore"] });
  // Without that program there is nobody to tell.
  logger.on("error", () => undefined);
  logger.stdin.on("error", () => undefined);
  logger.unref();
  return { write: (line) => void logger.stdin.write(line) };
}

function sameFile(one: number, other: number): boolean {
  try {
    const [a, b] = [fstatSync(one), fstatSync(other)];
    return a.dev === b.dev && a.ino === b.ino;
  } catch {
    return false;
  }
}
