/**
 * Commands as `sign` shows them to whom is asked to sign, and configurations as dumps list them.
 *
 * @module
 */
import type { Unikernel } from "../codec/config.ts";
import type { Command } from "../core/command.ts";
import { printName } from "../core/name.ts";
import { printMac } from "../core/tender.ts";
import { hostBridge, hostDevice, type Settings } from "../core/unikernel.ts";
import { escapeText } from "./escape.ts";
import { printFailBehaviour, printPolicy, printTime } from "./print.ts";

/** One line; guest arguments, which may be secrets, are counted and not shown. */
export function printCommand(command: Command): string {
  switch (command.kind) {
    case "policy-add":
      return `policy add ${printPolicy(command.policy)}`;
    case "unikernel-create":
      return `unikernel ${command.replace ? "force create" : "create"} ${printConfig(command, false)}`;
    case "unikernel-restart":
      return command.settings === undefined
        ? "unikernel restart"
        : `unikernel restart ${printSettings(command.settings)}`;
    case "console-subscribe":
      return command.from.kind === "count"
        ? `console subscribe number ${command.from.count}`
        : `console subscribe since ${printTime(command.from.time)}`;
    case "block-add":
      return `block add ${command.size}`;
    case "block-set":
      return `block set compressed ${command.compressed}`;
    case "block-dump":
      return `block dump, compress level ${command.level}`;
    case "unikernel-get":
      return `unikernel get compress level ${command.level}`;
    case "lock":
    case "unlock":
      return `${command.kind} ${printName({ path: command.path })}`;
    default:
      return command.kind.replace("-", " ");
  }
}

/** @param showArguments - whether guest arguments, which may be secrets, are shown */
export function printConfig({ config, image }: Unikernel, showArguments: boolean): string {
  return [
    `typ ${config.typ === "solo5" ? "solo5" : "BHyve"} compression ${image.compressed} image ${image.bytes.length} bytes`,
    printSettings(config),
    ...(showArguments ? [`argv ${escapeText(config.arguments?.join(" ") ?? "no")}`] : []),
  ].join(" ");
}

function printSettings(settings: Settings): string {
  const blocks = settings.blocks.map(
    (block) =>
      `${block.name} -> ${hostDevice(block)}${block.sectorSize === undefined ? "" : `, sector-size: ${block.sectorSize}`}`,
  );
  const bridges = settings.bridges.map(
    (bridge) => `${bridge.netif} -> ${hostBridge(bridge)}${bridge.mac === undefined ? "" : `@${printMac(bridge.mac)}`}`,
  );
  return [
    `fail behaviour ${printFailBehaviour(settings.failBehaviour)}`,
    `startup at ${settings.startup ?? "not specified"}`,
    `add_name ${settings.addName}`,
    `CPUids ${settings.cpuids.join(", ")} ${settings.memory} MB memory`,
    `block devices ${blocks.map(escapeText).join(", ")}`,
    `bridge ${bridges.map(escapeText).join(", ")}`,
    `#cpus ${settings.cpus}`,
    `linux_boot ${escapeText(settings.linuxBootPartition ?? "not specified")}`,
  ].join(" ");
}
