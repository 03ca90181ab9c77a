/**
 * The command line of fulmar-endpoint.
 *
 * @module
 */
import { Command, InvalidArgumentError, Option } from "commander";
import { type EndpointLimits, endpointConflict, endpointLimits } from "../core/limits.ts";
import { version } from "../core/version.ts";
import { addLimits } from "./limit_options.ts";

export interface EndpointWords {
  /** PEM files. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly tmpdir: string;
  readonly ip: string;
  readonly port: number;
  readonly workers: number;
  /** A folder. */
  readonly crl?: string;
  readonly endSubscriptions: boolean;
  readonly limit: EndpointLimits;
  readonly systemdSocketActivation: boolean;
  readonly inetd: boolean;
  readonly allowRoot: boolean;
  readonly syslog: boolean;
  readonly quiet: boolean;
  /** How often `-v` was said. */
  readonly verbose: number;
}

/** Exits with 0 for --help and --version, and with 1 where the words are wrong. */
export function parseEndpointWords(argv: readonly string[]): EndpointWords {
  const program = createEndpointProgram().parse(argv, { from: "user" });
  const [ca = "", cert = "", key = ""] = program.args;
  const conflict = endpointConflict(program.opts<EndpointWords>().limit);
  if (conflict !== undefined) program.error(`error: ${conflict}.`);
  return { ...program.opts<Omit<EndpointWords, "ca" | "cert" | "key">>(), ca, cert, key };
}

/** What the words are parsed by; help, manual page and completion are made of it. */
export function createEndpointProgram(): Command {
  const program = new Command("fulmar-endpoint")
    .description("Hands the requests in clients' certificates to fulmard. Files are PEM.")
    .version(version)
    .argument("<ca>", "certificate of the authority that clients' chains end at")
    .argument("<cert>", "the endpoint's certificate, and those above it")
    .argument("<key>", "its private key")
    .option("--tmpdir <dir>", "where the daemon's sockets are", "/run/fulmar")
    .option("--port <number>", "TCP port; 0 takes any that is free", parsePort, 1025)
    .option("--ip <address>", "address to listen on", "::")
    .option("--workers <number>", "processes that share the port", parseWorkers, 1)
    .option(
      "--crl <dir>",
      "the folder of revocation lists, of the authority and of any below it; read again when it changes",
    )
    .option(
      "--end-subscriptions",
      "end what is followed of consoles, statistics and the log when the client's certificates run out, as sessions end",
      false,
    )
    .option("--systemd-socket-activation", "listen on the socket that systemd opened", false)
    .addOption(
      new Option("--inetd", "serve the one connection on standard input, and log nothing to it")
        .default(false)
        .conflicts(["workers", "systemdSocketActivation"]),
    )
    .option("--allow-root", "serve as root too, which nothing here needs", false)
    .option("--syslog", "begin each line of the log with its priority, as the journal reads it", false)
    .option("-q, --quiet", "log nothing", false)
    .option("-v, --verbose", "log more (repeatable)", (_, level: number) => level + 1, 0);
  return addLimits(program, endpointLimits);
}

function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65_535) return port;
  throw new InvalidArgumentError("A port from 0 to 65535 is wanted.");
}

/** More than there are processors would only take turns; a slip of the finger must not start a million. */
function parseWorkers(text: string): number {
  const workers = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (workers >= 1 && workers <= 256) return workers;
  throw new InvalidArgumentError("A number from 1 to 256 is wanted.");
}
