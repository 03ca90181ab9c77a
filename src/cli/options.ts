/**
 * The options that many sub-commands share, in one place each.
 *
 * @module
 */
import { type Command as CommanderCommand, Option } from "commander";
import type { Destination } from "../client/destination.ts";
import { type Permission, permissions } from "../core/permission.ts";
import { type KeyType, keyTypes } from "../x509/keys.ts";
import { parseDestinationWord, parseLevelWord, parsePermissionsWord } from "./words.ts";

/** How much is said on stderr; `debug` also shows guest arguments. */
export interface Logging {
  readonly quiet?: boolean;
  readonly verbose?: number;
  readonly verbosity?: Verbosity;
  readonly color?: "auto" | "always" | "never";
}

export type Verbosity = (typeof verbosities)[number];

/** Where a command goes, and with whose authority. */
export interface Networking extends Logging {
  readonly csr?: boolean;
  readonly destination?: Destination;
  readonly socket?: string;
  readonly tmpdir: string;
  readonly ca: string;
  readonly caKey: string;
  readonly serverCa: string;
  readonly keyType: KeyType;
  readonly permit?: readonly Permission[];
}

export function addLogging(command: CommanderCommand): CommanderCommand {
  return command
    .option("-q, --quiet", "say nothing on stderr; goes before -v and --verbosity")
    .option("-v, --verbose", "say more; twice for guest arguments too", (_, before: number) => before + 1, 0)
    .addOption(
      new Option("--verbosity <level>", "how much to say on stderr; goes before -v (default: warning)").choices(
        verbosities,
      ),
    )
    .addOption(
      new Option("--color <when>", "whether messages are coloured")
        .choices(["auto", "always", "never"])
        .default("auto"),
    );
}

/** The options of every sub-command that reaches a daemon. */
export function addNetworking(command: CommanderCommand): CommanderCommand {
  command
    .addOption(
      new Option("-d, --destination <host[:port]>", "go to this server over TLS")
        .argParser(parseDestinationWord)
        .conflicts(["csr", "socket"]),
    )
    .addOption(new Option("--csr", "write a key and a signing request in place of going anywhere").conflicts("socket"))
    .option("--socket <path>", "go to this Unix socket")
    .option("--tmpdir <dir>", "where the daemon's sockets lie", "/run/fulmar")
    .option("--ca <file>", "with -d: the certificate of your authority, followed by those above it", "ca.pem")
    .option("--ca-key <file>", "with -d: the private key of your authority", "ca.key")
    .addOption(
      new Option(
        "--permit <classes>",
        `with --csr or -d: all that the certificate permits, some of ${permissions.join(",")} (default: what those above it permit)`,
      ).argParser(parsePermissionsWord),
    );
  return addLogging(addKeyType(addServerCa(command)));
}

export function addServerCa(command: CommanderCommand): CommanderCommand {
  return command.option("--server-ca <file>", "the authority that issued the server's certificate", "cacert.pem");
}

export function addKeyType(command: CommanderCommand): CommanderCommand {
  return command.addOption(
    new Option("--key-type <type>", "the type of new keys").choices(keyTypes).default("ed25519"),
  );
}

export interface Compression {
  readonly compressionLevel?: number;
}

export function addCompression(command: CommanderCommand): CommanderCommand {
  return command.option(
    "--compression-level <0-9>",
    "how hard to compress what travels (default: 0 locally, 9 with -d and --csr)",
    parseLevelWord,
  );
}

/** How hard what is sent is compressed: what crosses a network as hard as zlib can. */
export function levelOf({ compressionLevel, destination, csr }: Networking & Compression): number {
  return compressionLevel ?? (destination === undefined && csr !== true ? 0 : 9);
}

/** What -q, --verbosity and -v come to together. */
function verbosityOf(options: Logging): Verbosity {
  if (options.quiet === true) return "quiet";
  if (options.verbosity !== undefined) return options.verbosity;
  const verbose = options.verbose ?? 0;
  return verbose === 0 ? "warning" : verbose === 1 ? "info" : "debug";
}

/** Whether a message of the level is said. */
export function says(options: Logging, level: Verbosity): boolean {
  return verbosities.indexOf(level) <= verbosities.indexOf(verbosityOf(options));
}

const verbosities = ["quiet", "error", "warning", "info", "debug"] as const;
