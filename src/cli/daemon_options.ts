/**
 * The command line of fulmard.
 *
 * @module
 */
import { Command, InvalidArgumentError, Option } from "commander";
import type { Destination } from "../client/destination.ts";
import { type DaemonLimits, daemonLimits } from "../core/limits.ts";
import type { TenderKind } from "../core/manifest.ts";
import { version } from "../core/version.ts";
import type { MetricsAddress } from "../host/metrics_server.ts";
import type { SeenHead } from "../x509/audit_chain.ts";
import { parseSeen } from "./audit.ts";
import { addLimits } from "./limit_options.ts";
import { parseAddressWord } from "./words.ts";

export interface DaemonWords {
  readonly tmpdir: string;
  readonly dbdir: string;
  readonly tenders: readonly TenderKind[];
  readonly allowTcg: boolean;
  readonly cage: boolean;
  /** Below /sys/fs/cgroup. */
  readonly cgroup?: string;
  readonly chargeOverhead: boolean;
  /** Seconds. */
  readonly grace: number;
  /** Seconds. */
  readonly interval: number;
  readonly maxSubscribers: number;
  readonly limit: DaemonLimits;
  readonly onRevocation: "leave" | "stop";
  readonly staleCrl: "refuse" | "accept";
  /** Seconds. */
  readonly crlGrace: number;
  /** Whether `--name` tells a guest its label alone. */
  readonly dropPath: boolean;
  readonly influx?: Destination;
  readonly influxFullNames: boolean;
  readonly metrics?: MetricsAddress;
  readonly systemdSocketActivation: boolean;
  readonly syslog: boolean;
  /** How often `-v` was said. */
  readonly verbose: number;
  /** Instead of serving: ends the guests of the daemon, and it, or what an earlier one left. */
  readonly stopGuests: boolean;
  /** MB. */
  readonly auditSize: number;
  /** Instead of serving. */
  readonly work?: OfflineWork;
}

/** What is done while no daemon runs. */
export type OfflineWork = Migration | AuditVerification;

/** A check of the audit log. */
export interface AuditVerification {
  readonly kind: "verify-audit";
  /** The file of the public key that must have signed it. */
  readonly key?: string;
  readonly seen?: SeenHead;
}

/** A file of albatross's state that the store is filled from or written to, while no daemon runs. */
export type Migration =
  | { readonly kind: "import-state"; readonly file: string; readonly replace: boolean }
  | { readonly kind: "export-state"; readonly file: string };

/** Exits with 0 for --help and --version, and with 1 where the words are wrong. */
export function parseDaemonWords(argv: readonly string[]): DaemonWords {
  let work: OfflineWork | undefined;
  const program = createDaemonProgram((asked) => {
    work = asked;
  });
  const words = program.parse(argv, { from: "user" }).opts<DaemonWords>();
  return work === undefined ? words : { ...words, work };
}

/** What the words are parsed by; help, manual page and completion are made of it. */
export function createDaemonProgram(ask: (work: OfflineWork) => void): Command {
  const program = new Command("fulmard")
    .description("Runs Solo5 unikernels within what was delegated to whoever asks.")
    .version(version)
    .option("--tmpdir <dir>", "where the sockets and consoles are", "/run/fulmar")
    .option("--dbdir <dir>", "where the images, the block devices and the store are", "/var/lib/fulmar")
    .option("--tenders <kinds>", "the tenders that this host offers: hvt, spt, virtio", parseTenders, ["hvt", "spt"])
    .option("--allow-tcg", "run virtio images in QEMU without KVM, which is no security boundary", false)
    .option("--no-cage", "run guests as the daemon's own user, for development")
    .option("--cgroup <group>", "the cgroup, below /sys/fs/cgroup, that guests' own are made in, in place of the top")
    .option("--charge-overhead", "count what a tender takes itself, too, as memory: spt 2 MB, hvt 4, QEMU 96", false)
    .option("--grace <seconds>", "how long a guest has to end before it is killed", parseSeconds, 10)
    .option("--no-drop-path", "tell guests their whole name, --name=alice:web in place of --name=web")
    .option(
      "--max-subscribers <number>",
      "how many may follow one console; a further one takes the place of the first",
      parseSubscribers,
      5,
    )
    .option("--interval <seconds>", "how often what guests use is measured", parseInterval, 10)
    .option("--influx <host[:port]>", "send that in InfluxDB's line protocol over TCP (port 8094)", parseInflux)
    .option("--influx-full-names", "say alice:web there, in place of albatross's web", false)
    .option("--metrics <address>", "serve that to Prometheus: [address:]port, or unix:path; on loopback", parseMetrics)
    .addOption(
      new Option("--on-revocation <what>", "what becomes of unikernels whose delegate's certificate is revoked")
        .choices(["leave", "stop"])
        .default("leave"),
    )
    .addOption(
      new Option(
        "--stale-crl <what>",
        "what becomes of who comes from an authority that has not renewed its list in time",
      )
        .choices(["refuse", "accept"])
        .default("refuse"),
    )
    .option("--crl-grace <seconds>", "how long after its time a list still counts as renewed", parseGrace, 0)
    .option("--audit-size <MB>", "how much of the audit log is kept; older entries go", parseAuditSize, 256)
    .option("--systemd-socket-activation", "serve on the sockets that systemd opened, and open only the others", false)
    .option(
      "--stop-guests",
      "end all guests, and the daemon that has them; they start again with the next daemon (with the --dbdir, --tmpdir and --cgroup that it has)",
      false,
    )
    .option("--syslog", "begin each line of the log with its priority, as the journal reads it", false)
    .option("-v, --verbose", "say more (repeatable)", (_, level: number) => level + 1, 0)
    .action(() => undefined);
  addLimits(program, daemonLimits);
  addMigration(program, ask);
  addVerification(program, ask);
  return program;
}

