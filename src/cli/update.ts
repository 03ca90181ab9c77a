/**
 * update: replaces a unikernel by the latest build of its image, with the
 * settings that it has.
 *
 * @module
 */
import { Argument, type Command as CommanderCommand, InvalidArgumentError, Option } from "commander";
import { describeElf } from "../codec/describe.ts";
import { bytesSource, decodeSolo5 } from "../codec/elf.ts";
import type { Success } from "../core/command.ts";
import { describeRefusal } from "../core/describe.ts";
import type { HealthWords } from "../core/health.ts";
import { checkDevices } from "../core/manifest.ts";
import { type Name, printName } from "../core/name.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { UnikernelConfig, UnikernelInfo } from "../core/unikernel.ts";
import { escapeText } from "./escape.ts";
import { type Failure, failure } from "./failure.ts";
import { addHealth, healthOf } from "./health.ts";
import { addCompression, addNetworking, type Networking } from "./options.ts";
import { inform, warn } from "./report.ts";
import {
  type Build,
  compareUrl,
  download,
  findBuild,
  findLatest,
  parseRepository,
  type Repository,
} from "./repository.ts";
import type { Outcome, Session } from "./session.ts";
import { parseThingWord } from "./words.ts";

interface UpdateOptions extends Networking, HealthWords {
  readonly httpHost: Repository;
  readonly dryRun?: boolean;
  readonly compressionLevel?: number;
}

export function addUpdate(program: CommanderCommand, session: Session): void {
  addHealth(addCompression(addNetworking(program.command("update"))))
    .description("replace a unikernel by the latest build of its image; what it is allowed stays")
    .addArgument(new Argument("<unikernel>", "its name, such as alice:web").argParser(parseThingWord))
    .addOption(
      new Option("--http-host <url>", "the repository of images, running builder-web")
        .argParser(parseRepositoryWord)
        .default(parseRepositoryWord(defaultRepository), defaultRepository),
    )
    .addOption(new Option("--dryrun, --dry-run", "only say what would be done"))
    .action(async (name: Name, options: UpdateOptions) => session.finish(await update(session, name, options)));
}

async function update(session: Session, name: Name, options: UpdateOptions): Promise<Outcome> {
  const { environment } = session;
  if (options.csr === true) return withoutServer;
  const old = await readInfo(session, name, options);
  if (!old.ok) return old.error;
  const repository = options.httpHost;
  if (!repository.target.secure && !isLoopback(repository.target.host)) {
    warn(environment, options, "http: whoever is on the way to the repository can change the image");
  }
  const from = await findBuild(repository, old.value.digest);
  if (!from.ok) return from.error;
  const to = await findLatest(repository, from.value);
  if (!to.ok) return to.error;
  if (from.value.uuid === to.value.uuid) {
    await environment.stdout("already up to date\n");
    return undefined;
  }
  await environment.stdout(`${compareUrl(repository, from.value, to.value)}\n`);
  if (options.dryRun === true) return undefined;
  inform(environment, options, `downloading build ${to.value.uuid} of ${to.value.job}`);
  const config = configOf(old.value);
  const bytes = await readBuild(repository, to.value, config);
  if (!bytes.ok) return bytes.error;
  const image = { compressed: false, bytes: bytes.value };
  const command = { kind: "unikernel-create", config, image, replace: true, ...healthOf(options) } as const;
  return session.send({ name, command, options });
}

/** What runs now. Over TLS this is a connection of its own: a certificate carries one command. */
async function readInfo(session: Session, name: Name, options: Networking): Promise<Result<UnikernelInfo, Failure>> {
  let info: Result<UnikernelInfo, Failure> = err(failure("communication", "the server did not answer"));
  const take = (success: Success, about: Name): Outcome => {
    info = theOne(success, about);
    return info.ok ? undefined : info.error;
  };
  const failed = await session.send({ name, command: { kind: "unikernel-info", form: "current" }, options, take });
  return failed === undefined ? info : err(failed);
}

function theOne(success: Success, name: Name): Result<UnikernelInfo, Failure> {
  if (success.kind !== "unikernels") return err(failure("communication", `the server answered with ${success.kind}`));
  const [one, ...others] = success.unikernels;
  if (one === undefined) return err(failure("refused", `there is no unikernel ${printName(name)}`));
  if (others.length > 0) return err(failure("communication", "the server answered with more than one unikernel"));
  return ok(one.value);
}

/** The settings that it has, with nothing left for the host to choose anew. */
function configOf(info: UnikernelInfo): UnikernelConfig {
  const { digest: _, started: __, blocks, bridges, ...same } = info;
  return {
    ...same,
    addName: true,
    blocks: blocks.map(({ unikernelDevice, hostDevice, sectorSize }) => {
      return { name: unikernelDevice, device: hostDevice, sectorSize };
    }),
    bridges: bridges.map(({ unikernelDevice, hostDevice, mac }) => {
      return { netif: unikernelDevice, bridge: hostDevice, mac };
    }),
  };
}

/** The build's image, once its manifest is known to want the devices that there are. */
async function readBuild(
  repository: Repository,
  build: Build,
  config: UnikernelConfig,
): Promise<Result<Uint8Array, Failure>> {
  const bytes = await download(repository, build);
  if (!bytes.ok) return bytes;
  const solo5 = decodeSolo5(bytesSource(bytes.value));
  if (!solo5.ok) return err(failure("http", `the downloaded image cannot be used: ${describeElf(solo5.error)}`));
  const devices = checkDevices(solo5.value, config);
  if (devices.ok) return bytes;
  const hint = "the new build wants other devices; download it, and use create --force with them";
  return err(failure("usage", escapeText(describeRefusal(devices.error)), hint));
}

function parseRepositoryWord(word: string): Repository {
  const repository = parseRepository(word);
  if (repository === undefined) throw new InvalidArgumentError("It is written http://HOST or https://HOST.");
  return repository;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

const withoutServer: Failure = failure(
  "usage",
  "update asks the server what runs now, which a signing request cannot",
  "use it with -d, or create --force --csr with the new image",
);

/** As albatross-client's. */
const defaultRepository = "https://builds.robur.coop";
