/**
 * create, restart, destroy, info and get.
 *
 * @module
 */
import { Argument, type Command as CommanderCommand, Option } from "commander";
import { describeElf } from "../codec/describe.ts";
import { bytesSource, decodeSolo5 } from "../codec/elf.ts";
import type { HealthWords } from "../core/health.ts";
import { checkDevices } from "../core/manifest.ts";
import type { Name } from "../core/name.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { Settings, Typ } from "../core/unikernel.ts";
import { describeDevices } from "./describe.ts";
import { type Failure, failure, fileFailure } from "./failure.ts";
import { addHealth, healthOf } from "./health.ts";
import { addCompression, addNetworking, type Compression, levelOf, type Networking } from "./options.ts";
import type { Session } from "./session.ts";
import { addSettings, type SettingsOptions, settingsOf } from "./settings.ts";
import { parseNameWord, parseThingWord } from "./words.ts";

export function addUnikernel(program: CommanderCommand, session: Session): void {
  addCreate(program, session);
  addRestart(program, session);
  addNetworking(program.command("destroy"))
    .description("stop a unikernel and forget it")
    .addArgument(unikernelArgument())
    .action(async (name: Name, options: Networking) =>
      session.finish(await session.send({ name, command: { kind: "unikernel-destroy" }, options })),
    );
  addNetworking(program.command("info"))
    .description("show unikernels: one, or all at and below a path")
    .addOption(
      new Option("-n, --name <name>", "one unikernel, or with a colon at its end a path")
        .argParser(parseNameWord)
        .default({ path: [] }, "everything"),
    )
    .option("--status", "also whether it runs, how it ended last, and how often in a row (fulmar servers only)", false)
    .action(async (options: Networking & { readonly name: Name; readonly status: boolean }) => {
      const info = { kind: "unikernel-info", form: "current" } as const;
      const command = options.status ? ({ kind: "status" } as const) : info;
      session.finish(await session.send({ name: options.name, command, options }));
    });
  addCompression(addNetworking(program.command("get")))
    .description("save the image of a unikernel to <name>.<time>")
    .addArgument(unikernelArgument())
    .action(async (name: Name, options: Networking & Compression) => {
      const command = { kind: "unikernel-get", level: levelOf(options) } as const;
      session.finish(await session.send({ name, command, options }));
    });
}

interface CreateOptions extends Networking, Compression, SettingsOptions, HealthWords {
  readonly force?: boolean;
  readonly typ: Typ;
}

function addCreate(program: CommanderCommand, session: Session): void {
  addHealth(addCompression(addNetworking(addSettings(program.command("create")))))
    .description("start a unikernel from an image")
    .addArgument(unikernelArgument())
    .argument("<image>", "the file of its image")
    .option("-f, --force", "replace one that has the name")
    .addOption(new Option("--typ <type>", "what kind of machine it is").choices(["solo5"]).default("solo5"))
    .action(async (name: Name, file: string, options: CreateOptions) => {
      const config = { ...settingsOf(options), typ: options.typ };
      const bytes = await readImage(session, file, config);
      if (!bytes.ok) return session.finish(bytes.error);
      const image = { compressed: false, bytes: bytes.value };
      const replace = options.force === true;
      const command = { kind: "unikernel-create", config, image, replace, ...healthOf(options) } as const;
      session.finish(await session.send({ name, command, options }));
    });
}

interface RestartOptions extends Networking, SettingsOptions {
  readonly replaceArguments?: boolean;
}

function addRestart(program: CommanderCommand, session: Session): void {
  addNetworking(addSettings(program.command("restart")))
    .description("stop a unikernel and start it again, with its old settings or with new ones")
    .addArgument(unikernelArgument())
    .option("--replace-arguments", "take all settings from this command line")
    .action(async (name: Name, options: RestartOptions, command: CommanderCommand) => {
      if (options.replaceArguments === true) {
        const request = { kind: "unikernel-restart", settings: settingsOf(options) } as const;
        return session.finish(await session.send({ name, command: request, options }));
      }
      const idle = settingNames.find((setting) => command.getOptionValueSource(setting) === "cli");
      if (idle !== undefined) return session.finish(withoutReplacing(command, idle));
      session.finish(await session.send({ name, command: { kind: "unikernel-restart" }, options }));
    });
}

/** The image, once its manifest is known to want the devices that are given. */
async function readImage(session: Session, file: string, settings: Settings): Promise<Result<Uint8Array, Failure>> {
  const bytes = await session.environment.readFile(file);
  if (!bytes.ok) return err(fileFailure(bytes.error, "the second argument is the file of the image"));
  const solo5 = decodeSolo5(bytesSource(bytes.value));
  if (!solo5.ok) {
    return err(failure("usage", `${file}: ${describeElf(solo5.error)}`, "an image is an ELF file built for Solo5"));
  }
  const devices = checkDevices(solo5.value, settings);
  return devices.ok ? ok(bytes.value) : err(describeDevices(devices.error));
}

function withoutReplacing(command: CommanderCommand, setting: string): Failure {
  const flag = command.options.find((option) => option.attributeName() === setting)?.long ?? setting;
  return failure(
    "usage",
    `${flag} changes nothing without --replace-arguments`,
    "--replace-arguments takes every setting from the command line, also those that are not on it",
  );
}

function unikernelArgument(): Argument {
  return new Argument("<unikernel>", "its name, such as alice:web").argParser(parseThingWord);
}

const settingNames = [
  "arg",
  "block",
  "cpu",
  "cpus",
  "exitCode",
  "linuxBoot",
  "mem",
  "net",
  "addName",
  "restartOnFail",
  "startup",
] as const;
