/**
 * What a tender takes of the host besides the memory of its guest: a constant of
 * its kind, so that whoever makes a policy can count with it.
 *
 * @module
 */
import type { TenderKind } from "./manifest.ts";

/** MB that a unikernel of so much memory (MB) takes with its tender. */
export function chargedMemory(kind: TenderKind, memory: number): number {
  return memory + tenderOverhead[kind];
}

/**
 * MB: the largest resident size, less the guest's memory, that was seen of a tender with a network and a block device,
 * rounded up (docs/cage.md tells how).
 */
const tenderOverhead: Readonly<Record<TenderKind, number>> = { spt: 2, hvt: 4, virtio: 96 };
