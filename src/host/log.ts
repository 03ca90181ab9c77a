/**
 * The log: JSON lines on standard error, without keys, images and guest arguments.
 *
 * @module
 */
import { type DestinationStream, destination, type Logger, pino } from "pino";

export type Log = Logger;

/**
 * Makes the log of one program.
 *
 * @param verbosity - how often `-v` was said: 0 tells of warnings, 1 of what happens, 2 of why, 3 of everything
 * @param stream - elsewhere than standard error
 */
export function createLog(program: string, verbosity: number, stream?: DestinationStream): Log {
  const options = {
    name: program,
    level: levels[Math.min(Math.max(verbosity, 0), levels.length - 1)] ?? "warn",
    redact: { paths: [...redacted], censor: "[redacted]" },
  };
  return pino(options, stream ?? destination({ dest: 2, sync: true }));
}

const levels = ["warn", "info", "debug", "trace"] as const;

/** Guest arguments are often secrets. pino's `*` is one level: what is logged is at most two records deep. */
const redacted: readonly string[] = ["key", "privateKey", "passphrase", "image", "bytes", "arguments", "argv"].flatMap(
  (field) => [field, `*.${field}`, `*.*.${field}`, `*.*.*.${field}`],
);
