/**
 * The answers that change nothing: what there is at and below a name.
 *
 * Names in a listing are relative to the path that was asked for, and whole
 * where one name was asked for: albatross's clients rely on it.
 *
 * @module
 */
import { attach, devicesOf } from "./attach.ts";
import type { BlockState, InfoForm, Named, Success, UnikernelStatus } from "./command.ts";
import { type Name, relativeTo } from "./name.ts";
import type { Policy } from "./policy.ts";
import { findBlock, findUnikernel, listBlocks, listPolicies, listUnikernels } from "./resources.ts";
import type { Attached, Change, Incarnation, Phase, State, Unikernel } from "./state.ts";
import type { BlockInfo, BridgeInfo, UnikernelInfo } from "./unikernel.ts";

export function unikernelInfo(state: State, name: Name, form: InfoForm): Success {
  return {
    kind: "unikernels",
    form,
    unikernels: tellEach(state, name, (unikernel, own) => describeOne(state, own, unikernel)),
  };
}

export function unikernelStatus(state: State, name: Name): Success {
  const unikernels = tellEach(state, name, (unikernel, own): UnikernelStatus | undefined => {
    const { phase, failures, lastExit } = unikernel;
    const info = describeOne(state, own, unikernel);
    if (info === undefined) return undefined;
    const status = { info, phase: phaseOf(phase), failures };
    return lastExit === undefined ? status : { ...status, lastExit };
  });
  return { kind: "statuses", unikernels };
}

function phaseOf(phase: Phase): UnikernelStatus["phase"] {
  switch (phase.kind) {
    case "preparing":
    case "trying":
      return "starting";
    case "stopping":
      return phase.stuck === true ? "unkillable" : "stopping";
    default:
      return phase.kind;
  }
}

/** What is told of one unikernel, or of all at and below a path. */
function tellEach<T>(
  state: State,
  name: Name,
  tell: (unikernel: Unikernel, name: Name) => T | undefined,
): readonly Named<T>[] {
  if (name.label !== undefined) {
    const unikernel = findUnikernel(state.resources, name)?.unikernel;
    const value = unikernel && tell(unikernel, name);
    return value === undefined ? [] : [{ name, value }];
  }
  return listUnikernels(state.resources, name.path).flatMap((entry): Named<T>[] => {
    const value = tell(entry.value.unikernel, entry.name);
    return value === undefined ? [] : [{ name: relativeTo(name.path, entry.name), value }];
  });
}

/** A label in the name is ignored: policies are of paths. */
export function policyInfo(state: State, name: Name): Success {
  const policies = listPolicies(state.resources, name.path).map(
    (entry): Named<Policy> => ({ ...entry, name: relativeTo(name.path, entry.name) }),
  );
  return { kind: "policies", policies };
}

export function blockInfo(state: State, name: Name): Success {
  if (name.label !== undefined) {
    const block = findBlock(state.resources, name);
    const value = block && { size: block.size, active: block.usedBy !== undefined };
    return { kind: "block-devices", devices: value ? [{ name, value }] : [] };
  }
  const devices = listBlocks(state.resources, name.path).map(
    (entry): Named<BlockState> => ({ ...entry, name: relativeTo(name.path, entry.name) }),
  );
  return { kind: "block-devices", devices };
}

/** One that a client has asked for and nothing was started for yet is not told of. */
function describeOne(state: State, name: Name, { current, change, started }: Unikernel): UnikernelInfo | undefined {
  const told = current ?? (change && storedAs(name, change));
  if (told === undefined) return undefined;
  const { config, digest, devices } = told;
  const { addName: _, blocks: __, bridges: ___, ...same } = config;
  const info = { ...same, digest, blocks: blocksOf(state, devices), bridges: bridgesOf(devices) };
  return started === undefined ? info : { ...info, started };
}

/** What is stored and still to be looked at, at a start of the daemon. */
function storedAs(name: Name, { config, image, macs }: Change): Omit<Incarnation, "tender"> | undefined {
  if (image.kind !== "stored" || macs === undefined) return undefined;
  return { config, digest: image.digest, devices: attach(name, config, devicesOf(config), macs) };
}

function blocksOf(state: State, devices: readonly Attached[]): readonly BlockInfo[] {
  return devices.flatMap((device) => {
    if (device.kind !== "block") return [];
    const { name, sectorSize = defaultSectorSize } = device;
    const size = findBlock(state.resources, name)?.size ?? 0;
    return [{ unikernelDevice: device.device, hostDevice: name.label ?? "", sectorSize, size }];
  });
}

function bridgesOf(devices: readonly Attached[]): readonly BridgeInfo[] {
  return devices.flatMap((device) => {
    if (device.kind !== "net") return [];
    return [{ unikernelDevice: device.device, hostDevice: device.bridge, mac: device.mac }];
  });
}

/** Bytes: what a Solo5 tender takes where none is given. */
const defaultSectorSize = 512;
