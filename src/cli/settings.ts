/**
 * The options that describe how a unikernel runs: of `create`, and of
 * `restart` where it replaces them.
 *
 * @module
 */
import { type Command as CommanderCommand, Option } from "commander";
import { sortedSet } from "../core/policy.ts";
import type { BlockAttachment, BridgeAttachment, FailBehaviour, Settings } from "../core/unikernel.ts";
import { parseBlockWord, parseCountWord, parseNetWord, parsePositiveWord, repeated } from "./words.ts";

export interface SettingsOptions {
  readonly arg?: readonly string[];
  readonly block?: readonly BlockAttachment[];
  readonly cpu?: readonly number[];
  readonly cpus: number;
  readonly exitCode?: readonly number[];
  readonly linuxBoot?: string;
  readonly mem: number;
  readonly net?: readonly BridgeAttachment[];
  readonly addName: boolean;
  readonly restartOnFail?: boolean;
  readonly startup?: number;
}

export function addSettings(command: CommanderCommand): CommanderCommand {
  const text = (word: string): string => word;
  return command
    .option("--arg <argument>", "an argument for the unikernel, such as --arg=--hello=Hi; repeatable", repeated(text))
    .option(
      "--block <[name:]device[@size]>",
      "a block device: its name in the image, the device, its sector size; repeatable",
      repeated(parseBlockWord),
    )
    .option("--cpu <id>", "a CPU that it may run on (default: 0); repeatable", repeated(parseCountWord))
    .option("--cpus <count>", "how many CPUs it sees", parsePositiveWord, 1)
    .option(
      "--exit-code <code>",
      "restart after this exit status only (default: all but 1 and 60 to 64); repeatable",
      repeated(parseCountWord),
    )
    .option("--linux-boot <partition>", "the partition to boot from, for Linux")
    .option("--mem <MB>", "its memory", parsePositiveWord, 32)
    .option(
      "--net <[name:]bridge[@mac]>",
      "a network device: its name in the image, the bridge, the MAC address; repeatable",
      repeated(parseNetWord),
    )
    .option("--no-add-name", "leave out the argument --name=<its name>")
    .addOption(new Option("--restart, --restart-on-fail", "start it again when it exits"))
    .option("--startup <priority>", "its turn when the host starts: 0 first, 50 if not given", parseCountWord);
}

export function settingsOf(options: SettingsOptions): Settings {
  return {
    failBehaviour: failBehaviourOf(options),
    ...(options.startup === undefined ? {} : { startup: options.startup }),
    addName: options.addName,
    cpuids: sortedSet(options.cpu ?? [0]),
    memory: options.mem,
    blocks: options.block ?? [],
    bridges: options.net ?? [],
    ...(options.arg === undefined ? {} : { arguments: options.arg }),
    cpus: options.cpus,
    ...(options.linuxBoot === undefined ? {} : { linuxBootPartition: options.linuxBoot }),
  };
}

/** Naming an exit code asks for a restart. */
function failBehaviourOf(options: SettingsOptions): FailBehaviour {
  const codes = sortedSet(options.exitCode ?? []);
  return options.restartOnFail === true || codes.length > 0 ? { kind: "restart", codes } : { kind: "quit" };
}
