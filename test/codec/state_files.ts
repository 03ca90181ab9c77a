import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readLines } from "./vectors.ts";

/** A line of state.jsonl. */
export interface StateVector {
  readonly id: string;
  readonly der: string;
  /** Names, and what albatross prints of them with -v -v. */
  readonly unikernels: readonly (readonly [string, string])[];
  readonly policies: readonly (readonly [string, string])[];
  readonly reencoded: string;
}

export const stateVectors: readonly StateVector[] = readLines<StateVector>("state/state.jsonl");

/** albatross's own test data lies beside the checkout where it is at hand. */
const fixtureFile = join(import.meta.dirname, "../../../shared/golden/state/fixtures/fixtures.jsonl");

export const fixtures: readonly StateVector[] | undefined = existsSync(fixtureFile)
  ? readFileSync(fixtureFile, "utf8")
      .trim()
      .split("\n")
      .map((line): StateVector => JSON.parse(line))
  : undefined;

export const stateFolder: string = join(import.meta.dirname, "../vector/state");

/** The files of one daemon's state, by what they are called behind `state.`. */
export const liveStates: ReadonlyMap<string, Uint8Array> = new Map(
  readdirSync(join(stateFolder, "live"))
    .filter((file) => !file.endsWith(".txt"))
    .map((file) => [file.slice("state.".length), Uint8Array.from(readFileSync(join(stateFolder, "live", file)))]),
);

export const currentLive = "5-with-policies-current";
