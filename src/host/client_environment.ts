/**
 * What the client touches besides sockets, as one record: tests give their own.
 *
 * @module
 */
import { generateKeyPair, type KeyObject, randomBytes } from "node:crypto";
import { once } from "node:events";
import { promisify } from "node:util";
import type { Result } from "../core/result.ts";
import { type KeyType, keyOptions } from "../x509/keys.ts";
import { appendToFile, exclusively, type FileError, readFile, writeFile } from "./client_files.ts";
import { askSecret } from "./client_secret.ts";
import { type Outgoing, openOutgoing, saveIncoming } from "./client_transfer.ts";
import type { IoError } from "./io.ts";
import type { StreamError } from "./stream.ts";

export interface Environment {
  /** Resolves when its reader has kept up. */
  readonly stdout: (text: string) => Promise<void>;
  readonly stderr: (text: string) => void;
  /** Whether stderr is a terminal: only then is progress shown. */
  readonly interactive: boolean;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  readonly random: (length: number) => Uint8Array;
  readonly generateKey: (type: KeyType) => Promise<KeyObject>;
  /** Of the process's environment. */
  readonly variable: (name: string) => string | undefined;
  /** What is typed, unseen; undefined where there is no terminal or the person gave up. */
  readonly askSecret: (question: string) => Promise<string | undefined>;
  readonly readFile: (path: string) => Promise<Result<Uint8Array, FileError>>;
  readonly writeFile: (path: string, content: Uint8Array | string, mode: number) => Promise<Result<void, FileError>>;
  readonly appendFile: (path: string, text: string) => Promise<Result<void, FileError>>;
  /** See client_files. */
  readonly exclusively: <T>(path: string, act: () => Promise<T>) => Promise<Result<T, FileError>>;
  /** See client_transfer. */
  readonly openOutgoing: (path: string, level: number) => Promise<Result<Outgoing, IoError>>;
  readonly saveIncoming: (
    base: string,
    content: AsyncIterable<Uint8Array>,
    compressed: boolean,
  ) => Promise<Result<string, StreamError>>;
}

/** The environment of this process; a reader of stdout that goes away ends it quietly. */
export function processEnvironment(): Environment {
  process.stdout.on("error", () => process.exit());
  process.stderr.on("error", () => undefined);
  return {
    stdout: async (text) => {
      if (!process.stdout.write(text)) await once(process.stdout, "drain");
    },
    stderr: (text) => void process.stderr.write(text),
    interactive: process.stderr.isTTY === true,
    variable: (name) => process.env[name],
    askSecret,
    ...directoryEnvironment(process.cwd()),
  };
}

/** What belongs to the process and its terminal. */
type Terminal = "stdout" | "stderr" | "interactive" | "variable" | "askSecret";

/** Everything but the terminal, with relative paths taken from `cwd`. */
export function directoryEnvironment(cwd: string): Omit<Environment, Terminal> {
  return {
    now: Date.now,
    random: randomBytes,
    generateKey,
    readFile: (path) => readFile(cwd, path),
    writeFile: (path, content, mode) => writeFile(cwd, path, content, mode),
    appendFile: (path, text) => appendToFile(cwd, path, text),
    exclusively: (path, act) => exclusively(cwd, path, act),
    openOutgoing: (path, level) => openOutgoing(cwd, path, level),
    saveIncoming: (base, content, compressed) => saveIncoming(cwd, base, content, compressed),
  };
}

async function generateKey(type: KeyType): Promise<KeyObject> {
  const options = keyOptions(type);
  switch (options.algorithm) {
    case "ed25519":
      return (await generate("ed25519")).privateKey;
    case "ec":
      return (await generate("ec", { namedCurve: options.namedCurve })).privateKey;
    case "rsa":
      return (await generate("rsa", { modulusLength: options.modulusLength })).privateKey;
  }
}

const generate = promisify(generateKeyPair);
