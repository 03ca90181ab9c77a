/**
 * The answers that change nothing: what there is at and below a name.
 *
 * Names in a listing are relative to the path that was asked for, and whole
 * where one name was asked for: albatross's clients rely on it.
 *
 * @module
 */
import type { BlockState, InfoForm, Named, Success, UnikernelStatus } from "./command.ts";
import { type Name, relativeTo } from "./name.ts";
import type { Policy } from "./policy.ts";
import { findBlock, findUnikernel, listBlocks, listPolicies, listUnikernels } from "./resources.ts";
import type { Incarnation, Phase, State, Unikernel } from "./state.ts";
import type { BlockInfo, BridgeInfo, UnikernelInfo } from "./unikernel.ts";

export function unikernelInfo(state: State, name: Name, form: InfoForm): Success {
  return { kind: "unikernels", form, unikernels: tellEach(state, name, (unikernel) => describeOne(state, unikernel)) };
}

export function unikernelStatus(state: State, name: Name): Success {
  const unikernels = tellEach(state, name, (unikernel): UnikernelStatus | undefined => {
    const { phase, failures, lastExit } = unikernel;
    const info = describeOne(state, unikernel);
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
function tellEach<T>(state: State, name: Name, tell: (unikernel: Unikernel) => T | undefined): readonly Named<T>[] {
  if (name.label !== undefined) {
    const unikernel = findUnikernel(state.resources, name)?.unikernel;
    const value = unikernel && tell(unikernel);
    return value === undefined ? [] : [{ name, value }];
  }
  return listUnikernels(state.resources, name.path).flatMap((entry): Named<T>[] => {
    const value = tell(entry.value.unikernel);
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

/** One that nothing was started for yet is not told of. */
function describeOne(state: State, { current, started }: Unikernel): UnikernelInfo | undefined {
  if (current === undefined) return undefined;
  const { config, digest } = current;
  const { addName: _, blocks: __, bridges: ___, ...same } = config;
  const info = { ...same, digest, blocks: blocksOf(state, current), bridges: bridgesOf(current) };
  return started === undefined ? info : { ...info, started };
}

function blocksOf(state: State, { devices }: Incarnation): readonly BlockInfo[] {
  return devices.flatMap((device) => {
    if (device.kind !== "block") return [];
    const { name, sectorSize = defaultSectorSize } = device;
    const size = findBlock(state.resources, name)?.size ?? 0;
    return [{ unikernelDevice: device.device, hostDevice: name.label ?? "", sectorSize, size }];
  });
}

function bridgesOf({ devices }: Incarnation): readonly BridgeInfo[] {
  return devices.flatMap((device) => {
    if (device.kind !== "net") return [];
    return [{ unikernelDevice: device.device, hostDevice: device.bridge, mac: device.mac }];
  });
}

/** Bytes: what a Solo5 tender takes where none is given. */
const defaultSectorSize = 512;
