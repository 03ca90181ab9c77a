/**
 * The package: a client for programs.
 *
 *     const client = await connect({ destination: "host:1025", ca: "bob.pem", caKey: "bob.key", serverCa: "cacert.pem" });
 *     await client.create("hello", { image: "hello.spt", memory: 32 });
 *
 * @module
 */
import { directoryEnvironment } from "../host/client_environment.ts";
import { describeKeyError, describePemError } from "../x509/describe.ts";
import { type KeyType, parseKey } from "../x509/keys.ts";
import { parseCertificates } from "../x509/pem.ts";
import { Client } from "./client.ts";
import { describeFile } from "./describe.ts";
import { parseDestination } from "./destination.ts";
import type { Chain, Key } from "./leaf.ts";
import { LocalServer } from "./local.ts";
import { FulmarError, type ProblemKind, problem } from "./problem.ts";
import { RemoteServer } from "./remote.ts";
import { fail } from "./server.ts";

/** A daemon on this machine. */
export interface LocalOptions {
  /** The daemon's run-time folder; /run/fulmar. */
  readonly tmpdir?: string;
  /** Instead: the path of one socket. */
  readonly socket?: string;
}

/** A daemon behind an endpoint. Certificates and keys are PEM: the paths of files, or what is in them. */
export interface RemoteOptions {
  /** `host` or `host:port`, `[v6]:port`; the port is 1025. */
  readonly destination: string;
  /** The certificate of your authority, followed by those above it. */
  readonly ca: string;
  /** Its private key. */
  readonly caKey: string;
  /** Of an encrypted key. */
  readonly passphrase?: string;
  /** The authority that issued the server's certificate. */
  readonly serverCa: string;
  /** The type of the key of our own certificates; ed25519. */
  readonly keyType?: KeyType;
}

export type ConnectOptions = LocalOptions | RemoteOptions;

/**
 * Makes a client. Over TLS this connects, and finds out whether the server takes a session; on the daemon's machine it
 * reads nothing yet.
 */
export async function connect(options: ConnectOptions = {}): Promise<Client> {
  if (!("destination" in options)) return new Client(new LocalServer({ tmpdir: "/run/fulmar", ...options }));
  const { host, port } =
    parseDestination(options.destination) ??
    fail(problem("usage", `'${options.destination}' is not written HOST[:PORT]`));
  const chain = await readChain(options.ca);
  const key = await readKey(options.caKey, options.passphrase);
  const [anchor] = await readChain(options.serverCa);
  const leafKey = await environment.generateKey(options.keyType ?? "ed25519");
  const server = new RemoteServer({ host, port, anchor, issuer: { chain, key }, leafKey, environment });
  await server.sessions();
  return new Client(server);
}

export type { Blocks } from "./blocks.ts";
export type { AuditOptions, ConsoleOptions, CreateOptions, Following } from "./client.ts";
export type { Content } from "./content.ts";
export type { Explainable, ExplainedCommand, PathExplanation } from "./explained.ts";
export type { PathLock, Trust } from "./trust.ts";
export type {
  AuditActor,
  AuditRecord,
  BlockDevice,
  ConsoleLine,
  LogEntry,
  Measurement,
  PathPolicy,
  PolicyOptions,
  SettingsOptions,
  Unikernel,
} from "./values.ts";
export { Client, FulmarError, type KeyType, type ProblemKind };

async function readChain(file: string): Promise<Chain> {
  const chain = parseCertificates(await readPem(file));
  return chain.ok ? chain.value : fail(problem("usage", `${called(file)}: ${describePemError(chain.error)}`));
}

async function readKey(file: string, passphrase: string | undefined): Promise<Key> {
  const key = parseKey(await readPem(file), passphrase);
  return key.ok ? key.value : fail(problem("usage", `${called(file)}: ${describeKeyError(key.error)}`));
}

async function readPem(file: string): Promise<string> {
  if (isPem(file)) return file;
  const bytes = await environment.readFile(file);
  return bytes.ok ? Buffer.from(bytes.value).toString("latin1") : fail(describeFile(bytes.error));
}

/** A key that cannot be read is not to be seen in a message. */
function called(file: string): string {
  return isPem(file) ? "what was given" : file;
}

function isPem(file: string): boolean {
  return file.includes("-----BEGIN ");
}

const environment = directoryEnvironment(process.cwd());
