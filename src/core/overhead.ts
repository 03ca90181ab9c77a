/**
 * What a tender takes of the host besides the memory of its guest: a constant of
 * its kind, so that whoever makes a policy can count with it.
 *
 * @module
 */
import type { TenderKind } from "./manifest.ts";

/** MB, of the tenders that count. */
export type Overheads = Readonly<Partial<Record<TenderKind, number>>>;

/**
 * MB: the largest resident size, less the guest's memory, that was seen of a tender with a network and a block device,
 * rounded up (docs/cage.md tells how).
 */
export const tenderOverhead: Readonly<Record<TenderKind, number>> = { spt: 2, hvt: 4, virtio: 96 };

/** The overheads of those that a host offers. */
export function overheadsOf(offered: readonly TenderKind[]): Overheads {
  return Object.fromEntries(offered.map((kind) => [kind, tenderOverhead[kind]]));
}
