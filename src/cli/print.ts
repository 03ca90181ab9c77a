/**
 * Replies as lines: albatross-client's, with three differences. Every name is
 * a full one, guest arguments are shown on request only, and text from afar is
 * escaped.
 *
 * @module
 */
import type { BlockState, LockState, Named, Success, UnikernelStatus } from "../core/command.ts";
import { describeExit, describeHappening } from "../core/describe.ts";
import { describeVerdict } from "../core/describe_explanation.ts";
import type { Happening } from "../core/happening.ts";
import { type Name, printName } from "../core/name.ts";
import { type Policy, unlimited } from "../core/policy.ts";
import { unreachable } from "../core/result.ts";
import { printMac } from "../core/tender.ts";
import type { FailBehaviour, Image, UnikernelInfo } from "../core/unikernel.ts";
import { escapeText } from "./escape.ts";

/** `host [unikernel: alice:web]`, with which every answer begins. */
export function printHost(name: Name): string {
  return `host ${printTitle(name)}`;
}

/**
 * The lines of a success.
 *
 * @param name - of the reply's header: names in its listings are relative to its path
 * @param showArguments - whether guest arguments, which may be secrets, are shown
 */
export function printSuccess(name: Name, success: Success, showArguments: boolean): string {
  return `${printHost(name)}: ${body(name, success, showArguments)}\n`;
}

export function printConsoleLine(time: number, line: string): string {
  return `console ${printTime(time)}: ${escapeText(line)}\n`;
}

export function printHappening(name: Name, time: number, happening: Happening): string {
  return `${printTime(time)}: ${printName(name)} ${describeHappening(happening)}\n`;
}

/** `2026-11-22T05:20:37-00:00`: RFC 3339, UTC, whole seconds, as albatross writes it. */
export function printTime(time: number): string {
  return `${new Date(time).toISOString().slice(0, -5)}-00:00`;
}

export function printPolicy(policy: Policy): string {
  const block = policy.block === undefined ? "no block" : `${policy.block} MB block`;
  const bridges = policy.bridges.length === 0 ? "" : `, bridges: ${list(policy.bridges)}`;
  const unikernels = policy.unikernels === unlimited ? unlimitedOnWire : policy.unikernels;
  return `policy: ${unikernels} unikernels ${policy.cpuids.join(",")} CPUids ${policy.memory} MB memory ${block}${bridges}`;
}

export function printFailBehaviour(behaviour: FailBehaviour): string {
  if (behaviour.kind === "quit") return "quit";
  return behaviour.codes.length === 0 ? "restart all except 1" : `restart ${behaviour.codes.join(", ")}`;
}

function body(name: Name, success: Success, showArguments: boolean): string {
  switch (success.kind) {
    case "empty":
      return "success";
    case "string":
      return `success: ${escapeText(success.text)}`;
    case "policies":
      return listing(
        success.policies,
        "no policies",
        ({ name: at, value }) => `${printTitle(below(name, at))}: ${printPolicy(value)}`,
      );
    case "block-devices":
      return listing(success.devices, "no block devices", (device) => printDevice(absolute(name, device)));
    case "unikernels":
      return listing(success.unikernels, "no unikernels", (unikernel) =>
        printUnikernel(absolute(name, unikernel), showArguments),
      );
    case "statuses":
      return listing(success.unikernels, "no unikernels", (unikernel) =>
        printStatus(absolute(name, unikernel), showArguments),
      );
    case "locks":
      return listing(success.locks, "no locks", (lock) => printLock({ ...lock, name: below(name, lock.name) }));
    case "consoles":
      return listing(success.names, "no consoles", (console) => printTitle(below(name, console)));
    case "explanation":
      return escapeText(describeVerdict(success.explanation));
    case "unikernel-image":
      return `image ${printImage(success.image)}`;
    case "old-block-device-image":
      return `block device ${printImage(success.image)}`;
    case "block-device-image":
      return `block device compressed ${success.compressed}`;
    default:
      return unreachable(success);
  }
}

function listing<T>(items: readonly T[], none: string, print: (item: T) => string): string {
  return items.length === 0 ? none : items.map(print).join("\n");
}

function printLock({ name, value }: Named<LockState>): string {
  const owner = value.owner.length === 0 ? "the host" : printName({ path: value.owner });
  return `${printTitle(name)}: locked by ${owner} since ${printTime(value.since)}`;
}

function printDevice({ name, value }: Named<BlockState>): string {
  return `block ${printTitle(name)} size ${value.size} MB active ${value.active}`;
}

function printUnikernel({ name, value: info }: Named<UnikernelInfo>, showArguments: boolean): string {
  const blocks = info.blocks.map(
    (block) =>
      `${block.unikernelDevice} -> ${block.hostDevice} (sector-size: ${block.sectorSize} bytes, size ${block.size} MB)`,
  );
  const bridges = info.bridges.map(
    (bridge) => `${bridge.unikernelDevice} -> ${bridge.hostDevice} (mac ${printMac(bridge.mac)})`,
  );
  return [
    `${printTitle(name)}: typ ${info.typ === "solo5" ? "solo5" : "BHyve"}`,
    `started ${info.started === undefined ? "not specified" : printTime(info.started)}`,
    `fail behaviour ${printFailBehaviour(info.failBehaviour)}`,
    `startup at ${info.startup ?? "not specified"}`,
    `CPUids ${info.cpuids.join(", ")} ${info.memory} MB memory`,
    `block devices ${list(blocks)}`,
    `bridge ${list(bridges)}`,
    `digest ${Buffer.from(info.digest).toString("hex")}`,
    `#cpus ${info.cpus}`,
    `linux_boot_partition ${escapeText(info.linuxBootPartition ?? "not specified")}`,
    ...(showArguments ? [`argv ${escapeText(info.arguments?.join(" ") ?? "no")}`] : []),
  ].join(" ");
}

function printStatus({ name, value }: Named<UnikernelStatus>, showArguments: boolean): string {
  const { info, phase, failures, lastExit } = value;
  const last = lastExit === undefined ? "none" : describeExit(lastExit);
  const life = `${phase}, last end ${last}, failures in a row ${failures}`;
  return `${printUnikernel({ name, value: info }, showArguments)} ${life}`;
}

function printImage(image: Image): string {
  return `(compression ${image.compressed}) ${image.bytes.length} bytes`;
}

function list(items: readonly string[]): string {
  return items.map(escapeText).join(", ");
}

/** In an answer about one name the names are full already (wire-format of `info` and `block info`). */
function absolute<T>(asked: Name, item: Named<T>): Named<T> {
  return asked.label === undefined ? { name: below(asked, item.name), value: item.value } : item;
}

function below(asked: Name, name: Name): Name {
  return { ...name, path: [...asked.path, ...name.path] };
}

/** `[unikernel: alice:web]`, of paths too. */
export function printTitle(name: Name): string {
  return `[unikernel: ${printName(name)}]`;
}

/** How albatross writes that a count has no limit. */
const unlimitedOnWire = "4611686018427387903";