function addVerification(program: Command, ask: (work: OfflineWork) => void): void {
  const visibleGlobalOptions = (): Option[] => program.options.filter(({ long }) => long === "--dbdir");
  program
    .command("verify-audit")
    .description("check the hashes of the audit log and its signature, as fulmar audit --verify; no daemon may run")
    .option("--key <file>", "the public key that must have signed it, a copy of <dbdir>/audit.pem")
    .option("--seen <number:hash>", "the head that an earlier check showed", parseSeen)
    .configureHelp({ showGlobalOptions: true, visibleGlobalOptions })
    .action((options: Omit<AuditVerification, "kind">) => ask({ kind: "verify-audit", ...options }));
}

function addMigration(program: Command, ask: (work: OfflineWork) => void): void {
  const visibleGlobalOptions = (): Option[] => program.options.filter(({ long }) => long === "--dbdir");
  program
    .command("import-state")
    .description("take the policies and unikernels in a state file of albatross, of any version; no daemon may run")
    .argument("<file>", "albatross's state file, such as /var/lib/albatross/state")
    .option("--replace", "put them in the place of what there is already", false)
    .configureHelp({ showGlobalOptions: true, visibleGlobalOptions })
    .action((file: string, { replace }: { readonly replace: boolean }) => ask({ kind: "import-state", file, replace }));
  program
    .command("export-state")
    .description(
      "write the policies and unikernels, with their images, as a state file of albatross; no daemon may run",
    )
    .argument("<file>", "a new file")
    .configureHelp({ showGlobalOptions: true, visibleGlobalOptions })
    .action((file: string) => ask({ kind: "export-state", file }));
}

function parseTenders(text: string): readonly TenderKind[] {
  return text.split(",").map((kind) => {
    if (kind === "hvt" || kind === "spt" || kind === "virtio") return kind;
    throw new InvalidArgumentError("The tenders are hvt, spt and virtio.");
  });
}

function parseInterval(text: string): number {
  const seconds = parseSeconds(text);
  if (seconds === 0) throw new InvalidArgumentError("It must be at least 1.");
  return seconds;
}

function parseSubscribers(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new InvalidArgumentError("A number from 1 to 9999 is wanted.");
  return Number(text);
}

/** A terabyte at most; in less than one would be little more than the newest hour. */
function parseAuditSize(text: string): number {
  const size = /^\d{1,7}$/.test(text) ? Number(text) : 0;
  if (size >= 1 && size <= 1_000_000) return size;
  throw new InvalidArgumentError("A number of megabytes from 1 to 1000000 is wanted.");
}

function parseInflux(text: string): Destination {
  return parseAddressWord(text, influxPort);
}

function parseMetrics(text: string): MetricsAddress {
  const [, path] = /^unix:(.+)$/.exec(text) ?? [];
  if (path !== undefined) return { kind: "unix", path };
  const bare = /^:?\d{1,5}$/.test(text) ? `127.0.0.1:${text.replace(":", "")}` : text;
  if (!/:\d+$/.test(bare)) throw new InvalidArgumentError("It is written [ADDRESS:]PORT or unix:PATH.");
  return { kind: "tcp", ...parseAddressWord(bare, 0) };
}

/** A week at most: whoever wants more lets stale lists pass. */
function parseGrace(text: string): number {
  const seconds = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (seconds <= 7 * 86_400) return seconds;
  throw new InvalidArgumentError("A number of seconds, up to a week, is wanted.");
}

function parseSeconds(text: string): number {
  if (!/^\d{1,4}$/.test(text)) throw new InvalidArgumentError("A number of seconds is wanted.");
  return Number(text);
}

/** albatross's. */
const influxPort = 8094;
