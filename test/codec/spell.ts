import type { Command } from "../../src/core/command.ts";
import { type Policy, unlimited } from "../../src/core/policy.ts";
import { unreachable } from "../../src/core/result.ts";
import { hostBridge, hostDevice, type Image, type Settings } from "../../src/core/unikernel.ts";
import { hex } from "./vectors.ts";

/** A command as albatross prints it with `-v -v`, so that its reading of a vector can be held against ours. */
export function spell(command: Command): string {
  switch (command.kind) {
    case "console-add":
      return `console add (max unikernels ${spellCount(command.count)})`;
    case "console-subscribe":
      return command.from.kind === "since"
        ? `console subscribe since ${new Date(command.from.time).toISOString().slice(0, 19)}-00:00`
        : `console subscribe number ${spellCount(command.from.count)}`;
    case "console-list-inactive":
      return "console list inactive available ringbuffers";
    case "stats-add": {
      const taps = command.network.map(({ bridge, tap }) => `${bridge}: ${tap}`).join(", ");
      return `stats add: vmm device ${command.vmmdev} pid ${command.pid} taps ${taps}`;
    }
    case "stats-remove":
      return "stat remove";
    case "stats-subscribe":
      return "stat subscribe";
    case "stats-initial":
      return "stat initial";
    case "policy-info":
      return "policy info";
    case "policy-add":
      return `policy add ${spellPolicy(command.policy)}`;
    case "policy-remove":
      return "policy remove";
    case "status":
    case "log-subscribe":
    case "audit":
    case "session":
    case "push-crl":
    case "lock":
    case "unlock":
    case "locks":
    case "explain":
      return command.kind;
    default:
      return spellOther(command);
  }
}

function spellOther(command: Extract<Command, { kind: `unikernel-${string}` | `block-${string}` }>): string {
  switch (command.kind) {
    case "unikernel-info":
      return { old4: "old unikernel info4", old5: "old unikernel info5", current: "unikernel info" }[command.form];
    case "unikernel-create": {
      const what = `unikernel ${command.replace ? "force " : ""}create typ ${command.config.typ === "bhyve" ? "BHyve" : "solo5"}`;
      return `${what} ${spellImage(command.image)} ${spellSettings(command.config, "linux_boot")}`;
    }
    case "unikernel-restart":
      return command.settings === undefined
        ? "unikernel restart"
        : `unikernel restart ${spellSettings(command.settings, "linux_boot_partition")}`;
    case "unikernel-destroy":
      return "unikernel destroy";
    case "unikernel-get":
      return `unikernel get compress level ${command.level}`;
    case "block-info":
      return "block info";
    case "block-add": {
      const data =
        command.data === undefined
          ? "false data no data"
          : `${command.data.compressed} data ${command.data.bytes.length}`;
      return command.form === "old"
        ? `old block add ${command.size} (compressed ${data})`
        : `block add ${command.size}`;
    }
    case "block-remove":
      return "block remove";
    case "block-set":
      return command.data === undefined
        ? `block set compressed ${command.compressed}`
        : `old block set compressed ${command.compressed} ${command.data.length} bytes`;
    case "block-dump":
      return `${command.form === "old" ? "old " : ""}block dump, compress level ${command.level}`;
    default:
      return unreachable(command);
  }
}

function spellCount(count: number): string {
  return count === unlimited ? "4611686018427387903" : String(count);
}

function spellPolicy(policy: Policy): string {
  const block = policy.block === undefined ? "no block" : `${policy.block} MB block`;
  const bridges = policy.bridges.length === 0 ? "" : `, bridges: ${policy.bridges.join(", ")}`;
  return `policy: ${spellCount(policy.unikernels)} unikernels ${policy.cpuids.join()} CPUids ${policy.memory} MB memory ${block}${bridges}`;
}

function spellImage(image: Image): string {
  return `compression ${image.compressed} image ${image.bytes.length} bytes`;
}

function spellSettings(settings: Settings, partition: string): string {
  const { failBehaviour: fail } = settings;
  const codes = fail.kind === "restart" && fail.codes.length > 0 ? fail.codes.join(", ") : "all except 1";
  const blocks = settings.blocks.map(
    (block) =>
      `${block.name} -> ${hostDevice(block)}${block.sectorSize === undefined ? "" : `, sector-size: ${block.sectorSize}`}`,
  );
  const bridges = settings.bridges.map(
    (bridge) =>
      `${bridge.netif} -> ${hostBridge(bridge)}${bridge.mac === undefined ? "" : `@${hex(bridge.mac).replace(/..(?!$)/g, "$&:")}`}`,
  );
  return [
    `fail behaviour ${fail.kind === "quit" ? "quit" : `restart ${codes}`}`,
    `startup at ${settings.startup ?? "not specified"} add_name ${settings.addName}`,
    `CPUids ${settings.cpuids.join(", ")} ${settings.memory} MB memory`,
    `block devices ${blocks.join(", ")} bridge ${bridges.join(", ")} #cpus ${settings.cpus}`,
    `${partition} ${settings.linuxBootPartition ?? "not specified"}`,
    `argv ${settings.arguments?.map(latin1).join(" ") ?? "no"}`,
  ].join(" ");
}

/** The bytes that are not UTF-8 as the vectors show them. */
function latin1(text: string): string {
  return text.replace(/[\udc80-\udcff]/gu, (unit) => String.fromCharCode(unit.charCodeAt(0) - 0xdc00));
}
