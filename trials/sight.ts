/**
 * What is seen of a daemon on trial: what it says that there is, and what the
 * machine has of it.
 *
 * @module
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "../src/client/main.ts";
import { list, readAll, taps, tenders } from "./machine.ts";

/** What must hold of a daemon whatever was done to it; texts, so that a difference can be read. */
export interface Sight {
  /** Unikernels, policies, locks, block devices, and all files of these with their contents: what clients rely on, a line each. */
  readonly kept: readonly string[];
  /** What the machine holds that nothing of it accounts for, and what it lacks. */
  readonly orphans: readonly string[];
}

/** Where to look. */
export interface Seen {
  readonly dbdir: string;
  readonly tmpdir: string;
  /** In front of a command line: what makes it run in the daemon's network. */
  readonly inside: readonly string[];
}

/** Waits until nothing moves any more, and tells what there is then. @param more - further lines of what is kept */
export async function see(seen: Seen, client: Client, more: () => Promise<readonly string[]>): Promise<Sight> {
  let last: Sight | undefined;
  for (let looks = 0; ; looks++) {
    const { sight, idle } = await look(seen, client, more);
    const settled = idle === 0 && sight.orphans.length === 0 && JSON.stringify(sight) === JSON.stringify(last);
    if (settled) return sight;
    if (looks === mostLooks) {
      return idle === 0 ? sight : { ...sight, orphans: [...sight.orphans, `${idle} unikernels do not run`] };
    }
    last = sight;
    await sleep(lookInterval);
  }
}

async function look(
  { dbdir, tmpdir, inside }: Seen,
  client: Client,
  more: () => Promise<readonly string[]>,
): Promise<{ readonly sight: Sight; readonly idle: number }> {
  const unikernels = await client.info();
  const running = unikernels.filter(({ started }) => started !== undefined);
  const counts = [
    ["tenders", tenders(dbdir).length, running.length],
    ["consoles", list(join(tmpdir, "fifo")).length, running.length],
    ["records", list(join(tmpdir, "guest")).filter((file) => file.endsWith(".guest")).length, running.length],
    ["taps", taps(inside).length, running.reduce((sum, { bridges }) => sum + bridges.length, 0)],
  ] as const;
  const images = list(join(dbdir, "images"));
  const digests = new Set(unikernels.map(({ digest }) => digest));
  const kept = [
    ...unikernels.map(({ name, memory, digest, arguments: words = [], blocks: attached, bridges }) => {
      const devices = [...attached, ...bridges].map(({ hostDevice }) => hostDevice);
      return `unikernel ${name} ${memory} MB ${digest.slice(0, 8)} ${words.join(" ")} ${devices.join(" ")}`;
    }),
    ...(await client.policies()).filter(({ path }) => path !== "").map((policy) => `policy ${JSON.stringify(policy)}`),
    ...(await client.trust.locks()).map(({ path, owner }) => `lock ${path} by ${owner}`),
    ...(await client.blocks.list()).map(
      ({ name, size, active }) => `block ${name} ${size} MB ${active ? "used" : "free"}`,
    ),
    ...readAll(join(dbdir, "block")).map(({ file, digest }) => `content ${file} ${digest}`),
    ...(await more()),
  ];
  const orphans = [
    ...counts.flatMap(([what, there, wanted]) => (there === wanted ? [] : [`${there} ${what}, not ${wanted}`])),
    ...images.filter((file) => !digests.has(file)).map((file) => `image ${file}`),
    ...[...digests].filter((digest) => !images.includes(digest)).map((digest) => `no image ${digest}`),
  ];
  return { sight: { kept, orphans }, idle: unikernels.length - running.length };
}

/** Milliseconds between two looks, and how many: what is under way after a start takes a second or two. */
const lookInterval = 60;
const mostLooks = 150;
