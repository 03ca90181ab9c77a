/**
 * audit: who asked for what, and what became of it.
 *
 * @module
 */
import { type Command as CommanderCommand, InvalidArgumentError, Option } from "commander";
import type { Data } from "../codec/data.ts";
import { type AuditQuery, outcomes } from "../core/audit.ts";
import type { Name } from "../core/name.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { Environment } from "../host/client_environment.ts";
import { AuditCheck, parseAuditKey, type SeenHead } from "../x509/audit_chain.ts";
import { type Failure, failure, fileFailure } from "./failure.ts";
import { addNetworking, type Networking } from "./options.ts";
import { printEntry, printEntryJson, printVerdict, verdictFailure } from "./print_audit.ts";
import type { Outcome, Session } from "./session.ts";
import { parseInstantWord, parseNameWord, parsePositiveWord } from "./words.ts";

interface AuditOptions extends Networking, Omit<AuditQuery, "proof"> {
  readonly name: Name;
  readonly json?: boolean;
  readonly verify?: boolean;
  readonly key?: string;
  readonly seen?: SeenHead;
}

export function addAudit(program: CommanderCommand, session: Session): void {
  const filters = ["since", "until", "outcome", "limit", "json"];
  addNetworking(program.command("audit"))
    .description(
      "show who asked for what, and what became of it; or verify that nobody changed the log of that (fulmar servers only)",
    )
    .addOption(
      new Option("-n, --name <name>", "one unikernel or block device, or with a colon at its end a path")
        .argParser(parseNameWord)
        .default({ path: [] }, "everything"),
    )
    .addOption(new Option("--since <time>", "from this time on, RFC 3339").argParser(parseInstantWord))
    .addOption(new Option("--until <time>", "before this time").argParser(parseInstantWord))
    .addOption(new Option("--outcome <outcome>", "with this outcome alone").choices(outcomes))
    .addOption(new Option("--limit <number>", "the newest so many").argParser(parsePositiveWord))
    .option("--json", "one JSON object a line")
    .addOption(new Option("--verify", "check the log's hashes and its signature").conflicts(filters))
    .option("--key <file>", "with --verify: the public key that must have signed it, <dbdir>/audit.pem of the server")
    .addOption(
      new Option("--seen <number:hash>", "with --verify: the head that an earlier --verify showed").argParser(
        parseSeen,
      ),
    )
    .action(async (options: AuditOptions) => {
      session.finish(await (options.verify === true ? verify(session, options) : list(session, options)));
    });
}

/** The public key in a PEM file. */
async function readAuditKey(environment: Environment, path: string): Promise<Result<Uint8Array, Failure>> {
  const bytes = await environment.readFile(path);
  if (!bytes.ok) return err(fileFailure(bytes.error));
  const key = parseAuditKey(Buffer.from(bytes.value).toString("utf8"));
  return key === undefined ? err(failure("usage", `${path} holds no public key of type Ed25519`)) : ok(key);
}

/** `1234:` and 64 hexadecimal digits. */
export function parseSeen(word: string): SeenHead {
  const [, number = "", head = ""] = /^(\d{1,15}):([0-9a-f]{64})$/i.exec(word) ?? [];
  if (head === "") throw new InvalidArgumentError("It is written NUMBER:HASH, as --verify shows it.");
  return { number: Number(number), head: Buffer.from(head, "hex") };
}

function list(
  session: Session,
  { since, until, outcome, limit, json, name, ...options }: AuditOptions,
): Promise<Outcome> {
  const query = {
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(limit === undefined ? {} : { limit }),
    proof: false,
  };
  const each = (data: Data): string | undefined => {
    if (data.kind !== "audit" || data.item.kind !== "entry") return undefined;
    return (json === true ? printEntryJson : printEntry)(data.item.number, data.item.entry);
  };
  const take = (): Outcome => undefined;
  return session.send({ name, command: { kind: "audit", query }, options, each, take });
}

async function verify(session: Session, { name, key, seen, ...options }: AuditOptions): Promise<Outcome> {
  const wanted = key === undefined ? undefined : await readAuditKey(session.environment, key);
  if (wanted !== undefined && !wanted.ok) return wanted.error;
  let check: AuditCheck | undefined;
  const each = (data: Data): string | undefined => {
    if (data.kind !== "audit" || data.item.kind === "entry") return undefined;
    if (data.item.kind === "checkpoint") check ??= new AuditCheck(data.item.checkpoint, wanted?.value, seen);
    else check?.take(data.item.segment);
    return check === undefined ? undefined : "";
  };
  const command = { kind: "audit", query: { proof: true } } as const;
  const failed = await session.send({ name, command, options, each, take: () => undefined });
  if (failed !== undefined) return failed;
  if (check === undefined) return failure("communication", "the server sent no checkpoint of its audit log");
  const verdict = check.finish();
  await session.environment.stdout(printVerdict(verdict, wanted !== undefined));
  return verdictFailure(verdict);
}
