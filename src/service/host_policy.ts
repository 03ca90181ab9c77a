/**
 * What the host offers.
 *
 * @module
 */
import { type Policy, unlimited } from "../core/policy.ts";
import { ok, type Result } from "../core/result.ts";
import { readBlockSpace } from "../host/block.ts";
import { listBridges, readHostFacts } from "../host/proc.ts";
import type { RunError } from "../host/run.ts";

/**
 * What this host has: the policy of the root path.
 *
 * @param occupied - MB that existing block devices take of the disk
 */
export async function hostPolicy(dbdir: string, occupied: number): Promise<Result<Policy, RunError>> {
  const bridges = await listBridges();
  if (!bridges.ok) return bridges;
  const { cpuids, memory } = readHostFacts();
  const block = readBlockSpace(dbdir).free + occupied;
  return ok({ unikernels: unlimited, cpuids, memory, block, bridges: bridges.value });
}
